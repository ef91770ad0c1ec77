// divergence, as in ../divergence.h, in steps: the largest element of each row, its
// sum of exponentials, both for the model and for the base, then the terms.
#ifndef MSMERGE_DEVICE_DIVERGENCE_H
#define MSMERGE_DEVICE_DIVERGENCE_H

#include "../divergence.h"
#include "group.h"

FN int64_t blocks_of_row(const msmerge_group *g) { return (g->columns + MSMERGE_REDUCE_BLOCK - 1) / MSMERGE_REDUCE_BLOCK; }

FN msmerge_view side_of(const msmerge_group *g, int64_t rows, int64_t i) { return i < rows ? g->x[0] : g->base; }

// A thread has one row of one side, and looks at the elements in the order in which
// they matter where one is no number.
FN void row_top_at(msmerge_divergence_arguments *a, int64_t i) {
  const msmerge_group *g = &a->g;
  int64_t rows = g->n / g->columns, begin = i % rows * g->columns;
  msmerge_view v = side_of(g, rows, i);
  float top = load_one(v, begin, ANY);
  for (int64_t e = 1; e < g->columns; e++) {
    float x = load_one(v, begin + e, ANY);
    top = x > top ? x : top;
  }
  a->top[i] = top;
}

ENTRY(row_top, msmerge_divergence_arguments)

// A thread has one lane of a block of a row.
FN void row_sums_at(msmerge_divergence_arguments *a, int64_t i) {
  const msmerge_group *g = &a->g;
  int64_t rows = g->n / g->columns, blocks = blocks_of_row(g), part = i / MSMERGE_LANES, lane = i % MSMERGE_LANES;
  int64_t side_row = part / blocks, block = part % blocks, begin = side_row % rows * g->columns;
  msmerge_view v = side_of(g, rows, side_row);
  double sum = 0;
  for (int k = 0; k < OF_LANE; k++) {
    int64_t e = block * MSMERGE_REDUCE_BLOCK + k * MSMERGE_LANES + lane;
    if (e >= g->columns) {
      break;
    }
    sum += exponential((double)load_one(v, begin + e, ANY) - a->top[side_row]);
  }
  a->lanes[i] = sum;
}

ENTRY(row_sums, msmerge_divergence_arguments)

// join_row joins all lanes of a row; it overwrites them.
FN double join_row(double *lanes, int64_t blocks) {
  for (int64_t b = 0; b < blocks; b++) {
    lanes[b] = join_lanes(lanes + b * MSMERGE_LANES);
  }
  return join_sums(lanes, blocks);
}

FN void row_all_at(msmerge_divergence_arguments *a, int64_t i) {
  int64_t blocks = blocks_of_row(&a->g);
  a->all[i] = 1.0 / join_row(a->lanes + i * blocks * MSMERGE_LANES, blocks);
}

ENTRY(row_all, msmerge_divergence_arguments)

FN void row_terms_at(msmerge_divergence_arguments *a, int64_t i) {
  const msmerge_group *g = &a->g;
  int64_t rows = g->n / g->columns, blocks = blocks_of_row(g), part = i / MSMERGE_LANES, lane = i % MSMERGE_LANES;
  int64_t row = part / blocks, block = part % blocks, begin = row * g->columns;
  double sum = 0;
  for (int k = 0; k < OF_LANE; k++) {
    int64_t e = block * MSMERGE_REDUCE_BLOCK + k * MSMERGE_LANES + lane;
    if (e >= g->columns) {
      break;
    }
    double p = exponential((double)load_one(g->x[0], begin + e, ANY) - a->top[row]);
    double q = exponential((double)load_one(g->base, begin + e, ANY) - a->top[rows + row]);
    sum += divergence_term(smooth(p * a->all[row]), smooth(q * a->all[rows + row]));
  }
  a->lanes[i] = sum;
}

ENTRY(row_terms, msmerge_divergence_arguments)

FN void row_divergence_at(msmerge_divergence_arguments *a, int64_t i) {
  int64_t blocks = blocks_of_row(&a->g);
  double sum = join_row(a->lanes + i * blocks * MSMERGE_LANES, blocks);
  a->kl[i] = (float)(sum < 0 ? 0 : sum);
}

ENTRY(row_divergence, msmerge_divergence_arguments)

#endif
