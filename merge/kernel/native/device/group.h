// Operations on several models, element by element: as in ../nearswap.h, ../fuse.h,
// ../sce.h, ../ram.h and ../combine_lines.h.
#ifndef MSMERGE_DEVICE_GROUP_H
#define MSMERGE_DEVICE_GROUP_H

#include "../combine_lines.h"
#include "../fuse.h"
#include "../group.h"
#include "../nearswap.h"
#include "../ram.h"
#include "../sce.h"
#include "lanes.h"

// line_of returns the number of an element's line, behind the last element some line.
FN int64_t line_of(const msmerge_group *g, int64_t e) {
  int64_t number = g->first + (e < g->n ? e : 0);
  return g->along_columns ? number % g->columns : number / g->columns;
}

// A model's values of a pair, and what they are apart from the base where there is
// one.
FN two base_at(const msmerge_group *g, int64_t e, int64_t dtype) {
  two none = {0, 0};
  return g->base.data != 0 ? load_two(g->base, e, dtype) : none;
}

FN void deltas_at(const msmerge_group *g, int64_t n, int64_t e, int64_t dtype, two base, float *lower, float *upper) {
  int apart = g->base.data != 0;
  for (int64_t i = 0; i < n; i++) {
    two x = load_two(g->x[i], e, dtype);
    lower[i] = apart ? task_vector(x.lower, base.lower) : x.lower;
    upper[i] = apart ? task_vector(x.upper, base.upper) : x.upper;
  }
}

// EACH_RESULT writes the result, an expression of b, the task vectors d and the
// number at of an element, for all elements of thread i; see FOR_MODELS.
#define EACH_RESULT(a, i, dtype, ...)                                 \
  EACH_PAIR(i, dtype, {                                               \
    float lower_[MODELS], upper_[MODELS];                             \
    two base_ = base_at(&(a)->g, e, dtype), out_;                     \
    deltas_at(&(a)->g, models, e, dtype, base_, lower_, upper_);      \
    {                                                                 \
      float b = base_.lower, *d = lower_;                             \
      int64_t at = e;                                                 \
      (void)at;                                                       \
      out_.lower = __VA_ARGS__;                                       \
    }                                                                 \
    {                                                                 \
      float b = base_.upper, *d = upper_;                             \
      int64_t at = e + 1;                                             \
      (void)at;                                                       \
      out_.upper = __VA_ARGS__;                                       \
    }                                                                 \
    store_two(&(a)->t, e, out_);                                      \
  })

FN void nearswap_at(msmerge_group_arguments *a, int64_t i, int64_t dtype) {
  const msmerge_group *g = &a->g;
  msmerge_tile *t = &a->t;
  EACH_PAIR(i, dtype, {
    two x = load_two(g->base, e, dtype), y = load_two(g->x[0], e, dtype), out;
    if (g->threshold < 0) {
      out.lower = swap_nearest(x.lower, y.lower, g->near, g->slope);
      out.upper = swap_nearest(x.upper, y.upper, g->near, g->slope);
    } else {
      out.lower = swap_near(x.lower, y.lower, g->near, g->threshold);
      out.upper = swap_near(x.upper, y.upper, g->near, g->threshold);
    }
    store_two(t, e, out);
  })
}

TYPED_ENTRIES(nearswap, msmerge_group_arguments)

FN void fuse_at(msmerge_group_arguments *a, int64_t i, int64_t dtype) {
  enum { MODELS = 1 };
  const int64_t models = 1;
  EACH_RESULT(a, i, dtype, fuse_element(b, d[0], a->g.line_value[line_of(&a->g, at)], a->g.limit))
}

TYPED_ENTRIES(fuse, msmerge_group_arguments)

// lined_at adds up one element of the models, each with the weight of its line.
FN float lined_at(const msmerge_group *g, int64_t models, float b, const float *d, int64_t e) {
  int64_t line = line_of(g, e);
  float sum = NEUTRAL;
  for (int64_t i = 0; i < models; i++) {
    sum = add(sum, weigh(g->line_value[i * g->lines + line], d[i]));
  }
  return g->base.data != 0 ? add(b, sum) : sum;
}

