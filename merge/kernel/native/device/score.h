// Order statistics of scores, as in ../score.h.
#ifndef MSMERGE_DEVICE_SCORE_H
#define MSMERGE_DEVICE_SCORE_H

#include "group.h"

FN int32_t score_at(const msmerge_group *g, int64_t e) {
  if (g->score == MSMERGE_IMPORTANCE) {
    return score_bits(importance(delta_one(g, 0, e), g->line_value[line_of(g, e)]));
  }
  float d[MSMERGE_MAX_INPUTS];
  for (int64_t i = 0; i < g->inputs; i++) {
    d[i] = delta_one(g, i, e);
  }
  return score_bits(variance(g->inputs, d, 1.0f / (float)g->inputs));
}

FN void score_high_at(msmerge_score_arguments *a, int64_t e) {
  int32_t m = score_at(&a->g, e);
  add_bin(&a->bins[m >> 15]);
  if (m != 0) {
    add_count(&a->counts[e % MSMERGE_SLOTS], 1);
  }
}

ENTRY(score_high, msmerge_score_arguments)

FN void score_low_at(msmerge_score_arguments *a, int64_t e) {
  int32_t m = score_at(&a->g, e);
  for (int p = 0; p < a->g.prefixes; p++) {
    if (m >> 15 == a->g.prefix[p]) {
      add_bin(&a->bins[p * MSMERGE_LOW_BINS + (m & (MSMERGE_LOW_BINS - 1))]);
    }
  }
}

ENTRY(score_low, msmerge_score_arguments)

// A thread counts one block of 4,096.
FN void score_equal_at(msmerge_score_arguments *a, int64_t i) {
  int64_t from = i * MSMERGE_REDUCE_BLOCK, count = 0;
  for (int64_t e = from; e < from + MSMERGE_REDUCE_BLOCK && e < a->g.n; e++) {
    count += score_at(&a->g, e) == a->g.threshold;
  }
  a->counts[i] = count;
}

ENTRY(score_equal, msmerge_score_arguments)

// One thread looks for the nth.
FN void score_find_at(msmerge_score_arguments *a, int64_t i) {
  int64_t nth = a->nth;
  for (int64_t e = a->from + i; e < a->g.n; e++) {
    nth -= score_at(&a->g, e) == a->g.threshold;
    if (nth == 0) {
      a->place = e;
      return;
    }
  }
}

ENTRY(score_find, msmerge_score_arguments)

#endif
