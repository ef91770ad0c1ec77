// What Go calls: the operation of a level, chosen by number.
#ifndef LM_CALL_H
#define LM_CALL_H

#include "lm_ops.h"

static inline void call_pack(int l, float *dst, int64_t column, const void *src, int dtype, int64_t n, int64_t k)
{
	lm_level(l)->pack(dst, column, src, dtype, n, k);
}

static inline void call_widen(int l, float *dst, const void *src, int dtype, int64_t n)
{
	lm_level(l)->widen(dst, src, dtype, n);
}

static inline void call_matmul(int l, float *c, int64_t ldc, const float *x, int64_t ldx, const float *w,
	const float *bias, int add, int64_t m, int64_t n, int64_t k)
{
	lm_level(l)->matmul(c, ldc, x, ldx, w, bias, add, m, n, k);
}

static inline float call_dot_column(int l, const float *x, const float *w, int64_t column, int64_t k)
{
	return lm_level(l)->dot_column(x, w, column, k);
}

static inline void call_rms_norm(int l, float *out, const float *x, const float *w, float eps, int64_t rows, int64_t d)
{
	lm_level(l)->rms_norm(out, x, w, eps, rows, d);
}

static inline void call_silu_mul(int l, float *out, const float *gate_up, int64_t rows, int64_t n)
{
	lm_level(l)->silu_mul(out, gate_up, rows, n);
}

static inline void call_logit_stats(int l, lm_logit_stats *out, const float *logits, int64_t rows, int64_t n)
{
	lm_level(l)->logit_stats(out, logits, rows, n);
}

static inline void call_exp(int l, float *out, const float *x, int64_t n)
{
	lm_level(l)->exp_row(out, x, n);
}

static inline void call_rotary(int l, float *q, float *keys, float *values, const float *qkv, const int32_t *positions,
	const int32_t *slots, const float *cos_sin, const float *q_norm, const float *k_norm,
	const lm_attention_shape *s, int64_t rows)
{
	lm_level(l)->rotary(q, keys, values, qkv, positions, slots, cos_sin, q_norm, k_norm, s, rows);
}

static inline void call_attention(int l, float *out, const float *q, const float *keys, const float *values,
	const int32_t *context, const int32_t *offsets, const int32_t *lengths, float *scores,
	const lm_attention_shape *s, int64_t rows)
{
	lm_level(l)->attention(out, q, keys, values, context, offsets, lengths, scores, s, rows);
}

#endif
