// products and column_products, as in ../products.h.
#ifndef MSMERGE_DEVICE_PRODUCTS_H
#define MSMERGE_DEVICE_PRODUCTS_H

#include "group.h"

// The pairs are (0, 0), (0, 1), ..., (1, 1), ...
FN void add_pairs(int64_t n, const float *d, double *sum) {
  int p = 0;
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = i; j < n; j++) {
      sum[p] = sum[p] + (double)d[i] * (double)d[j];
      p++;
    }
  }
}

#define FEW_CASE(n, ...)                                 \
  case n: {                                              \
    enum { MODELS = n, PAIRS_OF = (n) * ((n) + 1) / 2 }; \
    __VA_ARGS__                                          \
    break;                                               \
  }

#define FOR_FEW(count, ...)  \
  switch (count) {           \
    FEW_CASE(1, __VA_ARGS__) \
    FEW_CASE(2, __VA_ARGS__) \
    FEW_CASE(3, __VA_ARGS__) \
    FEW_CASE(4, __VA_ARGS__) \
    FEW_CASE(5, __VA_ARGS__) \
  }

FN void deltas_one(const msmerge_group *g, int64_t n, int64_t e, int64_t dtype, float *d) {
  int apart = g->base.data != 0;
  float base = apart ? load_one(g->base, e, dtype) : 0;
  for (int64_t i = 0; i < n; i++) {
    float x = load_one(g->x[i], e, dtype);
    d[i] = apart ? task_vector(x, base) : x;
  }
}

// A thread has one lane of a block of a row.
FN void products_at(msmerge_products_arguments *a, int64_t i, int64_t dtype) {
  const msmerge_group *g = &a->g;
  int64_t blocks = (g->columns + MSMERGE_REDUCE_BLOCK - 1) / MSMERGE_REDUCE_BLOCK;
  int64_t part = i / MSMERGE_LANES, lane = i % MSMERGE_LANES, row = part / blocks, block = part % blocks;
  FOR_FEW(g->inputs, {
    double sum[PAIRS_OF];
    for (int p = 0; p < PAIRS_OF; p++) {
      sum[p] = 0;
    }
    for (int k = 0; k < OF_LANE; k++) {
      int64_t column = block * MSMERGE_REDUCE_BLOCK + k * MSMERGE_LANES + lane;
      if (column >= g->columns) {
        break;
      }
      float d[MODELS];
      deltas_one(g, MODELS, row * g->columns + column, dtype, d);
      add_pairs(MODELS, d, sum);
    }
    for (int p = 0; p < PAIRS_OF; p++) {
      a->lanes[(part * PAIRS_OF + p) * MSMERGE_LANES + lane] = sum[p];
    }
  })
}

TYPED_ENTRIES(products, msmerge_products_arguments)

// A thread has one column.
FN void column_products_at(msmerge_products_arguments *a, int64_t i) {
  const msmerge_group *g = &a->g;
  int64_t column = a->column + i;
  FOR_FEW(g->inputs, {
    double sum[PAIRS_OF];
    for (int p = 0; p < PAIRS_OF; p++) {
      sum[p] = a->sums[p * a->width + i];
    }
    for (int64_t row = 0; row < g->n; row += g->columns) {
      float d[MODELS];
      deltas_one(g, MODELS, row + column, ANY, d);
      add_pairs(MODELS, d, sum);
    }
    for (int p = 0; p < PAIRS_OF; p++) {
      a->sums[p * a->width + i] = sum[p];
    }
  })
}

ENTRY(column_products, msmerge_products_arguments)

#endif
