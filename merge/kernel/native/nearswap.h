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
// bits: that of t, or -1 where t is below 1e-6. What is infinite or no number in one
// of the models makes the result no number.
FN float swap_near(float a, float b, float t, int32_t limit) {
  float d = b - a;
  float step = float_of(bits_of(t) | (bits_of(d) & 0x80000000u)) + (d - d);
  return float_of(either(magnitude(d) <= limit, bits_of(b), bits_of(a + step)));
}

// swap_nearest is the same for t below 1e-6: a smaller difference is multiplied by
// the slope.
FN float swap_nearest(float a, float b, float t, float slope) {
  float d = b - a;
  float step = float_of(bits_of(t) | (bits_of(d) & 0x80000000u)) + (d - d);
  uint32_t small = magnitude(d) < magnitude(1e-6f);
  return a + float_of(either(small, bits_of(slope * d), bits_of(step)));
}

#ifndef MSMERGE_DEVICE
#define EACH_UNIFORM_PAIR(type, convert, BODY)             \
  {                                                        \
    const type *a_ = (const type *)g->base.data + at;      \
    const type *b_ = (const type *)g->x[0].data + at;      \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {              \
      float a = convert(a_[e]), b = convert(b_[e]);        \
      BODY                                                 \
    }                                                      \
  }

// EACH_PAIR runs BODY for every element e of a block, with its values a in the base
// and b in the other model.
#define EACH_PAIR(BODY)                                           \
  if (uniform && len == MSMERGE_BLOCK) {                          \
    switch (g->base.dtype) {                                      \
      case MSMERGE_BF16:                                          \
        EACH_UNIFORM_PAIR(any_u16, load_bf16, BODY)               \
        break;                                                    \
      default:                                                    \
        EACH_UNIFORM_PAIR(any_f32, , BODY)                        \
    }                                                             \
  } else {                                                        \
    float a_[MSMERGE_BLOCK], b_[MSMERGE_BLOCK];                   \
    load_block(a_, g->base, at, len);                             \
    load_block(b_, g->x[0], at, len);                             \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {                     \
      float a = a_[e], b = b_[e];                                 \
      BODY                                                        \
    }                                                             \
  }

static void nearswap(msmerge_tile *tile, const msmerge_group *g) {
  float out[MSMERGE_BLOCK], t = g->near, slope = g->slope;
  int32_t limit = g->threshold;
  int uniform = is_uniform_group(g);
  if (limit < 0) {
    WRITE_TILE(tile, g, 1, 1, swap_nearest(b, x[0], t, slope), {
      EACH_PAIR({ out[e] = swap_nearest(a, b, t, slope); })
      store_block(tile, at, len, out);
    })
  } else {
    WRITE_TILE(tile, g, 1, 1, swap_near(b, x[0], t, limit), {
      EACH_PAIR({ out[e] = swap_near(a, b, t, limit); })
      store_block(tile, at, len, out);
    })
  }
}
#endif

#endif
