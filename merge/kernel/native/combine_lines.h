// combine_lines: out = base + sum of the models, or of their task vectors, with
// one weight for each model and line. The order is that of weighted_sum and of
// combine.
#ifndef MSMERGE_COMBINE_LINES_H
#define MSMERGE_COMBINE_LINES_H

#include "group_block.h"
#include "weighted_sum.h"

#ifndef MSMERGE_DEVICE
static void combine_lines(msmerge_tile *t, const msmerge_group *g) {
  float base[MSMERGE_BLOCK], sum[MSMERGE_BLOCK], weight[MSMERGE_BLOCK];
  padding pad;
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    if (g->base.data != NULL) {
      load_block(base, g->base, at, len);
    }
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      sum[e] = NEUTRAL;
    }
    for (int64_t i = 0; i < g->inputs; i++) {
      const void *src = block_of(g->x[i], at, len, &pad);
      line_values(g, g->line_value + i * g->lines, at, len, weight);
      if (g->base.data != NULL) {
        EACH_ELEMENT(g->x[i].dtype, src, { sum[e] = add(sum[e], weigh(weight[e], task_vector(x, base[e]))); })
      } else {
        EACH_ELEMENT(g->x[i].dtype, src, { sum[e] = add(sum[e], weigh(weight[e], x)); })
      }
    }
    if (g->base.data != NULL) {
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        sum[e] = add(base[e], sum[e]);
      }
    }
    store_block(t, at, len, sum);
  }
}
#endif

#endif
