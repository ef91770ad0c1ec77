// fuse: the other model where its importance reaches a threshold, else the base.
// An importance that is no number reaches it, so that NaN is seen in the output.
#ifndef MSMERGE_FUSE_H
#define MSMERGE_FUSE_H

#include "score.h"

FN float fuse_element(float base, float d, float kl, float threshold) {
  return base + select_float(!(importance(d, kl) < threshold), d);
}

#ifndef MSMERGE_DEVICE
static void fuse(msmerge_tile *t, const msmerge_group *g) {
  float base[MSMERGE_BLOCK], kl[MSMERGE_BLOCK], out[MSMERGE_BLOCK], limit = g->limit;
  padding pad;
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    load_block(base, g->base, at, len);
    line_values(g, g->line_value, at, len, kl);
    const void *src = block_of(g->x[0], at, len, &pad);
    EACH_ELEMENT(g->x[0].dtype, src, { out[e] = fuse_element(base[e], task_vector(x, base[e]), kl[e], limit); })
    store_block(t, at, len, out);
  }
}
#endif

#endif
