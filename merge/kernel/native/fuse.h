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
  float kl[MSMERGE_BLOCK], out[MSMERGE_BLOCK], limit = g->limit;
  int uniform = is_uniform_group(g);
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    line_values(g, g->line_value, at, len, kl);
    EACH_DELTA(1, g, at, len, uniform, { out[e] = fuse_element(b, d[0], kl[e], limit); })
    store_block(t, at, len, out);
  }
}
#endif

#endif
