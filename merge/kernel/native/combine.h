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
// add_term fills term with the sparse, weighted task vector of one model in one
// block and adds it to sum.
FN void add_term(const msmerge_input *in, int64_t first, int64_t at, int64_t len, const float *restrict base,
                 float *restrict term, float *restrict sum) {
  padding pad;
  const void *src = block_of(in->x, at, len, &pad);
  float w = in->weight;
  if (in->keep == MSMERGE_KEEP_MAGNITUDE) {
    int32_t threshold = in->threshold, cut = cut_in_block(in->cut, first + at);
    if (cut == 0 || cut == MSMERGE_BLOCK) {
      int32_t limit = threshold - (cut != 0);
      EACH_ELEMENT(in->x.dtype, src, {
        term[e] = w * keep_magnitude(task_vector(x, base[e]), limit);
        sum[e] = sum[e] + term[e];
      })
    } else {
      EACH_ELEMENT(in->x.dtype, src, {
        term[e] = w * keep_magnitude(task_vector(x, base[e]), threshold - (e < cut));
        sum[e] = sum[e] + term[e];
      })
    }
  } else if (in->keep == MSMERGE_KEEP_RANDOM) {
    uint32_t draw[MSMERGE_BLOCK], keep_below = in->mask.keep_below;
    float scale = in->scale;
    draw_block(draw, &in->mask, first + at);
    EACH_ELEMENT(in->x.dtype, src, {
      term[e] = w * keep_random(task_vector(x, base[e]), draw[e], keep_below, scale);
      sum[e] = sum[e] + term[e];
    })
  } else {
    EACH_ELEMENT(in->x.dtype, src, {
      term[e] = w * task_vector(x, base[e]);
      sum[e] = sum[e] + term[e];
    })
  }
}

// elect_sign replaces sum by the sum of the terms that agree with it, divided by
// their weights when asked to.
static void elect_sign(const msmerge_input *in, float term[][MSMERGE_BLOCK], float *restrict sum, int64_t n, int normalize) {
  float mixed[MSMERGE_BLOCK] = {0}, divisor[MSMERGE_BLOCK] = {0};
  for (int64_t i = 0; i < n; i++) {
    const float *restrict d = term[i];
    float w = in[i].weight;
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      uint32_t a = agrees(d[e], sum[e]);
      mixed[e] = mixed[e] + select_float(a, d[e]);
      divisor[e] = divisor[e] + select_float(a, w);
    }
  }
  if (normalize) {
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      mixed[e] = divide_elected(mixed[e], divisor[e]);
    }
  }
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    sum[e] = unless_nan(sum[e], mixed[e]);
  }
}

// A block is uniform when all models have the base's type, none is thinned at
// random, and one limit does for each model's elements. Then one loop does all of
// a block's work in registers, for a few models.
#define EACH_UNIFORM(type, convert, N, BODY)                     \
  {                                                              \
    const type *b_ = (const type *)t->base.data + at, *x_[N];    \
    float w_[N], lambda = t->lambda;                             \
    for (int i = 0; i < N; i++) {                                \
      x_[i] = (const type *)in[i].x.data + at;                   \
      w_[i] = in[i].weight;                                      \
    }                                                            \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {                    \
      float b = convert(b_[e]), s = NEUTRAL;                     \
      BODY(convert, N)                                           \
      out[e] = b + lambda * s;                                   \
    }                                                            \
    return 1;                                                    \
  }

#define UNIFORM_CASES(type, convert, BODY)     \
  switch (t->inputs) {                         \
    case 1:                                    \
      EACH_UNIFORM(type, convert, 1, BODY)     \
    case 2:                                    \
      EACH_UNIFORM(type, convert, 2, BODY)     \
    case 3:                                    \
      EACH_UNIFORM(type, convert, 3, BODY)     \
    case 4:                                    \
      EACH_UNIFORM(type, convert, 4, BODY)     \
  }

#define UNIFORM(BODY)                            \
  switch (t->base.dtype) {                       \
    case MSMERGE_BF16:                           \
      UNIFORM_CASES(any_u16, load_bf16, BODY)    \
      break;                                     \
    case MSMERGE_F16:                            \
      UNIFORM_CASES(any_u16, load_f16, BODY)     \
      break;                                     \
    case MSMERGE_F32:                            \
      UNIFORM_CASES(any_f32, , BODY)             \
      break;                                     \
  }                                              \
  return 0;

// ADD_UP is the body for sums of whole task vectors.
#define ADD_UP(convert, N)                                \
  for (int i = 0; i < N; i++) {                           \
    s = s + w_[i] * task_vector(convert(x_[i][e]), b);    \
  }

