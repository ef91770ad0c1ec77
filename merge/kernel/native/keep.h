// keep_magnitude and keep_random: which elements of a task vector survive.
//
// keep_magnitude (Yadav et al. 2023, TIES, "trim"): those above a magnitude, and
// of those at it the ones with the lowest numbers.
//
// keep_random (Yu et al. 2024, DARE, "drop and rescale"): each with the same
// probability. Element e of a tensor takes word (e mod 256) div 64 of the block
// with counter (e div 256) * 64 + e mod 64, so that 64 neighbours use the same
// word of 64 neighbouring counters and no shuffling is needed.
#ifndef MSMERGE_KEEP_H
#define MSMERGE_KEEP_H

#include "convert.h"
#include "philox.h"

// The limit is the threshold, less one for elements at it that are kept.
FN float keep_magnitude(float x, int32_t limit) { return select_float(magnitude(x) > limit, x); }

// draw_counter sets the counter of element e, a multiple of 256 plus less than 64.
FN void draw_counter(uint32_t c[4], uint64_t e, const uint32_t stream[2]) {
  uint64_t n = (e >> 8) * 64 + (e & 63);
  c[0] = (uint32_t)n;
  c[1] = (uint32_t)(n >> 32);
  c[2] = stream[0];
  c[3] = stream[1];
}

FN float keep_random(float x, uint32_t draw, uint32_t keep_below, float scale) {
  return select_float(draw < keep_below, x * scale);
}

#ifndef MSMERGE_DEVICE
// cut_in_block returns how many elements of the block that begins with element
// first are numbered below cut.
FN int32_t cut_in_block(int64_t cut, int64_t first) {
  int64_t ahead = cut - first;
  return ahead < 0 ? 0 : ahead > MSMERGE_BLOCK ? MSMERGE_BLOCK : (int32_t)ahead;
}

// draw_block fills draw with the words of the block of 256 elements from first on.
FN void draw_block(uint32_t *restrict draw, const msmerge_mask *m, int64_t first) {
  uint64_t n = ((uint64_t)first >> 8) * 64;
  uint32_t high = (uint32_t)(n >> 32), low = (uint32_t)n;  // low is a multiple of 64: no carry below
  uint32_t k0 = m->key[0], k1 = m->key[1], s0 = m->stream[0], s1 = m->stream[1];
  for (uint32_t e = 0; e < 64; e++) {
    uint32_t c[4] = {low + e, high, s0, s1};
    philox(c, k0, k1);
    draw[e] = c[0];
    draw[64 + e] = c[1];
    draw[128 + e] = c[2];
    draw[192 + e] = c[3];
  }
}

#endif

#endif
