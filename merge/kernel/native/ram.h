// ram: the mean of the task vectors that are active at an element, those above a
// small magnitude; one that is alone there is multiplied by a factor of its
// model, if there are factors. NaN is active.
#ifndef MSMERGE_RAM_H
#define MSMERGE_RAM_H

#include "group_block.h"

FN uint32_t is_active(float d, int32_t limit) { return magnitude(d) > limit; }

FN float share_active(int64_t n, float base, const float *d, int32_t limit) {
  float count = 0, sum = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t a = is_active(d[i], limit);
    count = count + select_float(a, 1.0f);
    sum = sum + select_float(a, d[i]);
  }
  return base + sum * (1.0f / (count + select_float(count == 0.0f, 1.0f)));
}

FN float share_or_amplify(int64_t n, float base, const float *d, int32_t limit, const float *alone) {
  float count = 0, sum = 0, factors = 0;
  for (int64_t i = 0; i < n; i++) {
    uint32_t a = is_active(d[i], limit);
    count = count + select_float(a, 1.0f);
    factors = factors + select_float(a, alone[i]);
    sum = sum + select_float(a, d[i]);
  }
  float share = 1.0f / (count + select_float(count == 0.0f, 1.0f));
  return base + sum * float_of(either(count == 1.0f, bits_of(factors), bits_of(share)));
}

#ifndef MSMERGE_DEVICE
FN void count_tile(int64_t n, const msmerge_group *g, int64_t *counts) {
  int uniform = is_uniform_group(g);
  int32_t limit = g->threshold;
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int32_t len = (int32_t)block_length(g->n, at), alone[MSMERGE_MAX_INPUTS], shared[MSMERGE_MAX_INPUTS];
    for (int64_t i = 0; i < n; i++) {
      alone[i] = shared[i] = 0;
    }
    EACH_DELTA(n, g, at, len, uniform, {
      (void)b;
      int32_t active[MSMERGE_MAX_INPUTS];
      int32_t count = 0;
      for (int64_t i = 0; i < n; i++) {
        active[i] = (int32_t)is_active(d[i], limit) & (e < len);
        count += active[i];
      }
      for (int64_t i = 0; i < n; i++) {
        alone[i] += active[i] & (count == 1);
        shared[i] += active[i] & (count > 1);
      }
    })
    for (int64_t i = 0; i < n; i++) {
      counts[2 * i] += alone[i];
      counts[2 * i + 1] += shared[i];
    }
  }
}

// count_active adds for each model how many of its active elements are so alone,
// and how many together with others.
static void count_active(const msmerge_group *g, int64_t *counts) { BY_COUNT(count_tile, g->inputs, g, counts) }

FN void ram_tile(int64_t n, msmerge_tile *t, const msmerge_group *g) {
  float alone[MSMERGE_MAX_INPUTS], out[MSMERGE_BLOCK];
  int uniform = is_uniform_group(g), amplify = g->model_value != NULL;
  int32_t limit = g->threshold;
  for (int64_t i = 0; i < n; i++) {
    alone[i] = amplify ? g->model_value[i] : 1.0f;
  }
  if (amplify) {
    WRITE_TILE(t, g, n, 1, share_or_amplify(n, b, d, limit, alone), {
      EACH_DELTA(n, g, at, len, uniform, { out[e] = share_or_amplify(n, b, d, limit, alone); })
      store_block(t, at, len, out);
    })
  } else {
    WRITE_TILE(t, g, n, 1, share_active(n, b, d, limit), {
      EACH_DELTA(n, g, at, len, uniform, { out[e] = share_active(n, b, d, limit); })
      store_block(t, at, len, out);
    })
  }
}

static void ram(msmerge_tile *t, const msmerge_group *g) { BY_COUNT(ram_tile, g->inputs, t, g) }
#endif

#endif
