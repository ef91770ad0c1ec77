// histogram, count_equal, find_equal: the parts of a radix selection of the k-th
// largest magnitude of a task vector. Magnitudes are compared as integers.
#ifndef MSMERGE_SELECT_H
#define MSMERGE_SELECT_H

#include "combine.h"

#ifndef MSMERGE_DEVICE
FN void load_magnitudes(int32_t *restrict m, const msmerge_scan *s, int64_t at, int64_t len) {
  float base[MSMERGE_BLOCK];
  padding pad;
  load_block(base, s->base, at, len);
  const void *src = block_of(s->x, at, len, &pad);
  EACH_ELEMENT(s->x.dtype, src, { m[e] = magnitude(task_vector(x, base[e])); })
}

enum { PARTS = 4, SPILL = 16 };

// histogram adds to the bins the magnitudes that begin with the prefix. Partial
// histograms keep runs of equal values, of which task vectors of bfloat16 models
// are full, from waiting for each other; what does not begin with the prefix goes
// to spill bins, which is cheaper than a branch that cannot be predicted.
static void histogram(const msmerge_scan *s, uint32_t *bins) {
  int32_t m[MSMERGE_BLOCK], bin[MSMERGE_BLOCK];
  uint32_t part[PARTS][MSMERGE_DIGIT_BINS + SPILL] = {{0}};
  int32_t prefix_shift = s->prefix_shift, prefix = s->prefix, shift = s->shift;
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(s->n, at);
    load_magnitudes(m, s, at, len);
    for (int32_t e = 0; e < MSMERGE_BLOCK; e++) {
      int32_t spill = MSMERGE_DIGIT_BINS + e % SPILL, digit = (m[e] >> shift) & (MSMERGE_DIGIT_BINS - 1);
      uint32_t counts = ((m[e] >> prefix_shift) == prefix) & (e < (int32_t)len);
      bin[e] = (int32_t)either(counts, (uint32_t)digit, (uint32_t)spill);
    }
    for (int32_t e = 0; e < MSMERGE_BLOCK; e += PARTS) {
      for (int p = 0; p < PARTS; p++) {
        part[p][bin[e + p]]++;
      }
    }
  }
  for (int p = 0; p < PARTS; p++) {
    for (int b = 0; b < MSMERGE_DIGIT_BINS; b++) {
      bins[b] += part[p][b];
    }
  }
}

// count_equal counts the elements at the threshold.
static int64_t count_equal(const msmerge_scan *s) {
  int32_t m[MSMERGE_BLOCK];
  int64_t count = 0;
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(s->n, at);
    load_magnitudes(m, s, at, len);
    int32_t c = 0;
    for (int32_t e = 0; e < MSMERGE_BLOCK; e++) {
      c += (m[e] == s->threshold) & (e < (int32_t)len);
    }
    count += c;
  }
  return count;
}

// find_equal returns the place in the tile of the nth element at the threshold,
// counted from 1, or -1.
static int64_t find_equal(const msmerge_scan *s, int64_t nth) {
  int32_t m[MSMERGE_BLOCK];
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(s->n, at);
    load_magnitudes(m, s, at, len);
    for (int64_t e = 0; e < len; e++) {
      nth -= m[e] == s->threshold;
      if (nth == 0) {
        return at + e;
      }
    }
  }
  return -1;
}
#endif

#endif
