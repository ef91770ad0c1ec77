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

// elect_n replaces sum by the sum of the terms that agree with it, divided by
// their weights when asked to. With n and normalize constant it is one loop that
// keeps its sums in registers.
FN void elect_n(const msmerge_input *in, float term[][MSMERGE_BLOCK], float *restrict sum, int n, int normalize) {
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    float mixed = 0, divisor = 0;
    for (int i = 0; i < n; i++) {
      uint32_t a = agrees(term[i][e], sum[e]);
      mixed = mixed + select_float(a, term[i][e]);
      divisor = divisor + select_float(a, in[i].weight);
    }
    if (normalize) {
      mixed = divide_elected(mixed, divisor);
    }
    sum[e] = unless_nan(sum[e], mixed);
  }
}

// elect_many does the same for any number of models, one after the other.
static void elect_many(const msmerge_input *in, float term[][MSMERGE_BLOCK], float *restrict sum, int64_t n, int normalize) {
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

static void elect_sign(const msmerge_input *in, float term[][MSMERGE_BLOCK], float *restrict sum, int64_t n, int normalize) {
  switch (2 * n + (normalize != 0)) {
    case 4:
      elect_n(in, term, sum, 2, 0);
      break;
    case 5:
      elect_n(in, term, sum, 2, 1);
      break;
    case 6:
      elect_n(in, term, sum, 3, 0);
      break;
    case 7:
      elect_n(in, term, sum, 3, 1);
      break;
    case 8:
      elect_n(in, term, sum, 4, 0);
      break;
    case 9:
      elect_n(in, term, sum, 4, 1);
      break;
    default:
      elect_many(in, term, sum, n, normalize);
  }
}

// PLAIN_SUM adds the task vectors of N models of one type in one loop that keeps
// its sums in registers.
#define PLAIN_SUM(type, convert, N)                                       \
  {                                                                       \
    const type *b_ = (const type *)t->base.data + at;                     \
    const type *x_[N];                                                    \
    float w_[N];                                                          \
    for (int i = 0; i < N; i++) {                                         \
      x_[i] = (const type *)in[i].x.data + at;                            \
      w_[i] = in[i].weight;                                               \
    }                                                                     \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {                             \
      float b = convert(b_[e]), s = NEUTRAL;                              \
      for (int i = 0; i < N; i++) {                                       \
        s = s + w_[i] * task_vector(convert(x_[i][e]), b);                \
      }                                                                   \
      base[e] = b;                                                        \
      sum[e] = s;                                                         \
    }                                                                     \
    return 1;                                                             \
  }

#define PLAIN_SUMS(type, convert)       \
  switch (t->inputs) {                  \
    case 1:                             \
      PLAIN_SUM(type, convert, 1)       \
    case 2:                             \
      PLAIN_SUM(type, convert, 2)       \
    case 3:                             \
      PLAIN_SUM(type, convert, 3)       \
    case 4:                             \
      PLAIN_SUM(type, convert, 4)       \
  }

// plain_sum fills base and sum for one block and returns 1 if the tile is a case
// that it knows.
FN int plain_sum(const msmerge_tile *t, const msmerge_input *in, int64_t at, float *restrict base, float *restrict sum) {
  switch (t->base.dtype) {
    case MSMERGE_BF16:
      PLAIN_SUMS(any_u16, load_bf16)
      break;
    case MSMERGE_F16:
      PLAIN_SUMS(any_u16, load_f16)
      break;
    case MSMERGE_F32:
      PLAIN_SUMS(any_f32, )
      break;
  }
  return 0;
}

// is_plain reports whether all models are of the base's type, complete, and only
// added.
static int is_plain(const msmerge_tile *t, const msmerge_input *in) {
  int plain = !t->elect;
  for (int64_t i = 0; i < t->inputs; i++) {
    plain &= in[i].keep == MSMERGE_KEEP_ALL && in[i].x.dtype == t->base.dtype;
  }
  return plain;
}

// sum_terms fills base and sum for one block in all other cases.
static void sum_terms(const msmerge_tile *t, const msmerge_input *in, int64_t at, int64_t len, float *restrict base,
                      float *restrict sum) {
  float term[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK];
  load_block(base, t->base, at, len);
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    sum[e] = NEUTRAL;
  }
  for (int64_t i = 0; i < t->inputs; i++) {
    add_term(&in[i], t->first, at, len, base, term[t->elect ? i : 0], sum);
  }
  if (t->elect) {
    elect_sign(in, term, sum, t->inputs, t->normalize);
  }
}

static void combine(msmerge_tile *t, const msmerge_input *in) {
  float base[MSMERGE_BLOCK], sum[MSMERGE_BLOCK];
  float divisor = t->divisor, lambda = t->lambda;
  int plain = is_plain(t, in);
  for (int64_t at = 0; at < t->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(t->n, at);
    if (!(plain && len == MSMERGE_BLOCK && plain_sum(t, in, at, base, sum))) {
      sum_terms(t, in, at, len, base, sum);
    }
    if (t->normalize && !t->elect) {
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        sum[e] = sum[e] / divisor;
      }
    }
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      sum[e] = base[e] + lambda * sum[e];
    }
    store_block(t, at, len, sum);
  }
}
#endif

#endif
