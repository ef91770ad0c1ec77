// How blocks reach the memory: around the caches, when they are not read again
// soon. This saves reading every line of the output before it is written, a quarter
// of the traffic of a sum of two models. It needs whole lines. The inputs are left
// to the processor's own prefetching: asking for them ahead of time was slower.
#ifndef MSMERGE_STREAM_H
#define MSMERGE_STREAM_H

#include "convert.h"

#ifndef MSMERGE_DEVICE
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// write_lines copies whole lines, around the caches when asked to and possible.
FN void write_lines(char *restrict out, const char *restrict lines, int64_t bytes, int around) {
#if defined(__AVX2__)
  if (around && ((uintptr_t)out & 31) == 0) {
    for (int64_t i = 0; i < bytes; i += 32) {
      _mm256_stream_si256((__m256i *)(out + i), _mm256_load_si256((const __m256i *)(lines + i)));
    }
    return;
  }
#elif defined(__x86_64__)
  if (around && ((uintptr_t)out & 15) == 0) {
    for (int64_t i = 0; i < bytes; i += 16) {
      _mm_stream_si128((__m128i *)(out + i), _mm_load_si128((const __m128i *)(lines + i)));
    }
    return;
  }
#endif
  memcpy(out, lines, (size_t)bytes);
}

// finish_writing orders what was written around the caches before what follows.
FN void finish_writing(void) {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}
#endif

#endif
