#if defined(__x86_64__)
#pragma GCC target("avx2")
#define LEVEL msmerge_avx2
#include "native/level.h"
#endif
