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
// sign is plus. A NaN among the terms stays one. Zero sums give +0, whose sign is
// the plus that a zero sum elects.
FN float positive(float x) { return x < 0.0f ? 0.0f : x; }

FN uint32_t elected_sign(float sum) { return bits_of(sum + 0.0f) & 0x80000000u; }

// least_weight is below every weight that is not zero (see fits_pairs), so that it
// divides only the zero that is left where nothing agrees.
#define LEAST_WEIGHT 0x1p-126f

FN float at_least(float x, float least) { return x > least ? x : least; }

#ifndef MSMERGE_DEVICE
enum { SUM, ELECTED_SUM, ELECTED_MEAN };
enum { WHOLE, ABOVE, BETWEEN, MARKED };
enum { MAX_PAIRED = 5 };  // models

typedef struct {
  const any_u32 *x[MAX_PAIRED];
  float factor[MAX_PAIRED], weight[MAX_PAIRED];
  int32_t limit[MAX_PAIRED], most[MAX_PAIRED];
  uint32_t marks[MAX_PAIRED][MARKS];
} paired;

// join returns the consensus of n terms.
FN float join(const float *term, const float *weight, int n, int how) {
  float sum = term[0];
  for (int i = 1; i < n; i++) {
    sum = sum + term[i];
  }
  if (how == SUM) {
    return sum;
  }
  uint32_t sign = elected_sign(sum);
  float mixed = 0.0f, weights = 0.0f;
  for (int i = 0; i < n; i++) {
    float turned = signed_as(term[i], sign);
    mixed = mixed + positive(turned);
    weights = weights + (turned > 0.0f ? weight[i] : 0.0f);
  }
  if (how == ELECTED_MEAN) {
    mixed = mixed / at_least(weights, LEAST_WEIGHT);
  }
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

// combine_words is the loop over count pairs from number from on; lower and upper
// mark an element in its word of marks, of which the first is number at.
FN void combine_words(const msmerge_tile *t, const paired *p, const any_u32 *base, uint32_t *restrict out, int n, int keep,
                      int how, int from, int count, int at, uint32_t lower, uint32_t upper) {
  float lambda = t->lambda;
  for (int i = 0; i < count; i++) {
    float a[MAX_PAIRED], b[MAX_PAIRED], base_a = lower_of(base[from + i]), base_b = upper_of(base[from + i]);
    for (int j = 0; j < n; j++) {
      uint32_t pair = p->x[j][from + i], word = keep == MARKED ? p->marks[j][at + i] : 0;
      a[j] = p->factor[j] * sparse(task_vector(lower_of(pair), base_a), keep, p->limit[j], p->most[j], word, lower);
      b[j] = p->factor[j] * sparse(task_vector(upper_of(pair), base_b), keep, p->limit[j], p->most[j], word, upper);
    }
    out[from + i] = pair_of(base_a + lambda * join(a, p->weight, n, how),
                            base_b + lambda * join(b, p->weight, n, how));
  }
}

FN void combine_some(const msmerge_tile *t, const paired *p, const any_u32 *base, uint32_t *restrict out, int n, int keep, int how) {
  if (keep != MARKED) {
    combine_words(t, p, base, out, n, keep, how, 0, PAIRS, 0, 0, 0);
    return;
  }
  for (int r = 0; r < 8; r += 2) {
    combine_words(t, p, base, out, n, keep, how, 16 * r, 16, 8 * r, 0x000000ffu, 0x0000ff00u);
    combine_words(t, p, base, out, n, keep, how, 16 * r + 16, 16, 8 * r, 0x00ff0000u, 0xff000000u);
  }
}

typedef void block_loop(const msmerge_tile *, const paired *, const any_u32 *base, uint32_t *restrict out);

#if defined(__AVX2__) || !defined(__x86_64__)
#define LOOP(keep, how, n)                                                                              \
  static void loop_##keep##_##how##_##n(const msmerge_tile *t, const paired *p, const any_u32 *base,     \
                                        uint32_t *restrict out) {                                       \
    paired q = *p;                                                                                       \
    combine_some(t, &q, base, out, n, keep, how);                                                        \
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

// prepare_block fills in what a loop needs, or returns 0 if a model needs two
// limits in this block.
FN int prepare_block(paired *p, const msmerge_tile *t, const msmerge_input *in, int64_t at, int keep) {
  for (int64_t i = 0; i < t->inputs; i++) {
    p->x[i] = pairs_at(in[i].x.data, at);
    read_ahead((const char *)p->x[i], 2 * MSMERGE_BLOCK);
    if (keep == MARKED) {
      find_marks(p->marks[i], &in[i], t->first, at);
    } else if (keep != WHOLE) {
      limits l = find_limits(&in[i], t->first + at);
      p->limit[i] = l.limit;
      p->most[i] = l.most;
      if (!l.uniform) {
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
  for (int64_t at = 0; at < t->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(t->n, at);
    if (loop != NULL && len == MSMERGE_BLOCK && prepare_block(&p, t, in, at, keep)) {
      const any_u32 *base = pairs_at(t->base.data, at);
      read_ahead((const char *)base, 2 * MSMERGE_BLOCK);
      loop(t, &p, base, result.word);
      if (!has_special(&result)) {
        write_lines((char *)t->out + 2 * at, (const char *)result.word, sizeof result, t->stream);
        continue;
      }
    }
    any_block(t, in, at, len, out);
    store_block(t, at, len, out);
  }
  finish_writing();
}
#endif

#endif
