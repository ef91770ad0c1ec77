// divergence: how far each row of one model, seen as a distribution, is from that
// of another.
//
//   p = softmax(x) + 1e-8, q = softmax(base) + 1e-8, KL = sum of p ln(p/q)
//
// In float64: between models that lie near each other the terms of the sum nearly
// cancel.
#ifndef MSMERGE_DIVERGENCE_H
#define MSMERGE_DIVERGENCE_H

#include "exponential.h"
#include "group_block.h"
#include "reduce.h"

FN double smooth(double x) { return x + 1e-8; }

FN double divergence_term(double p, double q) { return p * logarithm(p / q); }

#ifndef MSMERGE_DEVICE
FN double largest(msmerge_view v, int64_t begin, int64_t end) {
  float x[MSMERGE_BLOCK], top[MSMERGE_LANES];
  load_block(x, v, begin, block_length(end, begin));
  for (int j = 0; j < MSMERGE_LANES; j++) {
    top[j] = x[0];
  }
  for (int64_t at = begin; at < end; at += MSMERGE_BLOCK) {
    int64_t len = block_length(end, at);
    load_block(x, v, at, len);
    for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
      x[e] = x[0];
    }
    for (int e = 0; e < MSMERGE_BLOCK; e += MSMERGE_LANES) {
      for (int j = 0; j < MSMERGE_LANES; j++) {
        top[j] = x[e + j] > top[j] ? x[e + j] : top[j];
      }
    }
  }
  for (int j = 1; j < MSMERGE_LANES; j++) {
    top[0] = top[j] > top[0] ? top[j] : top[0];
  }
  return top[0];
}

// exponentials fills out with e^(x - top), and zero beyond the end.
FN void exponentials(msmerge_view v, int64_t at, int64_t len, double top, double *restrict out) {
  float x[MSMERGE_BLOCK];
  load_block(x, v, at, len);
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    out[e] = exponential((double)x[e] - top);
  }
  for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
    out[e] = 0;
  }
}

FN void add_terms(double *restrict lane, const double *restrict x) {
  for (int e = 0; e < MSMERGE_BLOCK; e += MSMERGE_LANES) {
    for (int j = 0; j < MSMERGE_LANES; j++) {
      lane[j] += x[e + j];
    }
  }
}

static double sum_exponentials(msmerge_view v, int64_t begin, int64_t end, double top, double *scratch) {
  double term[MSMERGE_BLOCK], *sums = scratch;
  for (int64_t from = begin; from < end; from += MSMERGE_REDUCE_BLOCK) {
    double lane[MSMERGE_LANES] = {0};
    for (int64_t at = from; at < end && at < from + MSMERGE_REDUCE_BLOCK; at += MSMERGE_BLOCK) {
      exponentials(v, at, block_length(end, at), top, term);
      add_terms(lane, term);
    }
    *sums++ = join_lanes(lane);
  }
  return join_sums(scratch, sums - scratch);
}

static float row_divergence(const msmerge_group *g, int64_t begin, int64_t end, double *scratch) {
  double p[MSMERGE_BLOCK], q[MSMERGE_BLOCK], *sums = scratch;
  double top_p = largest(g->x[0], begin, end), top_q = largest(g->base, begin, end);
  double all_p = 1.0 / sum_exponentials(g->x[0], begin, end, top_p, scratch);
  double all_q = 1.0 / sum_exponentials(g->base, begin, end, top_q, scratch);
  for (int64_t from = begin; from < end; from += MSMERGE_REDUCE_BLOCK) {
    double lane[MSMERGE_LANES] = {0};
    for (int64_t at = from; at < end && at < from + MSMERGE_REDUCE_BLOCK; at += MSMERGE_BLOCK) {
      int64_t len = block_length(end, at);
      exponentials(g->x[0], at, len, top_p, p);
      exponentials(g->base, at, len, top_q, q);
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        p[e] = divergence_term(smooth(p[e] * all_p), smooth(q[e] * all_q));
      }
      for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
        p[e] = 0;
      }
      add_terms(lane, p);
    }
    *sums++ = join_lanes(lane);
  }
  double sum = join_sums(scratch, sums - scratch);
  return (float)(sum < 0 ? 0 : sum);
}

// divergence writes one number for each row. scratch has room for one number for
// each 4,096 elements of a row.
static void divergence(const msmerge_group *g, float *kl, double *scratch) {
  for (int64_t begin = 0; begin < g->n; begin += g->columns) {
    *kl++ = row_divergence(g, begin, begin + g->columns, scratch);
  }
}
#endif

#endif
