// What operations on groups share: blocks of task vectors, loops that know the
// number of models, and the number of an element's line.
#ifndef MSMERGE_GROUP_BLOCK_H
#define MSMERGE_GROUP_BLOCK_H

#include "combine.h"

#ifndef MSMERGE_DEVICE
#include "group.h"
#include "pairs.h"

enum { FEW_MODELS = 5 };  // of which operations have loops of their own

// BY_FEW instantiates f for each number of few models as a constant, so that its
// loops over models unroll.
#define BY_FEW(f, n, ...) \
  switch (n) {            \
    case 1:               \
      f(1, __VA_ARGS__);  \
      break;              \
    case 2:               \
      f(2, __VA_ARGS__);  \
      break;              \
    case 3:               \
      f(3, __VA_ARGS__);  \
      break;              \
    case 4:               \
      f(4, __VA_ARGS__);  \
      break;              \
    case FEW_MODELS:      \
      f(5, __VA_ARGS__);  \
      break;              \
  }

// BY_COUNT does the same, and instantiates f once for a larger number.
#define BY_COUNT(f, n, ...)    \
  if ((n) <= FEW_MODELS) {     \
    BY_FEW(f, n, __VA_ARGS__)  \
  } else {                     \
    f(n, __VA_ARGS__);         \
  }

// load_group fills d with one block of each model, as task vectors if there is a
// base. It is called, not copied into every loop.
static __attribute__((noinline)) void load_group(const msmerge_group *g, int64_t at, int64_t len, float *restrict base, float d[][MSMERGE_BLOCK]) {
  padding pad;
  if (g->base.data == NULL) {
    for (int64_t i = 0; i < g->inputs; i++) {
      load_block(d[i], g->x[i], at, len);
    }
    return;
  }
  load_block(base, g->base, at, len);
  for (int64_t i = 0; i < g->inputs; i++) {
    const void *src = block_of(g->x[i], at, len, &pad);
    float *restrict to = d[i];
    EACH_ELEMENT(g->x[i].dtype, src, { to[e] = task_vector(x, base[e]); })
  }
}

// A group is uniform when its base and all models are of one of the types that
// models come in.
FN int is_uniform_group(const msmerge_group *g) {
  int uniform = g->base.data != NULL && (g->base.dtype == MSMERGE_BF16 || g->base.dtype == MSMERGE_F32);
  for (int64_t i = 0; i < g->inputs; i++) {
    uniform &= g->x[i].dtype == g->base.dtype;
  }
  return uniform;
}

#define EACH_UNIFORM_DELTA(type, convert, n, g, at, BODY)                      \
  {                                                                            \
    const type *b_ = (const type *)g->base.data + at, *x_[MSMERGE_MAX_INPUTS]; \
    for (int i = 0; i < n; i++) {                                              \
      x_[i] = (const type *)g->x[i].data + at;                                 \
    }                                                                          \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {                                  \
      float b = convert(b_[e]), d[MSMERGE_MAX_INPUTS];                         \
      for (int i = 0; i < n; i++) {                                            \
        d[i] = task_vector(convert(x_[i][e]), b);                              \
      }                                                                        \
      BODY                                                                     \
    }                                                                          \
  }

// EACH_DELTA runs BODY for every element e of a block, with its value b in the base
// and the task vectors d[0] to d[n - 1]. In whole blocks of a uniform group all of
// an element's work is done in registers.
#define EACH_DELTA(n, g, at, len, uniform, BODY)                       \
  if (uniform && len == MSMERGE_BLOCK) {                               \
    switch (g->base.dtype) {                                           \
      case MSMERGE_BF16:                                               \
        EACH_UNIFORM_DELTA(any_u16, load_bf16, n, g, at, BODY)         \
        break;                                                         \
      default:                                                         \
        EACH_UNIFORM_DELTA(any_f32, , n, g, at, BODY)                  \
    }                                                                  \
  } else {                                                             \
    float base_[MSMERGE_BLOCK], d_[MSMERGE_MAX_INPUTS][MSMERGE_BLOCK]; \
    load_group(g, at, len, base_, d_);                                 \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {                          \
      float b = base_[e], d[MSMERGE_MAX_INPUTS];                       \
      for (int i = 0; i < n; i++) {                                    \
        d[i] = d_[i][e];                                               \
      }                                                                \
      BODY                                                             \
    }                                                                  \
  }

