// Scores: a number of at least zero for each element, by which elements are
// chosen. Order statistics of a whole tensor are found from histograms of the
// upper 16 and the lower 15 bits of float32, never by sorting.
//
//   importance  |x - base| times the divergence of the row (arcee_fusion)
//   variance    sum over models of (e - mean e)^2, e = d - d of the first model (sce)
#ifndef MSMERGE_SCORE_H
#define MSMERGE_SCORE_H

#include "group_block.h"

FN float importance(float d, float kl) { return float_of((uint32_t)magnitude(d)) * kl; }

// variance measures from the first model, so that equal task vectors have none.
FN float variance(int64_t n, const float *d, float share) {
  float sum = 0, squares = 0;
  for (int64_t i = 0; i < n; i++) {
    sum = sum + (d[i] - d[0]);
  }
  float mean = sum * share;
  for (int64_t i = 0; i < n; i++) {
    float apart = (d[i] - d[0]) - mean;
    squares = squares + apart * apart;
  }
  return squares;
}

// score_bits returns a score as a number that orders like it, with one pattern of
// NaN.
FN int32_t score_bits(float score) {
  int32_t m = magnitude(score);
  return (int32_t)either(m > 0x7f800000, 0x7fc00000u, (uint32_t)m);
}

#ifndef MSMERGE_DEVICE
FN void variances(int64_t n, const msmerge_group *g, int64_t at, int64_t len, int uniform, int32_t *restrict m) {
  float share = 1.0f / (float)n;
  EACH_DELTA(n, g, at, len, uniform, {
    (void)b;
    m[e] = score_bits(variance(n, d, share));
  })
}

// load_scores fills m with the bits of a block's scores and returns how many
// elements the block has.
FN int64_t load_scores(const msmerge_group *g, int64_t at, int uniform, int32_t *restrict m) {
  float kl[MSMERGE_BLOCK];
  int64_t len = block_length(g->n, at);
  if (g->score == MSMERGE_IMPORTANCE) {
    line_values(g, g->line_value, at, len, kl);
    EACH_DELTA(1, g, at, len, uniform, {
      (void)b;
      m[e] = score_bits(importance(d[0], kl[e]));
    })
  } else {
    BY_COUNT(variances, g->inputs, g, at, len, uniform, m)
  }
  return len;
}

enum { HIGH_PARTS = 2 };

// score_high counts the upper 16 bits of each score and returns how many scores
// are not zero. bins holds two tables, so that runs of equal scores do not wait
// for each other.
static int64_t score_high(const msmerge_group *g, uint32_t *bins) {
  int32_t m[MSMERGE_BLOCK];
  int64_t above_zero = 0;
  int uniform = is_uniform_group(g);
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = load_scores(g, at, uniform, m);
    int32_t zeros = 0;
    for (int32_t e = 0; e < MSMERGE_BLOCK; e++) {
      zeros += (m[e] != 0) & (e < (int32_t)len);
    }
    above_zero += zeros;
    for (int64_t e = 0; e < len; e++) {
      bins[(e % HIGH_PARTS) * MSMERGE_HIGH_BINS + (m[e] >> 15)]++;
    }
  }
  return above_zero;
}

// score_low counts, for each prefix, the lower 15 bits of the scores that begin
// with it.
static void score_low(const msmerge_group *g, uint32_t *bins) {
  int32_t m[MSMERGE_BLOCK], p0 = g->prefix[0], p1 = g->prefix[1], p2 = g->prefix[2];
  int uniform = is_uniform_group(g);
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = load_scores(g, at, uniform, m);
    for (int64_t from = 0; from < len; from += 8) {
      int32_t any = 0;
      for (int e = 0; e < 8; e++) {
        int32_t high = m[from + e] >> 15;
        any |= (high == p0) | (high == p1) | (high == p2);
      }
      for (int64_t e = from; any && e < from + 8 && e < len; e++) {
        for (int p = 0; p < g->prefixes; p++) {
          if (m[e] >> 15 == g->prefix[p]) {
            bins[p * MSMERGE_LOW_BINS + (m[e] & (MSMERGE_LOW_BINS - 1))]++;
          }
        }
      }
    }
  }
}

// score_equal returns the place of the nth element at the threshold, counted from
// 1, or with n = 0 how many there are.
static int64_t score_equal(const msmerge_group *g, int64_t nth) {
  int32_t m[MSMERGE_BLOCK];
  int64_t count = 0;
  int uniform = is_uniform_group(g);
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = load_scores(g, at, uniform, m);
    int32_t here = 0;
    for (int32_t e = 0; e < MSMERGE_BLOCK; e++) {
      here += (m[e] == g->threshold) & (e < (int32_t)len);
    }
    if (nth > count && nth <= count + here) {
      for (int64_t e = 0;; e++) {
        count += m[e] == g->threshold;
        if (count == nth) {
          return at + e;
        }
      }
    }
    count += here;
  }
  return count;
}
#endif

#endif
