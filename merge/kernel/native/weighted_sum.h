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
  float x[MSMERGE_BLOCK], sum[MSMERGE_BLOCK];
  for (int64_t at = 0; at < t->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(t->n, at);
    load_block(x, in[0].x, at, len);
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      sum[e] = weigh(in[0].weight, x[e]);
    }
    for (int64_t i = 1; i < t->inputs; i++) {
      load_block(x, in[i].x, at, len);
      float w = in[i].weight;
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        sum[e] = add(sum[e], weigh(w, x[e]));
      }
    }
    for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
      sum[e] = 0;  // an infinite weight would make NaN of the padding
    }
    store_block(t, at, len, sum);
  }
}
#endif

#endif
