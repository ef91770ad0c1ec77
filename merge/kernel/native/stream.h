// How blocks reach the memory: around the caches, when they are not read again
// soon. This saves reading every line of the output before it is written, a quarter
// of the traffic of a sum of two models. It needs whole lines. The inputs of sums are
// left to the processor's own prefetching: asking for them ahead of time was slower.
#ifndef MSMERGE_STREAM_H
#define MSMERGE_STREAM_H

#include "convert.h"

#ifndef MSMERGE_DEVICE
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// finish_writing orders what was written around the caches before what follows.
FN void finish_writing(void) {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

enum { COPY_BYTES = 4096 };

// How the exponents of a type are looked at, in halves of 32-bit words: numbers that
// are not finite are above most in a half without the bits that the mask clears.
typedef struct {
  uint32_t mask;
  int16_t most;
} exponents;

// exponents_of returns 0 for types without a way to copy them.
FN int exponents_of(int64_t dtype, exponents *x) {
  *x = (exponents){dtype == MSMERGE_F32 ? 0x7fff0000u : 0x7fff7fffu, dtype == MSMERGE_F16 ? 0x7bff : 0x7f7f};
  return dtype == MSMERGE_BF16 || dtype == MSMERGE_F16 || dtype == MSMERGE_F32;
}

// copy_finite copies COPY_BYTES, around the caches when asked to and possible, and
// reports whether all numbers are finite. What is read is not asked to stay in the
// caches either; the processor's own prefetching would keep it there.
FN int copy_finite(char *restrict out, const char *restrict in, exponents x, int around) {
#if defined(__AVX2__)
  if (around && ((uintptr_t)out & 31) == 0) {
    __m256i top[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, mask = _mm256_set1_epi32((int)x.mask);
    for (int i = 0; i < COPY_BYTES; i += 128) {
      _mm_prefetch(in + i + 448, _MM_HINT_NTA);
      _mm_prefetch(in + i + 640, _MM_HINT_NTA);
      for (int j = 0; j < 128; j += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(in + i + j));
        top[j / 32 % 2] = _mm256_max_epi16(top[j / 32 % 2], _mm256_and_si256(v, mask));
        _mm256_stream_si256((__m256i *)(out + i + j), v);
      }
    }
    return _mm256_movemask_epi8(_mm256_cmpgt_epi16(_mm256_max_epi16(top[0], top[1]), _mm256_set1_epi16(x.most))) == 0;
  }
#endif
  uint16_t half[COPY_BYTES / 2];
  int16_t top = 0, lower = (int16_t)x.mask, upper = (int16_t)(x.mask >> 16);
  memcpy(half, in, COPY_BYTES);
  memcpy(out, half, COPY_BYTES);
  for (int i = 0; i < COPY_BYTES / 2; i += 2) {
    int16_t a = (int16_t)half[i] & lower, b = (int16_t)half[i + 1] & upper;
    top = a > top ? a : top;
    top = b > top ? b : top;
  }
  return top <= x.most;
}
#endif

#endif
