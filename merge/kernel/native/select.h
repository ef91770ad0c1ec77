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

// histogram adds to the bins the magnitudes that begin with the prefix. Two
// partial histograms keep runs of equal values from waiting for each other.
static void histogram(const msmerge_scan *s, uint32_t *bins) {
  int32_t m[MSMERGE_BLOCK];
  uint32_t part[2][MSMERGE_DIGIT_BINS] = {{0}};
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(s->n, at);
    load_magnitudes(m, s, at, len);
    if (s->prefix_shift >= 31) {
      for (int64_t e = 0; e < len; e++) {
        part[e & 1][(m[e] >> s->shift) & (MSMERGE_DIGIT_BINS - 1)]++;
      }
      continue;
    }
    for (int64_t e = 0; e < len; e++) {
      if ((m[e] >> s->prefix_shift) == s->prefix) {
        part[e & 1][(m[e] >> s->shift) & (MSMERGE_DIGIT_BINS - 1)]++;
      }
    }
  }
  for (int b = 0; b < MSMERGE_DIGIT_BINS; b++) {
    bins[b] += part[0][b] + part[1][b];
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
