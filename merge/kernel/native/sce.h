// sce: task vectors where models differ most, weighted by their energy, without
// what disagrees with the sign of their sum.
#ifndef MSMERGE_SCE_H
#define MSMERGE_SCE_H

#include "reduce.h"
#include "score.h"

FN float fuse_calculated(float mixed, float weights) { return mixed / (weights > 1e-6f ? weights : 1e-6f); }

#ifndef MSMERGE_DEVICE
// keep_scores sets to zero what is not selected.
FN void keep_scores(int64_t n, const msmerge_group *g, int64_t at, float d[][MSMERGE_BLOCK]) {
  float s[MSMERGE_BLOCK];
  uint32_t keep[MSMERGE_BLOCK];
  int32_t threshold = g->threshold, cut = cut_in_block(g->cut, g->first + at);
  variances(n, d, s);
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    keep[e] = 0u - (uint32_t)(magnitude(s[e]) > threshold - (e < cut));
  }
  for (int64_t i = 0; i < n; i++) {
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      d[i][e] = float_of(bits_of(d[i][e]) & keep[e]);
    }
  }
}

FN void squares_of(int64_t n, const msmerge_group *g, double *sums) {
  float base[MSMERGE_BLOCK], d[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK];
  for (int64_t from = 0; from < g->n; from += MSMERGE_REDUCE_BLOCK) {
    double lane[MSMERGE_MAX_INPUTS][MSMERGE_LANES];
    memset(lane, 0, (size_t)n * sizeof lane[0]);
    for (int64_t at = from; at < g->n && at < from + MSMERGE_REDUCE_BLOCK; at += MSMERGE_BLOCK) {
      load_group(g, at, block_length(g->n, at), base, d);
      if (g->trimmed) {
        keep_scores(n, g, at, d);
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

FN void sce_block(int64_t n, const msmerge_group *g, int64_t at, const float *restrict base, float d[][MSMERGE_BLOCK],
                  float *restrict out) {
  float c[MSMERGE_MAX_INPUTS];
  for (int64_t i = 0; i < n; i++) {
    c[i] = g->model_value[i];
  }
  if (g->trimmed) {
    keep_scores(n, g, at, d);
  }
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    float sum = d[0][e], mixed = 0, weights = 0;
    for (int64_t i = 1; i < n; i++) {
      sum = sum + d[i][e];
    }
    for (int64_t i = 0; i < n; i++) {
      uint32_t a = agrees(d[i][e], sum);
      mixed = mixed + select_float(a, c[i] * d[i][e]);
      weights = weights + select_float(a, c[i]);
    }
    out[e] = base[e] + unless_nan(sum, fuse_calculated(mixed, weights));
  }
}

static void sce(msmerge_tile *t, const msmerge_group *g) {
  float base[MSMERGE_BLOCK], d[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK], out[MSMERGE_BLOCK];
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    load_group(g, at, len, base, d);
    BY_COUNT(sce_block, g->inputs, g, at, base, d, out)
    store_block(t, at, len, out);
  }
}
#endif

#endif
