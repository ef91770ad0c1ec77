// sum_magnitudes: partial sums in float64 over blocks of 4,096 elements, of all and
// of those that a mask keeps. Element e of a block is added to lane e mod 16, and the
// lanes are joined by halves. The caller joins the partial sums by a fixed tree, so
// that the result does not depend on tiles, threads or device.
#ifndef MSMERGE_REDUCE_H
#define MSMERGE_REDUCE_H

#include "combine.h"
#include "lanes.h"
#include "pairs.h"

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

FN void find_scan_marks(uint32_t *restrict marks, const msmerge_scan *s, int64_t at) {
  if (s->bits != NULL) {
    mark_bits(marks, s->bits + at / 8);
  } else {
    mark_random(marks, &s->mask, s->first + at);
  }
}

#if defined(__AVX2__)
// Even and odd elements of a run of pairs have sums of their own: of lanes 0, 2, ...
// and 1, 3, ...
#if defined(__AVX512F__)
typedef struct {
  __m512d even, odd;
} pair_sums;

FN pair_sums no_pairs(void) { return (pair_sums){_mm512_setzero_pd(), _mm512_setzero_pd()}; }

FN void write_lanes(double *restrict lane, const pair_sums *s) {
  double even[8], odd[8];
  memcpy(even, &s->even, sizeof even);
  memcpy(odd, &s->odd, sizeof odd);
  for (int i = 0; i < 8; i++) {
    lane[2 * i] = even[i];
    lane[2 * i + 1] = odd[i];
  }
}

// add_sixteen adds magnitudes to a sum, and those that a mask has to another.
FN void add_sixteen(__m512d *all, __m512d *kept, __m512 x, __mmask16 mask, int masked) {
  __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x)), high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
  *all = _mm512_add_pd(_mm512_add_pd(*all, low), high);
  if (masked) {
    *kept = _mm512_mask_add_pd(*kept, (__mmask8)mask, *kept, low);
    *kept = _mm512_mask_add_pd(*kept, (__mmask8)(mask >> 8), *kept, high);
  }
}

FN __m512 magnitude_of_sixteen(__m512i x, __m512i base) {
  __m512 d = _mm512_sub_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(base));
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(d), _mm512_set1_epi32(0x7fffffff)));
}

// add_pairs adds sixteen pairs. Their marks are the bytes lower and upper of words.
FN void add_pairs(pair_sums *all, pair_sums *kept, const any_u32 *x, const any_u32 *base, const uint32_t *word, uint32_t lower,
                  uint32_t upper, int masked) {
  __m512i high = _mm512_set1_epi32((int)0xffff0000u), b = _mm512_loadu_si512(base), v = _mm512_loadu_si512(x);
  __m512 even = magnitude_of_sixteen(_mm512_slli_epi32(v, 16), _mm512_slli_epi32(b, 16));
  __m512 odd = magnitude_of_sixteen(_mm512_and_si512(v, high), _mm512_and_si512(b, high));
  __m512i w = masked ? _mm512_loadu_si512(word) : high;
  add_sixteen(&all->even, &kept->even, even, _mm512_test_epi32_mask(w, _mm512_set1_epi32((int)lower)), masked);
  add_sixteen(&all->odd, &kept->odd, odd, _mm512_test_epi32_mask(w, _mm512_set1_epi32((int)upper)), masked);
}

enum { PAIRS_AT_ONCE = 16 };
#else
typedef struct {
  __m256d even[2], odd[2];
} pair_sums;

FN pair_sums no_pairs(void) {
  return (pair_sums){{_mm256_setzero_pd(), _mm256_setzero_pd()}, {_mm256_setzero_pd(), _mm256_setzero_pd()}};
}

FN void add_four(__m256d *sum, __m128 x) { *sum = _mm256_add_pd(*sum, _mm256_cvtps_pd(x)); }

FN void add_eight_of(__m256d *sum, __m256 x) {
  add_four(&sum[0], _mm256_castps256_ps128(x));
  add_four(&sum[1], _mm256_extractf128_ps(x, 1));
}

FN void write_lanes(double *restrict lane, const pair_sums *s) {
  double even[8], odd[8];
  memcpy(even, s->even, sizeof even);
  memcpy(odd, s->odd, sizeof odd);
  for (int i = 0; i < 8; i++) {
    lane[2 * i] = even[i];
    lane[2 * i + 1] = odd[i];
  }
}

FN __m256 magnitude_of_eight(__m256i x, __m256i base) {
  __m256 d = _mm256_sub_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(base));
  return _mm256_and_ps(d, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)));
}

FN __m256 marked_of_eight(__m256 x, __m256i word, uint32_t mark) {
  __m256i m = _mm256_set1_epi32((int)mark);
  return _mm256_and_ps(x, _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(word, m), m)));
}

