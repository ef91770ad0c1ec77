// products: the scalar products of each two of several vectors, in one pass over
// memory. A vector is a tensor or one line of it.
//
// Along a row the order is that of every sum over a tensor (reduce.h). Columns
// lie side by side, so each is added from the top down, in blocks of 4,096 rows.
#ifndef MSMERGE_PRODUCTS_H
#define MSMERGE_PRODUCTS_H

#include "group_block.h"
#include "reduce.h"

#ifndef MSMERGE_DEVICE
// A wide_double is as many doubles as a register holds, and widen converts as many
// floats. Where gcc makes several instructions of that, the one is named.
#if defined(__AVX512F__)
#include <immintrin.h>
enum { WIDE = 8 };
typedef __m512d wide_double;
FN wide_double widen(const float *x) { return _mm512_cvtps_pd(_mm256_loadu_ps(x)); }
#elif defined(__AVX2__)
#include <immintrin.h>
enum { WIDE = 4 };
typedef __m256d wide_double;
FN wide_double widen(const float *x) { return _mm256_cvtps_pd(_mm_loadu_ps(x)); }
#else
enum { WIDE = 2 };
typedef double __attribute__((vector_size(16))) wide_double;
FN wide_double widen(const float *x) { return (wide_double){(double)x[0], (double)x[1]}; }
#endif

typedef wide_double __attribute__((aligned(8), may_alias)) any_wide_double;

enum { PRODUCTS = MSMERGE_PRODUCT_INPUTS * (MSMERGE_PRODUCT_INPUTS + 1) / 2 };

// add_products adds a block to the lanes of every pair. It takes a few lanes at a
// time, so that the sums of all pairs stay in registers: as many as keep the
// additions of few pairs from waiting for each other.
FN void add_products(int n, float d[][MSMERGE_BLOCK], double lane[][MSMERGE_LANES]) {
  int together = n == 1 ? 4 : n == 2 ? 2 : 1, pairs = n * (n + 1) / 2;
  if (together * WIDE > MSMERGE_LANES) {
    together = MSMERGE_LANES / WIDE;
  }
  for (int j = 0; j < MSMERGE_LANES; j += together * WIDE) {
    wide_double sum[PRODUCTS][4];
#pragma GCC unroll 16
    for (int p = 0; p < pairs; p++) {
#pragma GCC unroll 4
      for (int q = 0; q < together; q++) {
        sum[p][q] = *(any_wide_double *)&lane[p][j + q * WIDE];
      }
    }
    for (int e = j; e < MSMERGE_BLOCK; e += MSMERGE_LANES) {
#pragma GCC unroll 4
      for (int q = 0; q < together; q++) {
        wide_double x[MSMERGE_PRODUCT_INPUTS];
        int p = 0;
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) {
          x[i] = widen(&d[i][e + q * WIDE]);
        }
#pragma GCC unroll 8
        for (int a = 0; a < n; a++) {
#pragma GCC unroll 8
          for (int b = a; b < n; b++) {
            sum[p][q] = sum[p][q] + x[a] * x[b];
            p++;
          }
        }
      }
    }
#pragma GCC unroll 16
    for (int p = 0; p < pairs; p++) {
#pragma GCC unroll 4
      for (int q = 0; q < together; q++) {
        *(any_wide_double *)&lane[p][j + q * WIDE] = sum[p][q];
      }
    }
  }
}

// of_row writes the partial sums of each block of one row, for the pairs (0, 0),
// (0, 1), ..., (1, 1), ...
FN void of_row(int n, const msmerge_group *g, int64_t begin, int64_t end, double **sums) {
  float base[MSMERGE_BLOCK], d[MSMERGE_PRODUCT_INPUTS][MSMERGE_BLOCK];
  for (int64_t from = begin; from < end; from += MSMERGE_REDUCE_BLOCK) {
    double lane[PRODUCTS][MSMERGE_LANES] = {{0}};
    for (int64_t at = from; at < end && at < from + MSMERGE_REDUCE_BLOCK; at += MSMERGE_BLOCK) {
      load_group(g, at, block_length(end, at), base, d);
      add_products(n, d, lane);
    }
    for (int p = 0; p < n * (n + 1) / 2; p++) {
      *(*sums)++ = join_lanes(lane[p]);
    }
  }
}

FN void of_rows(int n, const msmerge_group *g, double *sums) {
  for (int64_t begin = 0; begin < g->n; begin += g->columns) {
    of_row(n, g, begin, begin + g->columns, &sums);
  }
}

static void products(const msmerge_group *g, double *sums) { BY_FEW(of_rows, g->inputs, g, sums) }

FN void of_columns(int n, const msmerge_group *g, int64_t column, int64_t len, double *sums, int64_t stride) {
  float base[MSMERGE_BLOCK], d[MSMERGE_PRODUCT_INPUTS][MSMERGE_BLOCK];
  double sum[PRODUCTS][MSMERGE_BLOCK] = {{0}};
  for (int p = 0; p < n * (n + 1) / 2; p++) {
    memcpy(sum[p], sums + p * stride, (size_t)len * sizeof *sums);
  }
  for (int64_t row = 0; row < g->n; row += g->columns) {
    load_group(g, row + column, len, base, d);
    int p = 0;
    for (int a = 0; a < n; a++) {
      for (int b = a; b < n; b++) {
        for (int e = 0; e < MSMERGE_BLOCK; e++) {
          sum[p][e] = sum[p][e] + (double)d[a][e] * (double)d[b][e];
        }
        p++;
      }
    }
  }
  for (int p = 0; p < n * (n + 1) / 2; p++) {
    memcpy(sums + p * stride, sum[p], (size_t)len * sizeof *sums);
  }
}

// column_products adds whole rows to the sums of some columns: for each pair one
// number for each column of the tensor.
static void column_products(const msmerge_group *g, int64_t column, int64_t width, double *sums) {
  for (int64_t at = 0; at < width; at += MSMERGE_BLOCK) {
    int64_t len = block_length(width, at);
    BY_FEW(of_columns, g->inputs, g, column + at, len, sums + column + at, g->columns)
  }
}
#endif

#endif
