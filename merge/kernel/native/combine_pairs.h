// combine for bfloat16 models and output: all of a pair's work in registers, in
// one loop for each way of making task vectors sparse, consensus and number of
// models. A block whose result is not finite is left to any_block, and so are the
// cases without a loop: one sparse task vector, many models, a sum that is divided.
// Without wide vectors the loops gain little, and are left out.
#ifndef MSMERGE_COMBINE_PAIRS_H
#define MSMERGE_COMBINE_PAIRS_H

#include "combine.h"
#include "pairs.h"

// signed_as returns x where the sign bit is 0, and -x where it is 1.
FN float signed_as(float x, uint32_t sign) { return float_of(bits_of(x) ^ sign); }

// What elect_sign does, for finite terms: all terms are turned so that the elected
// sign is plus. Zero sums give +0, whose sign is the plus that a zero sum elects.
FN uint32_t elected_sign(float sum) { return bits_of(sum + 0.0f) & 0x80000000u; }

// LEAST_WEIGHT is below every weight that is not zero (see loop_for), so that it
// divides only the zero that is left where nothing agrees.
#define LEAST_WEIGHT 0x1p-126f

FN float at_least(float x, float least) {
  int32_t a = magnitude(x), b = magnitude(least);
  return float_of((uint32_t)(a > b ? a : b));
}

#ifndef MSMERGE_DEVICE
enum { SUM, ELECTED_SUM, ELECTED_MEAN };
enum { WHOLE, ABOVE, BETWEEN, MARKED };
enum { MAX_PAIRED = 5 };  // models

typedef struct {
  const any_u32 *x[MAX_PAIRED];
  float factor[MAX_PAIRED], weight[MAX_PAIRED];
  int32_t limit[MAX_PAIRED], most[MAX_PAIRED];
  uint32_t marks[MAX_PAIRED][LONG_BLOCK / 4];
} paired;

// add_up returns the sum of n terms.
FN float add_up(const float *term, int n) {
  float sum = term[0];
  for (int i = 1; i < n; i++) {
    sum = sum + term[i];
  }
  return sum;
}

// elect returns the sum of the terms with the elected sign, and their weights.
FN float elect(const float *term, const float *weight, int n, float *weights) {
  float sum = add_up(term, n), mixed = sum - sum, w = NEUTRAL;  // mixed is 0, or NaN if the sum is not finite
  uint32_t sign = elected_sign(sum);
  for (int i = 0; i < n; i++) {
    float turned = signed_as(term[i], sign);
    uint32_t agree = turned > 0.0f;
    mixed = mixed + select_float(agree, turned);
    w = w + select_float(agree, weight[i]);
  }
  *weights = w;
  return signed_as(mixed, sign);
}

FN float sparse(float d, int keep, int32_t limit, int32_t most, uint32_t word, uint32_t mark) {
  switch (keep) {
    case ABOVE:
      return keep_above(d, limit);
    case BETWEEN:
      return keep_between(d, limit, most);
    case MARKED:
      return keep_marked(d, word, mark);
  }
  return d;
}

// terms makes the task vectors of one half of a pair, of which the bases are base.
FN void terms(float *term, const paired *p, const uint32_t *pair, const uint32_t *word, float base, int n, int keep,
              uint32_t mark, float (*half_of)(uint32_t)) {
  for (int j = 0; j < n; j++) {
    float d = task_vector(half_of(pair[j]), base);
    term[j] = p->factor[j] * sparse(d, keep, p->limit[j], p->most[j], keep == MARKED ? word[j] : 0, mark);
  }
}

