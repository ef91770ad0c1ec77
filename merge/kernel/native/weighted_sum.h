// weighted_sum: out = w1 x1 + w2 x2 + ..., added in the order of the inputs.
// Serves linear without normalisation, slerp (whose two coefficients are scalars
// of the whole tensor) and passthrough.
#ifndef MSMERGE_WEIGHTED_SUM_H
#define MSMERGE_WEIGHTED_SUM_H

#include "convert.h"

FN float weigh(float weight, float x) { return weight * x; }

FN float add(float a, float b) { return a + b; }

#ifndef MSMERGE_DEVICE
static void weighted_sum(msmerge_tile *t, const msmerge_input *in) {
  float sum[MSMERGE_BLOCK];
  padding pad;
  for (int64_t at = 0; at < t->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(t->n, at);
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      sum[e] = NEUTRAL;
    }
    for (int64_t i = 0; i < t->inputs; i++) {
      const void *src = block_of(in[i].x, at, len, &pad);
      float w = in[i].weight;
      EACH_ELEMENT(in[i].x.dtype, src, { sum[e] = add(sum[e], weigh(w, x)); })
    }
    store_block(t, at, len, sum);
  }
}
#endif

#endif
