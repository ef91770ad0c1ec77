// ram: the mean of the task vectors that are active at an element, those above a
// small magnitude; one that is alone there is multiplied by a factor of its
// model. NaN is active.
#ifndef MSMERGE_RAM_H
#define MSMERGE_RAM_H

#include "group_block.h"

FN uint32_t is_active(float d, int32_t limit) { return magnitude(d) > limit; }

#ifndef MSMERGE_DEVICE
FN void count_block(int64_t n, const msmerge_group *g, int32_t len, float d[][MSMERGE_BLOCK], int64_t *counts) {
  int32_t limit = g->threshold, active[MSMERGE_BLOCK] = {0};
  for (int64_t i = 0; i < n; i++) {
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      active[e] += (int32_t)is_active(d[i][e], limit);
    }
  }
  for (int64_t i = 0; i < n; i++) {
    int32_t alone = 0, shared = 0;
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      int32_t a = (int32_t)is_active(d[i][e], limit);
      a &= e < len;
      alone += a & (active[e] == 1);
      shared += a & (active[e] > 1);
    }
    counts[2 * i] += alone;
    counts[2 * i + 1] += shared;
  }
}

// count_active adds for each model how many of its active elements are so alone,
// and how many together with others.
static void count_active(const msmerge_group *g, int64_t *counts) {
  float base[MSMERGE_BLOCK], d[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK];
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    load_group(g, at, len, base, d);
    BY_COUNT(count_block, g->inputs, g, (int32_t)len, d, counts)
  }
}

FN void ram_block(int64_t n, const msmerge_group *g, const float *restrict base, float d[][MSMERGE_BLOCK],
                  float *restrict out) {
  int32_t limit = g->threshold;
  float alone[MSMERGE_MAX_INPUTS];
  for (int64_t i = 0; i < n; i++) {
    alone[i] = g->model_value[i];
  }
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    float count = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
      count = count + select_float(is_active(d[i][e], limit), 1.0f);
    }
    uint32_t unique = count == 1.0f;
    float share = 1.0f / (count + select_float(count == 0.0f, 1.0f));
    for (int64_t i = 0; i < n; i++) {
      float factor = float_of(either(unique, bits_of(alone[i]), bits_of(share)));
      sum = sum + select_float(is_active(d[i][e], limit), factor * d[i][e]);
    }
    out[e] = base[e] + sum;
  }
}

static void ram(msmerge_tile *t, const msmerge_group *g) {
  float base[MSMERGE_BLOCK], d[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK], out[MSMERGE_BLOCK];
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    load_group(g, at, len, base, d);
    BY_COUNT(ram_block, g->inputs, g, base, d, out)
    store_block(t, at, len, out);
  }
}
#endif

#endif
