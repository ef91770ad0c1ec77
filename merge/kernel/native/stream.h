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

// finish_writing orders what was written around the caches before what follows.
FN void finish_writing(void) {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}
#endif

#endif