// add_pairs adds eight pairs. Their marks are the bytes lower and upper of words.
FN void add_pairs(pair_sums *all, pair_sums *kept, const any_u32 *x, const any_u32 *base, const uint32_t *word, uint32_t lower,
                  uint32_t upper, int masked) {
  __m256i high = _mm256_set1_epi32((int)0xffff0000u);
  __m256i b = _mm256_loadu_si256((const __m256i *)base), v = _mm256_loadu_si256((const __m256i *)x);
  __m256 even = magnitude_of_eight(_mm256_slli_epi32(v, 16), _mm256_slli_epi32(b, 16));
  __m256 odd = magnitude_of_eight(_mm256_and_si256(v, high), _mm256_and_si256(b, high));
  add_eight_of(all->even, even);
  add_eight_of(all->odd, odd);
  if (masked) {
    __m256i w = _mm256_loadu_si256((const __m256i *)word);
    add_eight_of(kept->even, marked_of_eight(even, w, lower));
    add_eight_of(kept->odd, marked_of_eight(odd, w, upper));
  }
}

enum { PAIRS_AT_ONCE = 8 };
#endif

// sum_pairs adds the whole blocks from element from up to to of bfloat16 models.
FN void sum_pairs(const msmerge_scan *s, int64_t from, int64_t to, double *restrict lane, double *restrict lane_kept, int masked) {
  pair_sums all = no_pairs(), kept = no_pairs();
  uint32_t marks[MARKS];
  for (int64_t at = from; at < to; at += MSMERGE_BLOCK) {
    const any_u32 *x = pairs_at(s->x.data, at), *base = pairs_at(s->base.data, at);
    if (masked) {
      find_scan_marks(marks, s, at);
    }
    for (int g = 0; g < MARKS; g += 16, x += 32, base += 32) {
      for (int q = 0; q < 16; q += PAIRS_AT_ONCE) {
        add_pairs(&all, &kept, x + q, base + q, marks + g + q, 0x000000ffu, 0x0000ff00u, masked);
      }
      for (int q = 0; q < 16; q += PAIRS_AT_ONCE) {
        add_pairs(&all, &kept, x + 16 + q, base + 16 + q, marks + g + q, 0x00ff0000u, 0xff000000u, masked);
      }
    }
  }
  write_lanes(lane, &all);
  write_lanes(lane_kept, &kept);
}
#endif

FN void sum_block(const msmerge_scan *s, int64_t at, double *restrict lane, double *restrict lane_kept, int masked) {
  float base[MSMERGE_BLOCK], d[MSMERGE_BLOCK];
  uint32_t marks[MARKS], kept[MSMERGE_BLOCK];
  padding pad;
  int64_t len = block_length(s->n, at);
  load_block(base, s->base, at, len);
  const void *src = block_of(s->x, at, len, &pad);
  EACH_ELEMENT(s->x.dtype, src, { d[e] = task_vector(x, base[e]); })
  add_magnitudes(lane, d);
  if (masked) {
    find_scan_marks(marks, s, at);
    spread_marks(kept, marks);
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      d[e] = float_of(bits_of(d[e]) & kept[e]);
    }
    add_magnitudes(lane_kept, d);
  }
}

FN void sum_task_vector(const msmerge_scan *s, double *sums, double *sums_kept, int masked) {
  for (int64_t from = 0; from < s->n; from += MSMERGE_REDUCE_BLOCK) {
    double lane[MSMERGE_LANES] = {0}, lane_kept[MSMERGE_LANES] = {0};
    int64_t end = s->n - from < MSMERGE_REDUCE_BLOCK ? s->n : from + MSMERGE_REDUCE_BLOCK, at = from;
#if defined(__AVX2__)
    if (s->base.dtype == MSMERGE_BF16 && s->x.dtype == MSMERGE_BF16) {
      at = end - (end - from) % MSMERGE_BLOCK;
      sum_pairs(s, from, at, lane, lane_kept, masked);
    }
#endif
    for (; at < end; at += MSMERGE_BLOCK) {
      sum_block(s, at, lane, lane_kept, masked);
    }
    *sums++ = join_lanes(lane);
    if (masked) {
      *sums_kept++ = join_lanes(lane_kept);
    }
  }
}

// sum_magnitudes writes the sum of |x - base| of each block and, unless kept is
// NULL, the sum over the elements that the mask or the bits keep.
static void sum_magnitudes(const msmerge_scan *s, double *sums, double *kept) {
  if (kept != NULL) {
    sum_task_vector(s, sums, kept, 1);
  } else {
    sum_task_vector(s, sums, kept, 0);
  }
}
#endif

#endif
