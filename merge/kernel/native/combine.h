// combine: out = base + lambda * consensus of the weighted task vectors.
//
// Task arithmetic (Ilharco et al. 2023) adds them; TIES (Yadav et al. 2023)
// elects for each element the sign of their sum and adds those that have it, with
// normalize divided by the weights that took part.
//
// Here is one element of it, and any_block, which takes whatever there is, model
// after model. combine_pairs.h has the cases that are worth their own loops.
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
// Limits of one model for one block: magnitudes above limit and up to most are
// kept, for the first few elements those at them too.
typedef struct {
  int32_t limit, limit_cut, most, most_cut;
  int uniform;  // no element is among the first few
} limits;

FN void find_limit(int32_t *limit, int32_t *cut, msmerge_trim trim, int64_t first) {
  *limit = trim.threshold;
  *cut = cut_in_block(trim.cut, first);
  if (*cut == MSMERGE_BLOCK) {
    *limit -= 1;
    *cut = 0;
  }
}

// find_limits is for the block that begins with element first.
FN limits find_limits(const msmerge_input *in, int64_t first) {
  limits l = {.limit = -1, .most = INT32_MAX};
  if (in->keep == MSMERGE_KEEP_MAGNITUDE || in->keep == MSMERGE_KEEP_BAND) {
    find_limit(&l.limit, &l.limit_cut, in->kept, first);
  }
  if (in->keep == MSMERGE_KEEP_BAND) {
    find_limit(&l.most, &l.most_cut, in->dropped, first);
  }
  l.uniform = l.limit_cut == 0 && l.most_cut == 0;
  return l;
}

// find_marks marks what a random or given mask keeps of a block.
FN void find_marks(uint32_t *restrict marks, const msmerge_input *in, int64_t tile, int64_t at) {
  if (in->keep == MSMERGE_KEEP_RANDOM) {
    mark_random(marks, &in->mask, tile + at);
  } else if (in->keep == MSMERGE_KEEP_BITS) {
    mark_bits(marks, in->bits + at / 8);
  } else {
    memset(marks, 0xff, MARKS * sizeof *marks);
  }
}

FN int is_marked(const msmerge_input *in) { return in->keep == MSMERGE_KEEP_RANDOM || in->keep == MSMERGE_KEEP_BITS; }

// add_term fills term with the sparse, weighted task vector of one model in one
// block and adds it to sum.
FN void add_term(const msmerge_input *in, int64_t first, int64_t at, int64_t len, const float *restrict base,
                 float *restrict term, float *restrict sum) {
  padding pad;
  const void *src = block_of(in->x, at, len, &pad);
  float w = in->factor;
  limits l = find_limits(in, first + at);
  if (is_marked(in)) {
    uint32_t marks[MARKS], kept[MSMERGE_BLOCK];
    find_marks(marks, in, first, at);
    spread_marks(kept, marks);
    EACH_ELEMENT(in->x.dtype, src, {
      term[e] = w * float_of(bits_of(task_vector(x, base[e])) & kept[e]);
      sum[e] = sum[e] + term[e];
    })
  } else if (!l.uniform) {
    EACH_ELEMENT(in->x.dtype, src, {
      term[e] = w * keep_between(task_vector(x, base[e]), l.limit - (e < l.limit_cut), l.most - (e < l.most_cut));
      sum[e] = sum[e] + term[e];
    })
  } else if (in->keep != MSMERGE_KEEP_ALL) {
    EACH_ELEMENT(in->x.dtype, src, {
      term[e] = w * keep_between(task_vector(x, base[e]), l.limit, l.most);
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

// any_block computes one block in all cases.
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
#endif

#endif