// TRIM_AND_ELECT is the body for task vectors that are trimmed and elect a sign,
// MEAN with the division by the weights that agree. The division stands in the
// loop because the processor then does other work meanwhile.
#define TRIM_AND_ELECT(convert, N, MEAN)                                                  \
  float term[N], mixed = 0, weights = 0;                                                  \
  for (int i = 0; i < N; i++) {                                                           \
    term[i] = w_[i] * keep_magnitude(task_vector(convert(x_[i][e]), b), limit[i]);        \
    s = s + term[i];                                                                      \
  }                                                                                       \
  for (int i = 0; i < N; i++) {                                                           \
    uint32_t a = agrees(term[i], s);                                                      \
    mixed = mixed + select_float(a, term[i]);                                             \
    weights = weights + select_float(a, w_[i]);                                           \
  }                                                                                       \
  s = unless_nan(s, MEAN ? divide_elected(mixed, weights) : mixed);

#define ELECTED_SUM(convert, N) TRIM_AND_ELECT(convert, N, 0)
#define ELECTED_MEAN(convert, N) TRIM_AND_ELECT(convert, N, 1)

static int add_up(const msmerge_tile *t, const msmerge_input *in, int64_t at, float *restrict out) { UNIFORM(ADD_UP) }

static int elected_sum(const msmerge_tile *t, const msmerge_input *in, int64_t at, const int32_t *limit,
                       float *restrict out) {
  UNIFORM(ELECTED_SUM)
}

static int elected_mean(const msmerge_tile *t, const msmerge_input *in, int64_t at, const int32_t *limit,
                        float *restrict out) {
  UNIFORM(ELECTED_MEAN)
}

// find_limits sets the limit of each model for one block, below every magnitude
// for a model that is not trimmed, and returns 0 if a model needs two.
FN int find_limits(const msmerge_tile *t, const msmerge_input *in, int64_t at, int32_t *limit) {
  for (int64_t i = 0; i < t->inputs; i++) {
    int32_t cut = cut_in_block(in[i].cut, t->first + at);
    limit[i] = -1;
    if (in[i].keep == MSMERGE_KEEP_MAGNITUDE) {
      limit[i] = in[i].threshold - (cut != 0);
      if (cut != 0 && cut != MSMERGE_BLOCK) {
        return 0;
      }
    }
  }
  return 1;
}

// uniform_block computes one whole block of a uniform tile, or returns 0 if it is
// a case for any_block.
static int uniform_block(const msmerge_tile *t, const msmerge_input *in, int64_t at, float *restrict out) {
  int32_t limit[MSMERGE_MAX_INPUTS];
  if (!t->elect) {
    return add_up(t, in, at, out);
  }
  if (!find_limits(t, in, at, limit)) {
    return 0;
  }
  return t->normalize ? elected_mean(t, in, at, limit, out) : elected_sum(t, in, at, limit, out);
}

// is_uniform reports what find_limits does not look at.
static int is_uniform(const msmerge_tile *t, const msmerge_input *in) {
  int uniform = t->elect || !t->normalize;
  for (int64_t i = 0; i < t->inputs; i++) {
    uniform &= in[i].x.dtype == t->base.dtype;
    uniform &= in[i].keep == MSMERGE_KEEP_ALL || (in[i].keep == MSMERGE_KEEP_MAGNITUDE && t->elect);
  }
  return uniform;
}

// any_block computes one block in all other cases, model after model.
static void any_block(const msmerge_tile *t, const msmerge_input *in, int64_t at, int64_t len, float *restrict out) {
  float base[MSMERGE_BLOCK], sum[MSMERGE_BLOCK], term[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK];
  float divisor = t->divisor, lambda = t->lambda;
  load_block(base, t->base, at, len);
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    sum[e] = NEUTRAL;
  }
  for (int64_t i = 0; i < t->inputs; i++) {
    add_term(&in[i], t->first, at, len, base, term[t->elect ? i : 0], sum);
  }
  if (t->elect) {
    elect_sign(in, term, sum, t->inputs, t->normalize);
  } else if (t->normalize) {
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      sum[e] = sum[e] / divisor;
    }
  }
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    out[e] = base[e] + lambda * sum[e];
  }
}

static void combine(msmerge_tile *t, const msmerge_input *in) {
  float out[MSMERGE_BLOCK];
  int uniform = is_uniform(t, in);
  for (int64_t at = 0; at < t->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(t->n, at);
    if (!(uniform && len == MSMERGE_BLOCK && uniform_block(t, in, at, out))) {
      any_block(t, in, at, len, out);
    }
    store_block(t, at, len, out);
  }
}
#endif

#endif
