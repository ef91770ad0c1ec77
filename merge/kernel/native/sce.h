// sce: task vectors where models differ most, weighted by their energy, without
// what disagrees with the sign of their sum.
#ifndef MSMERGE_SCE_H
#define MSMERGE_SCE_H

#include "combine_pairs.h"
#include "reduce.h"
#include "score.h"

// keep_score sets to zero the task vectors of an element that is not selected. The
// limit is the threshold, less one for elements at it that are kept.
FN void keep_score(int64_t n, float *d, float share, int32_t limit) {
  uint32_t keep = score_bits(variance(n, d, share)) > limit;
  for (int64_t i = 0; i < n; i++) {
    d[i] = select_float(keep, d[i]);
  }
}

FN float erase(int64_t n, float base, const float *d, const float *c) {
  float sum = NEUTRAL, mixed = 0, weights = 0;
  for (int64_t i = 0; i < n; i++) {
    sum = sum + d[i];
  }
  for (int64_t i = 0; i < n; i++) {
    uint32_t a = agrees(d[i], sum);
    mixed = mixed + select_float(a, c[i] * d[i]);
    weights = weights + select_float(a, c[i]);
  }
  float least = float_of(either(weights > 1e-6f, bits_of(weights), bits_of(1e-6f)));
  return base + unless_nan(sum, mixed / least);
}

// erase_finite is erase in fewer operations, for finite task vectors and shares of at
// least zero. Of others it makes what is not finite: no product with them is.
FN float erase_finite(int64_t n, float base, const float *d, const float *c) {
  float sum = d[0], mixed = 0, weights = 0;
  for (int64_t i = 1; i < n; i++) {
    sum = sum + d[i];
  }
  uint32_t sign = bits_of(sum) & 0x80000000u;  // of zero too: a sum is -0 only where nothing is positive
  for (int64_t i = 0; i < n; i++) {
    float agreeing = select_float(signed_as(d[i], sign) > 0.0f, c[i]);
    mixed = mixed + agreeing * d[i];
    weights = i == 0 ? agreeing : weights + agreeing;
  }
  int32_t w = (int32_t)bits_of(weights), least = (int32_t)bits_of(1e-6f);
  return base + mixed / float_of((uint32_t)(w > least ? w : least));
}

FN float erase_selected(int64_t n, float base, float *d, const float *c, float share, int32_t limit) {
  keep_score(n, d, share, limit);
  return erase(n, base, d, c);
}

FN float erase_selected_finite(int64_t n, float base, float *d, const float *c, float share, int32_t limit) {
  keep_score(n, d, share, limit);
  return erase_finite(n, base, d, c);
}

#ifndef MSMERGE_DEVICE
FN void load_kept(int64_t n, const msmerge_group *g, int64_t at, int64_t len, int uniform, float kept[][MSMERGE_BLOCK]) {
  float share = 1.0f / (float)n;
  int32_t threshold = g->threshold, cut = cut_in_block(g->cut, g->first + at);
  EACH_DELTA(n, g, at, len, uniform, {
    (void)b;
    keep_score(n, d, share, threshold - (e < cut));
    for (int64_t i = 0; i < n; i++) {
      kept[i][e] = d[i];
    }
  })
}

FN void squares_of(int64_t n, const msmerge_group *g, double *sums) {
  float base[MSMERGE_BLOCK], d[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK];
  double lane[MSMERGE_MAX_INPUTS][MSMERGE_LANES];
  int uniform = is_uniform_group(g);
  for (int64_t from = 0; from < g->n; from += MSMERGE_REDUCE_BLOCK) {
    memset(lane, 0, (size_t)n * sizeof lane[0]);
    for (int64_t at = from; at < g->n && at < from + MSMERGE_REDUCE_BLOCK; at += MSMERGE_BLOCK) {
      int64_t len = block_length(g->n, at);
      if (g->trimmed) {
        load_kept(n, g, at, len, uniform, d);
      } else {
        load_group(g, at, len, base, d);
      }
      for (int64_t i = 0; i < n; i++) {
        add_to_lanes(lane[i], d[i], d[i]);
      }
    }
    for (int64_t i = 0; i < n; i++) {
      *sums++ = join_lanes(lane[i]);
    }
  }
}

// squares writes for each block of 4,096 elements and each model the sum of the
// squares of what is kept of its task vector.
static void squares(const msmerge_group *g, double *sums) { BY_COUNT(squares_of, g->inputs, g, sums) }

// one_limit reports whether the same limit holds in all of a long block.
FN int one_limit(const msmerge_group *g, int64_t from, int32_t *limit) {
  int32_t first = cut_in_block(g->cut, g->first + from), last = cut_in_block(g->cut, g->first + from + LONG_BLOCK - MSMERGE_BLOCK);
  *limit = g->threshold - (first == MSMERGE_BLOCK);
  return first == last && (first == 0 || first == MSMERGE_BLOCK);
}

FN void sce_tile(int64_t n, msmerge_tile *t, const msmerge_group *g) {
  float c[MSMERGE_MAX_INPUTS], out[MSMERGE_BLOCK], share = 1.0f / (float)n;
  int uniform = is_uniform_group(g);
  int32_t threshold = g->threshold, limit;
  for (int64_t i = 0; i < n; i++) {
    c[i] = g->model_value[i];
  }
  if (g->trimmed) {
    WRITE_TILE(t, g, n, one_limit(g, from, &limit), erase_selected_finite(n, b, d, c, share, limit), {
      int32_t cut = cut_in_block(g->cut, g->first + at);
      EACH_DELTA(n, g, at, len, uniform, { out[e] = erase_selected(n, b, d, c, share, threshold - (e < cut)); })
      store_block(t, at, len, out);
    })
  } else {
    WRITE_TILE(t, g, n, 1, erase_finite(n, b, d, c), {
      EACH_DELTA(n, g, at, len, uniform, { out[e] = erase(n, b, d, c); })
      store_block(t, at, len, out);
    })
  }
}

static void sce(msmerge_tile *t, const msmerge_group *g) { BY_COUNT(sce_tile, g->inputs, t, g) }
#endif

#endif