// A tile is paired when its models and its output are bfloat16, and the models few
// enough for loops of their own (see BY_COUNT).
FN int is_paired_tile(const msmerge_tile *t, const msmerge_group *g) {
  return is_uniform_group(g) && g->base.dtype == MSMERGE_BF16 && t->out_dtype == MSMERGE_BF16 && g->inputs <= FEW_MODELS;
}

// HALF_OF_PAIR computes RESULT for one half of pair i_.
#define HALF_OF_PAIR(r, models, half_of, RESULT)        \
  {                                                     \
    float b = half_of(base_[i_]);                       \
    float x[MSMERGE_MAX_INPUTS], d[MSMERGE_MAX_INPUTS]; \
    for (int i = 0; i < models; i++) {                  \
      x[i] = half_of(x_[i][i_]);                        \
      d[i] = task_vector(x[i], b);                      \
    }                                                   \
    (void)d;                                            \
    r = RESULT;                                         \
  }

// WRITE_TILE writes a tile. In long blocks of a paired tile where WHEN holds it
// writes RESULT, an expression of the value b of an element in the base, x[i] in
// the models and the task vectors d[i]; all other blocks, of which number and
// length are at and len, are left to REST.
#define WRITE_TILE(t, g, models, WHEN, RESULT, REST)                                  \
  {                                                                                   \
    pairs word_;                                                                      \
    int paired_ = is_paired_tile(t, g);                                               \
    for (int64_t from = 0, size_; from < g->n; from += size_) {                       \
      size_ = g->n - from < LONG_BLOCK ? g->n - from : LONG_BLOCK;                    \
      if (paired_ && size_ == LONG_BLOCK && (WHEN)) {                                 \
        const any_u32 *base_ = pairs_at(g->base.data, from), *x_[MSMERGE_MAX_INPUTS]; \
        for (int i = 0; i < models; i++) {                                            \
          x_[i] = pairs_at(g->x[i].data, from);                                       \
        }                                                                             \
        for (int i_ = 0; i_ < PAIRS; i_++) {                                          \
          float lower_, upper_;                                                       \
          HALF_OF_PAIR(lower_, models, lower_of, RESULT)                              \
          HALF_OF_PAIR(upper_, models, upper_of, RESULT)                              \
          word_.word[i_] = pair_of(lower_, upper_);                                   \
        }                                                                             \
        if (!write_pairs((char *)t->out + 2 * from, &word_, t->stream)) {             \
          continue;                                                                   \
        }                                                                             \
        finish_writing(); /* before it is written again */                            \
      }                                                                               \
      for (int64_t at = from; at < from + size_; at += MSMERGE_BLOCK) {               \
        int64_t len = block_length(g->n, at);                                         \
        REST                                                                          \
      }                                                                               \
    }                                                                                 \
    finish_writing();                                                                 \
  }

// line_values spreads the numbers of one model's lines over a block.
FN void line_values(const msmerge_group *g, const float *restrict of_line, int64_t at, int64_t len, float *restrict out) {
  int64_t number = g->first + at, row = number / g->columns, column = number % g->columns;
  for (int64_t e = 0; e < len;) {
    int64_t run = g->columns - column < len - e ? g->columns - column : len - e;
    if (g->along_columns) {
      memcpy(out + e, of_line + column, (size_t)run * sizeof *out);
    } else {
      float value = of_line[row];
      for (int64_t i = 0; i < run; i++) {
        out[e + i] = value;
      }
    }
    e += run;
    row++;
    column = 0;
  }
  for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
    out[e] = 0;
  }
}
#endif

#endif
