// keep_ranked, as in ../ranks.h. Every thread that needs a rank counts: a row is in
// the cache, and all threads of a row read the same element at a time.
#ifndef MSMERGE_DEVICE_RANKS_H
#define MSMERGE_DEVICE_RANKS_H

#include "../ranks.h"
#include "scan.h"

FN void magnitudes_at(msmerge_ranks_arguments *a, int64_t e) {
  a->m[e] = magnitude(task_vector(load_one(a->r.x, e, ANY), load_one(a->r.base, e, ANY)));
}

ENTRY(magnitudes, msmerge_ranks_arguments)

// rank_of returns how many elements of its row stand before element e, equal ones
// in their order.
FN int64_t rank_of(const msmerge_ranks_arguments *a, int64_t e) {
  int64_t from = e / a->r.n * a->r.n, rank = 0;
  const int32_t *row = a->m + from;
  int32_t m = a->m[e];
  for (int64_t i = 0; i < a->r.n; i++) {
    rank += row[i] < m + (from + i < e);
  }
  return rank;
}

FN uint32_t survives(const msmerge_ranks_arguments *a, const uint32_t draw[4], int r, int h, int64_t e) {
  const msmerge_ranks *k = &a->r;
  uint32_t sure = rank_bound(k->low, k->width, 0, k->n), never = rank_bound(k->low, k->width, k->n - 1, k->n);
  uint32_t upper = draw_at(draw, r, h) << 24;
  if (upper + 0xffffffu < sure || upper >= never) {
    return upper + 0xffffffu < sure;
  }
  uint32_t bound = rank_bound(k->low, k->width, rank_of(a, e), k->n);
  return (upper | lower_bits((uint64_t)(k->first + e), k->mask.key, k->mask.stream)) < bound;
}

// A thread has two counters, whose marks fill a byte of each of a block's words.
// The first block is the one in which the first element lies.
FN void keep_ranked_at(msmerge_ranks_arguments *a, int64_t i) {
  const msmerge_ranks *k = &a->r;
  int64_t block = k->first / MSMERGE_BLOCK + i / 8, q = 2 * (i % 8);
  uint32_t word[4] = {0, 0, 0, 0};
  for (int both = 0; both < 2; both++) {
    uint32_t draw[4];
    draws_of(draw, &k->mask, block * MSMERGE_BLOCK, q + both);
    for (int r = 0; r < EIGHT; r++) {
      for (int h = 0; h < 2; h++) {
        int64_t e = block * MSMERGE_BLOCK + pair_of_thread(q + both, r) + h - k->first;
        if (e >= 0 && e < k->n * k->rows) {
          word[r / 2] |= survives(a, draw, r, h, e) << (4 * both + 2 * (r & 1) + h);
        }
      }
    }
  }
  for (int w = 0; w < 4; w++) {
    k->bits[i / 8 * (MSMERGE_BLOCK / 8) + 8 * w + q / 2] = (uint8_t)word[w];
  }
}

ENTRY(keep_ranked, msmerge_ranks_arguments)

#endif
