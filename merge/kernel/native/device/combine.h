// weighted_sum and combine, as in ../weighted_sum.h and ../combine.h.
#ifndef MSMERGE_DEVICE_COMBINE_H
#define MSMERGE_DEVICE_COMBINE_H

#include "../combine.h"
#include "../weighted_sum.h"
#include "draws.h"

FN void weighted_sum_at(msmerge_combine_arguments *a, int64_t i, int64_t dtype) {
  msmerge_tile *t = &a->t;
  EACH_PAIR(i, dtype, {
    two sum = {NEUTRAL, NEUTRAL};
    for (int64_t m = 0; m < t->inputs; m++) {
      two x = load_two(a->in[m].x, e, dtype);
      sum.lower = add(sum.lower, weigh(a->in[m].weight, x.lower));
      sum.upper = add(sum.upper, weigh(a->in[m].weight, x.upper));
    }
    store_two(t, e, sum);
  })
}

TYPED_ENTRIES(weighted_sum, msmerge_combine_arguments)

// kept_at returns what a model keeps of an element of the tensor, whose mark says
// whether a mask keeps it.
FN float kept_at(const msmerge_input *in, int64_t number, uint32_t mark, float d) {
  switch (in->keep) {
    case MSMERGE_KEEP_MAGNITUDE:
      return keep_above(d, in->kept.threshold - (number < in->kept.cut));
    case MSMERGE_KEEP_BAND:
      return keep_between(d, in->kept.threshold - (number < in->kept.cut), in->dropped.threshold - (number < in->dropped.cut));
    case MSMERGE_KEEP_RANDOM:
    case MSMERGE_KEEP_BITS:
      return select_float(mark, d);
  }
  return d;
}

// terms_at fills term with the sparse, weighted task vectors of a pair.
FN void terms_at(const msmerge_combine_arguments *a, int64_t n, int64_t e, int r, int64_t dtype, two base, const marks *mark, two *term) {
  int64_t number = a->t.first + e;
  for (int64_t m = 0; m < n; m++) {
    const msmerge_input *in = &a->in[m];
    two x = load_two(in->x, e, dtype);
    uint32_t both = marks_of(mark[m], r);
    term[m].lower = in->factor * kept_at(in, number, both & 1u, task_vector(x.lower, base.lower));
    term[m].upper = in->factor * kept_at(in, number + 1, both >> 1, task_vector(x.upper, base.upper));
  }
}

// mixed_at returns the consensus of one element's terms, of which every second
// float belongs to it.
FN float mixed_at(const msmerge_combine_arguments *a, int64_t n, const float *term) {
  const msmerge_tile *t = &a->t;
  float sum = NEUTRAL, mixed = 0, divisor = 0;
  for (int64_t m = 0; m < n; m++) {
    sum = sum + term[2 * m];
  }
  if (!t->elect) {
    return t->normalize ? sum / t->divisor : sum;
  }
  for (int64_t m = 0; m < n; m++) {
    uint32_t yes = agrees(term[2 * m], sum);
    mixed = mixed + select_float(yes, term[2 * m]);
    divisor = divisor + select_float(yes, a->in[m].weight);
  }
  if (t->normalize) {
    mixed = divide_elected(mixed, divisor);
  }
  return unless_nan(sum, mixed);
}

FN void combine_at(msmerge_combine_arguments *a, int64_t i, int64_t dtype) {
  msmerge_tile *t = &a->t;
  FOR_MODELS(t->inputs, dtype, {
    marks mark[MODELS];
    two term[MODELS];
    for (int64_t m = 0; m < models; m++) {
      mark[m] = find_marks_of(&a->in[m], t->first, i);
    }
    EACH_PAIR(i, dtype, {
      two base = load_two(t->base, e, dtype), out;
      terms_at(a, models, e, r, dtype, base, mark, term);
      out.lower = base.lower + t->lambda * mixed_at(a, models, &term[0].lower);
      out.upper = base.upper + t->lambda * mixed_at(a, models, &term[0].upper);
      store_two(t, e, out);
    })
  })
}

TYPED_ENTRIES(combine, msmerge_combine_arguments)

#endif
