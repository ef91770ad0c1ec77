// nearswap: the other model where it is within t of the base, else the base moved
// towards it by t. Below 1e-6 a difference counts as 1e-6, so that a smaller t
// moves by the share t / 1e-6 of it.
//
// This is a + w (b - a) with w = min(1, t / max(|b - a|, 1e-6)) without a
// division.
#ifndef MSMERGE_NEARSWAP_H
#define MSMERGE_NEARSWAP_H

#include "group_block.h"

// The limit is the largest magnitude of a difference that goes all the way, as
// bits: that of t, or -1 where t is below 1e-6. A difference that is infinite or no
// number is the result.
FN float swap_near(float a, float b, float t, float slope, int32_t limit) {
  float d = b - a;
  uint32_t sign = bits_of(d) & 0x80000000u;
  float step = float_of(either(magnitude(d) < magnitude(1e-6f), bits_of(slope * d), bits_of(t) | sign));
  uint32_t moved = either(magnitude(d) <= limit, bits_of(b), bits_of(a + step));
  return float_of(either(magnitude(d) >= 0x7f800000, bits_of(d), moved));
}

#ifndef MSMERGE_DEVICE
static void nearswap(msmerge_tile *t, const msmerge_group *g) {
  float a[MSMERGE_BLOCK], out[MSMERGE_BLOCK], near = g->near, slope = g->slope;
  int32_t limit = g->threshold;
  padding pad;
  for (int64_t at = 0; at < g->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(g->n, at);
    load_block(a, g->base, at, len);
    const void *src = block_of(g->x[0], at, len, &pad);
    EACH_ELEMENT(g->x[0].dtype, src, { out[e] = swap_near(a[e], x, near, slope, limit); })
    store_block(t, at, len, out);
  }
}
#endif

#endif
