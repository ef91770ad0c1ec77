// Two bfloat16 elements in one 32-bit word: the first in the lower half. Widening
// is then a shift and a mask, and narrowing two of them, without moving anything
// between the lanes of a vector.
#ifndef MSMERGE_PAIRS_H
#define MSMERGE_PAIRS_H

#include "stream.h"

FN float lower_of(uint32_t pair) { return float_of(pair << 16); }

FN float upper_of(uint32_t pair) { return float_of(pair & 0xffff0000u); }

// round_finite rounds to nearest even in the upper half. A NaN stays one if its
// lower half is zero, as those of bfloat16 inputs and of arithmetic are.
FN uint32_t round_finite(float x) {
  uint32_t u = bits_of(x);
  return u + 0x7fffu + ((u >> 16) & 1u);
}

FN uint32_t pair_of(float lower, float upper) {
  return (round_finite(lower) >> 16) | (round_finite(upper) & 0xffff0000u);
}

#ifndef MSMERGE_DEVICE
// Several blocks are worked on together, so that what is done once costs little.
enum { LONG_BLOCK = 2 * MSMERGE_BLOCK, PAIRS = LONG_BLOCK / 2 };

typedef struct {
  uint32_t word[PAIRS] __attribute__((aligned(64)));
} pairs;

FN const any_u32 *pairs_at(const void *data, int64_t at) { return (const any_u32 *)data + at / 2; }

// write_pairs writes a long block, around the caches when asked to and possible,
// and reports whether any element is infinite or NaN.
FN int write_pairs(char *restrict out, const pairs *p, int around) {
#if defined(__AVX2__)
  if (around && ((uintptr_t)out & 31) == 0) {
    __m256i top = _mm256_setzero_si256(), magnitude = _mm256_set1_epi16(0x7fff);
    for (int i = 0; i < PAIRS; i += 8) {
      __m256i v = _mm256_load_si256((const __m256i *)(p->word + i));
      top = _mm256_max_epi16(top, _mm256_and_si256(v, magnitude));
      _mm256_stream_si256((__m256i *)(out + 4 * i), v);
    }
    return _mm256_movemask_epi8(_mm256_cmpgt_epi16(top, _mm256_set1_epi16(0x7f7f))) != 0;
  }
#endif
  const int16_t *h = (const int16_t *)p->word;
  int16_t top = 0;
  for (int e = 0; e < LONG_BLOCK; e++) {
    int16_t m = h[e] & 0x7fff;
    top = m > top ? m : top;
  }
  memcpy(out, p->word, sizeof p->word);
  return top >= 0x7f80;
}
#endif

#endif
