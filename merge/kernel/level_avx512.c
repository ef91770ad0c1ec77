#if defined(__x86_64__)
#pragma GCC optimize("schedule-insns", "sched-pressure")  // the loops are long and have many operations under way
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#define LEVEL msmerge_avx512
#include "native/level.h"
#endif
