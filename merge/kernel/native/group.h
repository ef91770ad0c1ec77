// The calls between Go and C of operations that look at several models at once,
// element by element or line by line. A line is a row or a column of a tensor.
#ifndef MSMERGE_GROUP_H
#define MSMERGE_GROUP_H

#include "kernel.h"

enum { MSMERGE_PRODUCT_INPUTS = 5 };  // models of one call of products
enum { MSMERGE_HIGH_BINS = 65536 };   // values of the upper 16 bits of a score
enum { MSMERGE_LOW_BINS = 32768 };    // values of its lower 15 bits
enum { MSMERGE_MAX_PREFIXES = 3 };    // upper halves that one histogram looks at
enum { MSMERGE_IMPORTANCE = 0, MSMERGE_VARIANCE = 1 };

// n elements of several models, of which the first has number first in its
// tensor. Task vectors x - base are meant where base has data, whole models
// otherwise.
typedef struct {
  msmerge_view base;
  int64_t first, n, inputs;

  int64_t columns;          // elements of a row
  int32_t along_columns;    // line of an element: its column, else its row
  const float *line_value;  // one number for each line of the tensor
  int64_t lines;            // then as many for the next model

  const float *model_value;  // one number for each model
  float near, slope;         // nearswap
  float limit;               // fuse: the least importance
  int32_t score;             // MSMERGE_IMPORTANCE or MSMERGE_VARIANCE
  int32_t trimmed;           // of sce: keep the scores at or above threshold
  int32_t threshold;         // bits of a score, or of the largest magnitude that does not count
  int64_t cut;               // of elements at the threshold, those numbered below cut are kept
  int32_t prefix[MSMERGE_MAX_PREFIXES], prefixes;
  msmerge_view x[MSMERGE_MAX_INPUTS];
} msmerge_group;

typedef struct {
  void (*products)(const msmerge_group *, double *sums);
  void (*column_products)(const msmerge_group *, int64_t column, int64_t width, double *sums);
  void (*combine_lines)(msmerge_tile *, const msmerge_group *);
  void (*nearswap)(msmerge_tile *, const msmerge_group *);
  void (*divergence)(const msmerge_group *, float *kl, double *scratch);
  void (*fuse)(msmerge_tile *, const msmerge_group *);
  int64_t (*score_high)(const msmerge_group *, uint32_t *bins);
  void (*score_low)(const msmerge_group *, uint32_t *bins);
  int64_t (*score_equal)(const msmerge_group *, int64_t nth);
  void (*squares)(const msmerge_group *, double *sums);
  void (*sce)(msmerge_tile *, const msmerge_group *);
  void (*count_active)(const msmerge_group *, int64_t *counts);
  void (*ram)(msmerge_tile *, const msmerge_group *);
} msmerge_group_functions;

extern const msmerge_group_functions msmerge_portable_group;
extern const msmerge_group_functions msmerge_avx2_group;
extern const msmerge_group_functions msmerge_avx512_group;

#endif
