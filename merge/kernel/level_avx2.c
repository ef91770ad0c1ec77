#if defined(__x86_64__)
#pragma GCC optimize("schedule-insns", "sched-pressure")  // the loops are long and have many operations under way
#pragma GCC target("avx2")
#define LEVEL msmerge_avx2
#include "native/level.h"
#endif
