// How blocks reach the memory: reading ahead, and writing around the caches.
//
// Writing around them saves reading every line of the output before it is
// written, a quarter of the traffic of a sum of two models. It needs whole lines.
#ifndef MSMERGE_STREAM_H
#define MSMERGE_STREAM_H

#include "convert.h"

#ifndef MSMERGE_DEVICE
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { LINE = 64, AHEAD = 1536 };  // bytes

// read_ahead asks for a block some way ahead of the one at p. A prefetch past the
// end of the data does nothing.
FN void read_ahead(const char *p, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += LINE) {
    __builtin_prefetch(p + AHEAD + i, 0, 3);
  }
}

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
