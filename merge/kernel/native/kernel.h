// The calls between Go and C: argument structures, and one table of functions
// for each vector level.
#ifndef MSMERGE_KERNEL_H
#define MSMERGE_KERNEL_H

#include <stdint.h>

enum { MSMERGE_F8_E4M3 = 4, MSMERGE_F8_E5M2 = 5 };  // element types that are read, never written

enum { MSMERGE_BLOCK = 256 };          // elements that are worked on at a time, in first-level cache
enum { MSMERGE_REDUCE_BLOCK = 4096 };  // elements of one partial sum
enum { MSMERGE_LANES = 16 };           // running sums of one partial sum
enum { MSMERGE_MAX_INPUTS = 64 };      // models of one merge
enum { MSMERGE_DIGIT_BINS = 2048 };    // bins of one histogram

enum { MSMERGE_BF16 = 0, MSMERGE_F16 = 1, MSMERGE_F32 = 2, MSMERGE_F64 = 3 };
enum { MSMERGE_KEEP_ALL = 0, MSMERGE_KEEP_MAGNITUDE = 1, MSMERGE_KEEP_BAND = 2, MSMERGE_KEEP_RANDOM = 3, MSMERGE_KEEP_BITS = 4 };

// An array of n elements, read or written.
typedef struct {
  const void *data;
  int64_t dtype;
} msmerge_view;

// The elements of largest magnitude: those above the threshold (bits of a
// magnitude), and of those at it the ones numbered below cut.
typedef struct {
  int32_t threshold;
  int64_t cut;
} msmerge_trim;

// A random mask: Philox key and upper counter words, and the bound below which
// a draw keeps its element.
typedef struct {
  uint32_t key[2], stream[2];
  uint32_t keep_below;
} msmerge_mask;

// One model of a merge with its coefficients.
typedef struct {
  msmerge_view x;
  float weight;         // of the model among those that agree on a sign
  float factor;         // of the task vector: weight times scale
  int32_t keep;         // MSMERGE_KEEP_*
  msmerge_trim kept;    // KEEP_MAGNITUDE, KEEP_BAND: what is kept
  msmerge_trim dropped; // KEEP_BAND: but not these
  msmerge_mask mask;    // KEEP_RANDOM
  const uint8_t *bits;  // KEEP_BITS: 32 bytes for each block of 256 elements, see keep.h
} msmerge_input;

// One tile of a merge: n elements, of which the first has number first in its
// tensor. first is a multiple of MSMERGE_REDUCE_BLOCK.
typedef struct {
  void *out;
  int64_t out_dtype;
  msmerge_view base;
  int64_t first, n;
  int64_t inputs;
  int32_t elect;      // elect a sign for each element and drop what disagrees
  int32_t normalize;  // divide: by divisor, or with elect by the weights that agree
  int32_t stream;     // write around the caches: the output is not read again soon
  float divisor, lambda;
  int64_t nan, inf;   // result: such values written
} msmerge_tile;

// Magnitudes of the task vector x - base.
typedef struct {
  msmerge_view base, x;
  int64_t first, n;
  int32_t prefix_shift, prefix;  // count only magnitudes with (m >> prefix_shift) == prefix
  int32_t shift;                 // bin (m >> shift) % MSMERGE_DIGIT_BINS
  int32_t threshold;             // of the calls that look for one value
  msmerge_mask mask;             // of sum_magnitudes, unless it has bits
  const uint8_t *bits;
} msmerge_scan;

// What survey finds of the magnitudes between two limits, low <= high.
typedef struct {
  msmerge_view base, x;
  int64_t n;
  int32_t low, high;
  int64_t above, at_high, at_low;  // result: how many above high, at high, and at low if that is not high
  int64_t between;                 // result: how many between them, of which the first room are in found
  int64_t room;
  int32_t *found;
} msmerge_survey;

// Rows of a tensor whose elements are kept with a probability that follows the rank
// of their magnitude in the row. Element number first is the first row's first.
typedef struct {
  msmerge_view base, x;
  int64_t first, n, rows; // n elements each
  msmerge_mask mask;      // keep_below is not used
  double low, width;      // probability of the lowest rank, and what the highest adds
  void *work;
  uint8_t *bits;          // result: bits of the blocks that the rows touch, set where kept
} msmerge_ranks;

typedef struct {
  void (*weighted_sum)(msmerge_tile *, const msmerge_input *);
  void (*combine)(msmerge_tile *, const msmerge_input *);
  void (*histogram)(const msmerge_scan *, uint32_t *bins);
  int64_t (*count_equal)(const msmerge_scan *);
  int64_t (*find_equal)(const msmerge_scan *, int64_t nth);
  void (*survey)(msmerge_survey *);
  void (*keep_ranked)(const msmerge_ranks *);
  void (*sum_magnitudes)(const msmerge_scan *, double *sums, double *kept);
  void (*philox)(const uint32_t *counter, const uint32_t *key, uint32_t *out);
} msmerge_functions;

#if !defined(__x86_64__)
#define msmerge_avx2 msmerge_portable
#define msmerge_avx512 msmerge_portable
#endif

extern const msmerge_functions msmerge_portable;
extern const msmerge_functions msmerge_avx2;
extern const msmerge_functions msmerge_avx512;

// msmerge_level returns the table of a level as Go numbers them.
static inline const msmerge_functions *msmerge_level(int level) {
  switch (level) {
    case 3:
      return &msmerge_avx512;
    case 2:
      return &msmerge_avx2;
  }
  return &msmerge_portable;
}

#endif
