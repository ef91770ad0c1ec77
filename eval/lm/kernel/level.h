// Everything of one level. The file that includes this sets LM_LEVEL and the target.
#include "vector.h"

#include "matmul.h"
#include "pack.h"
#include "rowwise.h"
#include "attention.h"

#define OPS { pack, widen, matmul, rms_norm, silu_mul, rotary, attention, logit_stats, dot_column, exp_row }
