#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi2")
#endif

#define LM_LEVEL 2
#include "level.h"

const lm_ops lm_ops_avx512 = OPS;

#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int lm_no_avx512; // an empty translation unit is not C
#endif
