// combine: out = base + lambda * consensus of the weighted task vectors.
//
// Task arithmetic (Ilharco et al. 2023) adds them; TIES (Yadav et al. 2023)
// elects for each element the sign of their sum and adds those that have it.
// With normalize the sum is divided by the weights that took part.
#ifndef MSMERGE_COMBINE_H
#define MSMERGE_COMBINE_H

#include "convert.h"
#include "keep.h"

FN float task_vector(float x, float base) { return x - base; }

// agrees reports whether a term has the elected sign: that of the sum, and plus
// where the sum is zero. Zero and NaN agree with nothing.
FN uint32_t agrees(float term, float sum) {
  uint32_t minus = (uint32_t)!(sum >= 0.0f) << 31;
  return float_of(bits_of(term) ^ minus) > 0.0f;
}

// A NaN in any task vector must reach the output instead of losing the election.
FN float unless_nan(float sum, float mixed) {
  return float_of(either(sum == sum, bits_of(mixed), bits_of(sum)));
}

FN float divide_elected(float mixed, float divisor) {
  return mixed / (divisor + select_float(divisor == 0.0f, 1.0f));
}

#ifndef MSMERGE_DEVICE
FN void load_task_vector(float *restrict dst, msmerge_view v, const float *restrict base, int64_t at, int64_t len) {
  float x[MSMERGE_BLOCK];
  load_block(x, v, at, len);
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    dst[e] = task_vector(x[e], base[e]);
  }
}

// weigh_terms fills term[i] with the sparse, weighted task vectors of one block
// and sum with their sum.
FN void weigh_terms(const msmerge_tile *t, const msmerge_input *in, int64_t at, int64_t len, const float *restrict base,
                    float term[][MSMERGE_BLOCK], float *restrict sum) {
  for (int64_t i = 0; i < t->inputs; i++) {
    float *restrict d = term[i];
    load_task_vector(d, in[i].x, base, at, len);
    if (in[i].keep == MSMERGE_KEEP_MAGNITUDE) {
      keep_magnitude_block(d, &in[i], t->first + at);
    } else if (in[i].keep == MSMERGE_KEEP_RANDOM) {
      keep_random_block(d, &in[i].mask, in[i].scale, t->first + at);
    }
    float w = in[i].weight;
    if (i == 0) {
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        d[e] = w * d[e];
        sum[e] = d[e];
      }
    } else {
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        d[e] = w * d[e];
        sum[e] = sum[e] + d[e];
      }
    }
  }
}

// elect_sign replaces sum by the sum of the terms that agree with it, divided by
// their weights when asked to.
FN void elect_sign(const msmerge_tile *t, const msmerge_input *in, const float term[][MSMERGE_BLOCK], float *restrict sum) {
  float mixed[MSMERGE_BLOCK], divisor[MSMERGE_BLOCK];
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    mixed[e] = 0;
    divisor[e] = 0;
  }
  for (int64_t i = 0; i < t->inputs; i++) {
    const float *restrict d = term[i];
    float w = in[i].weight;
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      uint32_t a = agrees(d[e], sum[e]);
      mixed[e] = mixed[e] + select_float(a, d[e]);
      divisor[e] = divisor[e] + select_float(a, w);
    }
  }
  if (t->normalize) {
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      mixed[e] = divide_elected(mixed[e], divisor[e]);
    }
  }
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    sum[e] = unless_nan(sum[e], mixed[e]);
  }
}

static void combine(msmerge_tile *t, const msmerge_input *in) {
  float base[MSMERGE_BLOCK], sum[MSMERGE_BLOCK], term[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK];
  float divisor = t->divisor, lambda = t->lambda;
  for (int64_t at = 0; at < t->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(t->n, at);
    load_block(base, t->base, at, len);
    weigh_terms(t, in, at, len, base, term, sum);
    if (t->elect) {
      elect_sign(t, in, term, sum);
    } else if (t->normalize) {
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        sum[e] = sum[e] / divisor;
      }
    }
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      sum[e] = base[e] + lambda * sum[e];
    }
    for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
      sum[e] = 0;  // an infinite coefficient would make NaN of the padding
    }
    store_block(t, at, len, sum);
  }
}
#endif

#endif
