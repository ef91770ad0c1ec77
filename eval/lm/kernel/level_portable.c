#define LM_LEVEL 0
#include "level.h"

const lm_ops lm_ops_portable = OPS;

#if defined(__x86_64__)
extern const lm_ops lm_ops_avx2, lm_ops_avx512;
#endif

const lm_ops *lm_level(int level)
{
	if (level == 0) return &lm_ops_portable;
#if defined(__x86_64__)
	if (level == 1) return &lm_ops_avx2;
	if (level == 2) return &lm_ops_avx512;
#endif
	return 0;
}
