// What the entry points take: the structures of the CPU's calls with addresses of the
// device in them, and where results go. They lie in the device's memory.
#ifndef MSMERGE_DEVICE_ARGUMENTS_H
#define MSMERGE_DEVICE_ARGUMENTS_H

#include "../group.h"
#include "../kernel.h"

// Counters and places that are shared by all threads come in so many pieces, so that
// threads seldom wait for each other.
enum { MSMERGE_SLOTS = 64 };

typedef struct {
  msmerge_tile t;
  msmerge_input in[MSMERGE_MAX_INPUTS];
} msmerge_combine_arguments;

typedef struct {
  msmerge_scan s;
  int64_t from, nth;  // of find_equal: where it begins, and which it looks for, counted from 1
  int64_t place;    // result of find_equal; -1 at first
  msmerge_input in; // of sums: what is kept
  uint32_t *bins;   // of histogram, zeros at first
  int64_t *counts;  // of count_equal, one for each thread
  double *lanes;    // of sums: MSMERGE_LANES for each block
  double *kept;     // the same of what is kept
} msmerge_scan_arguments;

typedef struct {
  int64_t above, at_high, at_low, between;
} msmerge_survey_counts;

typedef struct {
  msmerge_survey s;  // room and found are those of all slots together
  int64_t slots;     // at most MSMERGE_SLOTS, and not more than threads
  msmerge_survey_counts *counts;
} msmerge_survey_arguments;

typedef struct {
  double *lanes, *sums;
} msmerge_join_arguments;

typedef struct {
  msmerge_ranks r;  // work is not used
  int32_t *m;       // magnitudes
} msmerge_ranks_arguments;

typedef struct {
  msmerge_tile t;
  msmerge_group g;
  double *lanes;     // of squares
  int64_t *counts;   // of count_active, two for each model and slot
} msmerge_group_arguments;

typedef struct {
  msmerge_group g;
  int64_t column, width;  // of column_products
  double *sums;           // of column_products: one for each column and pair, added to
  double *lanes;          // of products: MSMERGE_LANES for each row, block and pair
} msmerge_products_arguments;

typedef struct {
  msmerge_group g;
  uint32_t *bins;      // zeros at first
  int64_t *counts;     // of score_equal, one for each block; of score_high, scores above zero for each slot
  int64_t from, nth, place;  // of score_find, as of find_equal
} msmerge_score_arguments;

typedef struct {
  msmerge_group g;  // one model
  double *top;      // of the model's rows, then of the base's
  double *all;      // of their exponentials, inverted
  double *lanes;    // MSMERGE_LANES for each row and block
  float *kl;
} msmerge_divergence_arguments;

#endif