// combine_pair computes one pair, or with an election what its result is made of.
FN void combine_pair(const paired *p, const any_u32 *base, float lambda, int n, int keep, int how, int i, int marks_at,
                     uint32_t lower, uint32_t upper, uint32_t *restrict out, float (*restrict mixed)[PAIRS],
                     float (*restrict weights)[PAIRS]) {
  float a[MAX_PAIRED], b[MAX_PAIRED], base_a = lower_of(base[i]), base_b = upper_of(base[i]);
  uint32_t pair[MAX_PAIRED], word[MAX_PAIRED];
  for (int j = 0; j < n; j++) {
    pair[j] = p->x[j][i];
    word[j] = keep == MARKED ? p->marks[j][marks_at] : 0;
  }
  terms(a, p, pair, word, base_a, n, keep, lower, lower_of);
  terms(b, p, pair, word, base_b, n, keep, upper, upper_of);
  if (how == SUM) {
    out[i] = pair_of(base_a + lambda * add_up(a, n), base_b + lambda * add_up(b, n));
  } else {
    mixed[0][i] = elect(a, p->weight, n, &weights[0][i]);
    mixed[1][i] = elect(b, p->weight, n, &weights[1][i]);
  }
}

// combine_long computes a long block. With an election it takes two loops: the
// chain of operations up to the result is too long for the processor to have
// several under way.
FN void combine_long(const msmerge_tile *t, const paired *given, const any_u32 *base, uint32_t *restrict out, int n, int keep,
                     int how) {
  float lambda = t->lambda, mixed[2][PAIRS], weights[2][PAIRS];
  const paired *p = given;
  if (keep == MARKED) {
    for (int g = 0; g < PAIRS / 32; g++) {
#pragma GCC ivdep  // out is none of the models; gcc gives up where it has to check that for many
      for (int q = 0; q < 16; q++) {
        combine_pair(p, base, lambda, n, keep, how, 32 * g + q, 16 * g + q, 0x000000ffu, 0x0000ff00u, out, mixed, weights);
        combine_pair(p, base, lambda, n, keep, how, 32 * g + 16 + q, 16 * g + q, 0x00ff0000u, 0xff000000u, out, mixed, weights);
      }
    }
  } else {
    for (int i = 0; i < PAIRS; i++) {
      combine_pair(p, base, lambda, n, keep, how, i, 0, 0, 0, out, mixed, weights);
    }
  }
  for (int i = 0; how != SUM && i < PAIRS; i++) {
    float a = mixed[0][i], b = mixed[1][i];
    if (how == ELECTED_MEAN) {
      a = a / at_least(weights[0][i], LEAST_WEIGHT);
      b = b / at_least(weights[1][i], LEAST_WEIGHT);
    }
    out[i] = pair_of(lower_of(base[i]) + lambda * a, upper_of(base[i]) + lambda * b);
  }
}

typedef void block_loop(const msmerge_tile *, const paired *, const any_u32 *base, uint32_t *restrict out);

#if defined(__AVX2__) || !defined(__x86_64__)
#define LOOP(keep, how, n)                                                                              \
  static void loop_##keep##_##how##_##n(const msmerge_tile *t, const paired *p, const any_u32 *base,     \
                                        uint32_t *restrict out) {                                       \
    combine_long(t, p, base, out, n, keep, how);                                                         \
  }
#define LOOPS(keep, how) \
  LOOP(keep, how, 2)     \
  LOOP(keep, how, 3)     \
  LOOP(keep, how, 4)     \
  LOOP(keep, how, 5)
