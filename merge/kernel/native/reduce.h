// sum_magnitudes, sum_kept: partial sums in float64 over blocks of 4,096
// elements. Element e of a block is added to lane e mod 16, and the lanes are
// joined by halves. The caller joins the partial sums by a fixed tree, so that
// the result does not depend on tiles, threads or device.
#ifndef MSMERGE_REDUCE_H
#define MSMERGE_REDUCE_H

#include "combine.h"
#include "lanes.h"

#ifndef MSMERGE_DEVICE
FN void add_to_lanes(double *restrict lane, const float *restrict a, const float *restrict b) {
  for (int e = 0; e < MSMERGE_BLOCK; e += MSMERGE_LANES) {
    for (int j = 0; j < MSMERGE_LANES; j++) {
      lane[j] += (double)a[e + j] * (double)b[e + j];
    }
  }
}

FN void add_magnitudes(double *restrict lane, const float *restrict a) {
  for (int e = 0; e < MSMERGE_BLOCK; e += MSMERGE_LANES) {
    for (int j = 0; j < MSMERGE_LANES; j++) {
      lane[j] += (double)float_of((uint32_t)magnitude(a[e + j]));
    }
  }
}

FN void sum_task_vector(const msmerge_scan *s, double *restrict sums, int masked) {
  float base[MSMERGE_BLOCK], d[MSMERGE_BLOCK];
  uint32_t marks[MARKS], kept[MSMERGE_BLOCK];
  padding pad;
  for (int64_t from = 0; from < s->n; from += MSMERGE_REDUCE_BLOCK) {
    double lane[MSMERGE_LANES] = {0};
    for (int64_t at = from; at < s->n && at < from + MSMERGE_REDUCE_BLOCK; at += MSMERGE_BLOCK) {
      int64_t len = block_length(s->n, at);
      load_block(base, s->base, at, len);
      const void *src = block_of(s->x, at, len, &pad);
      EACH_ELEMENT(s->x.dtype, src, { d[e] = task_vector(x, base[e]); })
      if (masked) {
        if (s->bits != NULL) {
          mark_bits(marks, s->bits + at / 8);
        } else {
          mark_random(marks, &s->mask, s->first + at);
        }
        spread_marks(kept, marks);
        for (int e = 0; e < MSMERGE_BLOCK; e++) {
          d[e] = float_of(bits_of(d[e]) & kept[e]);
        }
      }
      add_magnitudes(lane, d);
    }
    *sums++ = join_lanes(lane);
  }
}

// sum_magnitudes writes the sum of |x - base| of each block.
static void sum_magnitudes(const msmerge_scan *s, double *sums) { sum_task_vector(s, sums, 0); }

// sum_kept writes the sum of |x - base| over the elements that the mask
// or the bits keep.
static void sum_kept(const msmerge_scan *s, double *sums) { sum_task_vector(s, sums, 1); }
#endif

#endif
