// The operations of one vector level. Go sees only this file.
//
// Pointers to float are rows of float32 without padding unless a leading
// dimension says otherwise; sizes count elements. No pointer may alias an output.
#ifndef LM_OPS_H
#define LM_OPS_H

#include <stdint.h>

enum { LM_BF16 = 0, LM_F16 = 1, LM_F32 = 2 };

// The shape of attention: what does not change from layer to layer or row to row.
typedef struct {
	int32_t heads;     // of the queries
	int32_t kv_heads;  // of keys and values; divides heads
	int32_t head;      // elements of a head
	int32_t head_pad;  // head rounded up to a multiple of 16, zeros after head
	int32_t window;    // positions that a query sees, itself included; 0 for all
	float scale;       // of the scores
	float norm_eps;    // of the norms of queries and keys
} lm_attention_shape;

// Log-sum-exp of one row of logits, with the largest.
typedef struct {
	double sum;    // of exp(logit - max)
	float max;     // NaN when a logit is
	int32_t best;  // lowest index whose logit is max
} lm_logit_stats;

typedef struct {
	// pack writes rows [n][k] of a weight matrix, of the given type, into column
	// panels: element (c, i) goes to dst[(c/16)*16*k + i*16 + c%16], c counted from column.
	void (*pack)(float *dst, int64_t column, const void *src, int dtype, int64_t n, int64_t k);

	// widen converts n elements to float32.
	void (*widen)(float *dst, const void *src, int dtype, int64_t n);

	// matmul sets c[m][n] = x[m][k] w + bias, or adds x w to c; bias may be null.
	void (*matmul)(float *c, int64_t ldc, const float *x, int64_t ldx, const float *w,
		const float *bias, int add, int64_t m, int64_t n, int64_t k);

	// rms_norm sets out[r][d] = w * (x / sqrt(mean(x^2) + eps)).
	void (*rms_norm)(float *out, const float *x, const float *w, float eps, int64_t rows, int64_t d);

	// silu_mul sets out[r][n] = silu(gate_up[r][0..n]) * gate_up[r][n..2n].
	void (*silu_mul)(float *out, const float *gate_up, int64_t rows, int64_t n);

	// rotary takes rows of queries, keys and values [heads + 2 kv_heads][head], norms
	// queries and keys if their weights are given, turns them by their position and
	// writes padded heads: q[r][heads][head_pad], keys and values to their slot
	// [slot][kv_heads][head_pad]. cos_sin is [position][2][head/2].
	void (*rotary)(float *q, float *keys, float *values, const float *qkv, const int32_t *positions,
		const int32_t *slots, const float *cos_sin, const float *q_norm, const float *k_norm,
		const lm_attention_shape *s, int64_t rows);

	// attention sets out[r][heads][head] for queries q[r][heads][head_pad]. Row r sees the
	// slots context[offset[r]..+length[r]], in the order of positions, itself last.
	// scores is scratch for heads/kv_heads * (longest length rounded up to 16) floats.
	void (*attention)(float *out, const float *q, const float *keys, const float *values,
		const int32_t *context, const int32_t *offsets, const int32_t *lengths, float *scores,
		const lm_attention_shape *s, int64_t rows);

	// logit_stats folds each row of logits[rows][n].
	void (*logit_stats)(lm_logit_stats *out, const float *logits, int64_t rows, int64_t n);

	// dot_column returns the element of a matrix product for one row and one column: the
	// same chain, and so the same bits.
	float (*dot_column)(const float *x, const float *w, int64_t column, int64_t k);

	// exp_row sets out = exp(x), for tests.
	void (*exp_row)(float *out, const float *x, int64_t n);
} lm_ops;

// lm_level returns the operations of a level (0 portable, 1 AVX2, 2 AVX-512), null
// when this build does not have it.
const lm_ops *lm_level(int level);

#endif