#define TABLE(keep, how) \
  [keep][how] = {NULL, loop_##keep##_##how##_2, loop_##keep##_##how##_3, loop_##keep##_##how##_4, loop_##keep##_##how##_5}

LOOP(WHOLE, SUM, 1)
LOOPS(WHOLE, SUM)
LOOPS(BETWEEN, SUM)
LOOPS(MARKED, SUM)
LOOPS(ABOVE, ELECTED_SUM)
LOOPS(ABOVE, ELECTED_MEAN)
LOOPS(BETWEEN, ELECTED_SUM)
LOOPS(BETWEEN, ELECTED_MEAN)
LOOPS(MARKED, ELECTED_SUM)
LOOPS(MARKED, ELECTED_MEAN)

static block_loop *const loops[4][3][MAX_PAIRED] = {
    [WHOLE][SUM] = {loop_WHOLE_SUM_1, loop_WHOLE_SUM_2, loop_WHOLE_SUM_3, loop_WHOLE_SUM_4, loop_WHOLE_SUM_5}, TABLE(BETWEEN, SUM),          TABLE(MARKED, SUM),
    TABLE(ABOVE, ELECTED_SUM),  TABLE(BETWEEN, ELECTED_SUM),  TABLE(MARKED, ELECTED_SUM),
    TABLE(ABOVE, ELECTED_MEAN), TABLE(BETWEEN, ELECTED_MEAN), TABLE(MARKED, ELECTED_MEAN),
};

#else
static block_loop *const loops[4][3][MAX_PAIRED] = {{{NULL}}};
#endif

// loop_for returns the loop for a tile, or NULL.
static block_loop *loop_for(const msmerge_tile *t, const msmerge_input *in, int *keep) {
  if (t->inputs > MAX_PAIRED || (t->normalize && !t->elect) || t->out_dtype != MSMERGE_BF16 || t->base.dtype != MSMERGE_BF16) {
    return NULL;
  }
  int how = !t->elect ? SUM : t->normalize ? ELECTED_MEAN : ELECTED_SUM;
  *keep = WHOLE;
  for (int64_t i = 0; i < t->inputs; i++) {
    int k = is_marked(&in[i]) ? MARKED : in[i].keep == MSMERGE_KEEP_BAND ? BETWEEN : in[i].keep == MSMERGE_KEEP_MAGNITUDE ? ABOVE : WHOLE;
    if (in[i].x.dtype != MSMERGE_BF16 || (k == MARKED && *keep != MARKED && *keep != WHOLE) || (*keep == MARKED && k != MARKED && k != WHOLE)) {
      return NULL;
    }
    if (how == ELECTED_MEAN && !(in[i].weight == 0.0f || in[i].weight >= 2 * LEAST_WEIGHT)) {
      return NULL;
    }
    *keep = k > *keep ? k : *keep;
  }
  if (t->elect && *keep == WHOLE) {
    *keep = ABOVE;  // above -1
  }
  if (!t->elect && *keep == ABOVE) {
    *keep = BETWEEN;
  }
  return loops[*keep][how][t->inputs - 1];
}

// prepare_long fills in what a loop needs, or returns 0 if a model needs two limits
// in this long block.
FN int prepare_long(paired *p, const msmerge_tile *t, const msmerge_input *in, int64_t at, int keep) {
  for (int64_t i = 0; i < t->inputs; i++) {
    p->x[i] = pairs_at(in[i].x.data, at);
    if (keep == MARKED) {
      for (int64_t b = 0; b < LONG_BLOCK; b += MSMERGE_BLOCK) {
        find_marks(p->marks[i] + b / 4, &in[i], t->first, at + b);
      }
    } else if (keep != WHOLE) {
      limits l = find_limits(&in[i], t->first + at), end = find_limits(&in[i], t->first + at + LONG_BLOCK - MSMERGE_BLOCK);
      p->limit[i] = l.limit;
      p->most[i] = l.most;
      if (!l.uniform || !end.uniform || l.limit != end.limit || l.most != end.most) {
        return 0;
      }
    }
  }
  return 1;
}

static void combine(msmerge_tile *t, const msmerge_input *in) {
  float out[MSMERGE_BLOCK];
  paired p;
  pairs result;
  int keep = 0;
  block_loop *loop = loop_for(t, in, &keep);
  for (int64_t i = 0; loop != NULL && i < t->inputs; i++) {
    p.factor[i] = in[i].factor;
    p.weight[i] = in[i].weight;
  }
  for (int64_t at = 0, len; at < t->n; at += len) {
    len = t->n - at < LONG_BLOCK ? t->n - at : LONG_BLOCK;
    if (loop != NULL && len == LONG_BLOCK && prepare_long(&p, t, in, at, keep)) {
      const any_u32 *base = pairs_at(t->base.data, at);
      loop(t, &p, base, result.word);
      if (!write_pairs((char *)t->out + 2 * at, &result, t->stream)) {
        continue;
      }
      finish_writing();  // before any_block writes it again
    }
    for (int64_t part = at; part < at + len; part += MSMERGE_BLOCK) {
      int64_t n = block_length(t->n, part);
      any_block(t, in, part, n, out);
      store_block(t, part, n, out);
    }
  }
  finish_writing();
}
#endif

#endif
