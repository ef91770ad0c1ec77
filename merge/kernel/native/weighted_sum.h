// weighted_sum: out = w1 x1 + w2 x2 + ..., added in the order of the inputs.
// Serves linear without normalisation, slerp (whose two coefficients are scalars
// of the whole tensor) and passthrough.
#ifndef MSMERGE_WEIGHTED_SUM_H
#define MSMERGE_WEIGHTED_SUM_H

#include "pairs.h"

FN float weigh(float weight, float x) { return weight * x; }

FN float add(float a, float b) { return a + b; }

#ifndef MSMERGE_DEVICE
enum { MAX_WEIGHED = 5 };  // models that have a loop of their own

FN void weigh_pairs(const msmerge_input *in, int64_t at, uint32_t *restrict out, int n) {
  const any_u32 *x[MAX_WEIGHED];
  float w[MAX_WEIGHED];
  for (int j = 0; j < n; j++) {
    x[j] = pairs_at(in[j].x.data, at);
    w[j] = in[j].weight;
  }
  for (int i = 0; i < PAIRS; i++) {
    float a = weigh(w[0], lower_of(x[0][i])), b = weigh(w[0], upper_of(x[0][i]));
    for (int j = 1; j < n; j++) {
      a = add(a, weigh(w[j], lower_of(x[j][i])));
      b = add(b, weigh(w[j], upper_of(x[j][i])));
    }
    out[i] = pair_of(a, b);
  }
}

// weigh_block computes a long block of bfloat16 models, or returns 0 if they are too
// many.
static int weigh_block(const msmerge_input *in, int64_t at, int64_t n, pairs *out) {
  switch (n) {
    case 1:
      weigh_pairs(in, at, out->word, 1);
      break;
    case 2:
      weigh_pairs(in, at, out->word, 2);
      break;
    case 3:
      weigh_pairs(in, at, out->word, 3);
      break;
    case 4:
      weigh_pairs(in, at, out->word, 4);
      break;
    case 5:
      weigh_pairs(in, at, out->word, 5);
      break;
    default:
      return 0;
  }
  return 1;
}

// weigh_any computes the block that begins with element at in all cases.
static void weigh_any(msmerge_tile *t, const msmerge_input *in, int64_t at) {
  float sum[MSMERGE_BLOCK];
  padding pad;
  int64_t len = block_length(t->n, at);
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    sum[e] = NEUTRAL;
  }
  for (int64_t i = 0; i < t->inputs; i++) {
    const void *src = block_of(in[i].x, at, len, &pad);
    float w = in[i].weight;
    EACH_ELEMENT(in[i].x.dtype, src, { sum[e] = add(sum[e], weigh(w, x)); })
  }
  store_block(t, at, len, sum);
}

// copy_model copies a model as it is. Where anything is not finite, it is written
// once more and counted.
static void copy_model(msmerge_tile *t, const msmerge_input *in, exponents x) {
  int64_t size = element_size(t->out_dtype);
  for (int64_t at = 0, len; at < t->n; at += len) {
    len = t->n - at < COPY_BYTES / size ? t->n - at : COPY_BYTES / size;
    if (len * size == COPY_BYTES) {
      if (copy_finite((char *)t->out + at * size, (const char *)in->x.data + at * size, x, t->stream)) {
        continue;
      }
      finish_writing();
    }
    for (int64_t part = at; part < at + len; part += MSMERGE_BLOCK) {
      weigh_any(t, in, part);
    }
  }
  finish_writing();
}

static void weighted_sum(msmerge_tile *t, const msmerge_input *in) {
  pairs out;
  exponents x;
  if (t->inputs == 1 && in->weight == 1.0f && in->x.dtype == t->out_dtype && exponents_of(t->out_dtype, &x)) {
    copy_model(t, in, x);
    return;
  }
  int paired = t->out_dtype == MSMERGE_BF16;
  for (int64_t i = 0; i < t->inputs; i++) {
    paired &= in[i].x.dtype == MSMERGE_BF16;
  }
  for (int64_t at = 0, len; at < t->n; at += len) {
    len = t->n - at < LONG_BLOCK ? t->n - at : LONG_BLOCK;
    if (paired && len == LONG_BLOCK && weigh_block(in, at, t->inputs, &out)) {
      if (!write_pairs((char *)t->out + 2 * at, &out, t->stream)) {
        continue;
      }
      finish_writing();  // before it is written again, with what is not finite counted
    }
    for (int64_t part = at; part < at + len; part += MSMERGE_BLOCK) {
      weigh_any(t, in, part);
    }
  }
  finish_writing();
}
#endif

#endif