FN void combine_lines_at(msmerge_group_arguments *a, int64_t i, int64_t dtype) {
  FOR_MODELS(a->g.inputs, dtype, EACH_RESULT(a, i, dtype, lined_at(&a->g, models, b, d, at)))
}

TYPED_ENTRIES(combine_lines, msmerge_group_arguments)

FN int32_t limit_of(const msmerge_group *g, int64_t e) { return g->threshold - (g->first + e < g->cut); }

FN void sce_at(msmerge_group_arguments *a, int64_t i, int64_t dtype) {
  float share = 1.0f / (float)a->g.inputs;
  const float *c = a->g.model_value;
  if (a->g.trimmed) {
    FOR_MODELS(a->g.inputs, dtype, EACH_RESULT(a, i, dtype, erase_selected(models, b, d, c, share, limit_of(&a->g, at))))
  } else {
    FOR_MODELS(a->g.inputs, dtype, EACH_RESULT(a, i, dtype, erase(models, b, d, c)))
  }
}

TYPED_ENTRIES(sce, msmerge_group_arguments)

FN void ram_at(msmerge_group_arguments *a, int64_t i, int64_t dtype) {
  int32_t limit = a->g.threshold;
  const float *alone = a->g.model_value;
  if (alone != 0) {
    FOR_MODELS(a->g.inputs, dtype, EACH_RESULT(a, i, dtype, share_or_amplify(models, b, d, limit, alone)))
  } else {
    FOR_MODELS(a->g.inputs, dtype, EACH_RESULT(a, i, dtype, share_active(models, b, d, limit)))
  }
}

TYPED_ENTRIES(ram, msmerge_group_arguments)

// delta_one is the task vector, or the value, of one element of a model.
FN float delta_one(const msmerge_group *g, int64_t i, int64_t e) {
  float x = load_one(g->x[i], e, ANY);
  return g->base.data != 0 ? task_vector(x, load_one(g->base, e, ANY)) : x;
}

// count_active: a thread has one lane of a block.
FN void count_active_at(msmerge_group_arguments *a, int64_t i) {
  const msmerge_group *g = &a->g;
  int64_t *counts = a->counts + i % MSMERGE_SLOTS * 2 * g->inputs;
  for (int64_t m = 0; m < g->inputs; m++) {
    int64_t alone = 0, shared = 0;
    for (int k = 0; k < OF_LANE; k++) {
      int64_t e = element_of_lane(i, k);
      if (e >= g->n) {
        break;
      }
      int32_t count = 0, own = 0;
      for (int64_t j = 0; j < g->inputs; j++) {
        int32_t active = (int32_t)is_active(delta_one(g, j, e), g->threshold);
        count += active;
        own = j == m ? active : own;
      }
      alone += own & (count == 1);
      shared += own & (count > 1);
    }
    add_count(&counts[2 * m], alone);
    add_count(&counts[2 * m + 1], shared);
  }
}

ENTRY(count_active, msmerge_group_arguments)

// squares: a thread has one lane of a block of one model.
FN void squares_at(msmerge_group_arguments *a, int64_t i) {
  const msmerge_group *g = &a->g;
  int64_t n = g->inputs, lanes = i / n, m = i % n;
  float d[MSMERGE_MAX_INPUTS], share = 1.0f / (float)n;
  double sum = 0;
  for (int k = 0; k < OF_LANE; k++) {
    int64_t e = element_of_lane(lanes, k);
    if (e >= g->n) {
      break;
    }
    if (g->trimmed) {
      for (int64_t j = 0; j < n; j++) {
        d[j] = delta_one(g, j, e);
      }
      keep_score(n, d, share, limit_of(g, e));
      sum += (double)d[m] * (double)d[m];
    } else {
      double x = delta_one(g, m, e);
      sum += x * x;
    }
  }
  a->lanes[(lanes / MSMERGE_LANES * n + m) * MSMERGE_LANES + lanes % MSMERGE_LANES] = sum;
}

ENTRY(squares, msmerge_group_arguments)

#endif
