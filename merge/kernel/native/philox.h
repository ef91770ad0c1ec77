// Philox4x32-7: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011. A counter-based generator: four words for each value of
// the counter, with no state between them. Seven rounds are the fewest that the
// paper found to pass all of BigCrush (table 2).
#ifndef MSMERGE_PHILOX_H
#define MSMERGE_PHILOX_H

#include "platform.h"

FN void philox_round(uint32_t c[4], uint32_t k0, uint32_t k1) {
  uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
  uint32_t c1 = c[1], c3 = c[3];
  c[0] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
  c[1] = (uint32_t)p1;
  c[2] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
  c[3] = (uint32_t)p0;
}

FN void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
#pragma GCC unroll 7
  for (int round = 0; round < 7; round++) {
    philox_round(c, k0, k1);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

#endif
