// The order of sums: element e of a block of 4,096 is added to lane e mod 16, lanes
// are joined by halves, and the sums of blocks by a tree of neighbours.
#ifndef MSMERGE_LANES_H
#define MSMERGE_LANES_H

#include "kernel.h"
#include "platform.h"

FN double join_lanes(double *lane) {
  for (int half = MSMERGE_LANES / 2; half > 0; half /= 2) {
    for (int j = 0; j < half; j++) {
      lane[j] += lane[j + half];
    }
  }
  return lane[0];
}

// join_sums adds partial sums by the tree of the caller's JoinSums.
FN double join_sums(double *sums, int64_t n) {
  for (; n > 1; n = (n + 1) / 2) {
    for (int64_t i = 0; i < n / 2; i++) {
      sums[i] = sums[2 * i] + sums[2 * i + 1];
    }
    if (n % 2 == 1) {
      sums[n / 2] = sums[n - 1];
    }
  }
  return sums[0];
}

#endif
