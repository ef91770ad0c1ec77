// Operations on one row at a time: RMSNorm, SiLU, log-sum-exp.

// sum_squares runs over 16 lanes, then the tree.
INLINE float sum_squares(const float *x, int64_t n)
{
	lanes acc = lanes_set1(0.0f);
	int64_t i = 0;
	for (; i + 16 <= n; i += 16) {
		lanes v = lanes_load(x + i);
		acc = lanes_add(acc, lanes_mul(v, v));
	}
	if (i < n) {
		lanes v = lanes_load_part(x + i, n - i, 0.0f);
		acc = lanes_add(acc, lanes_mul(v, v));
	}
	return lanes_sum(acc);
}

INLINE void norm_row(float *out, const float *x, const float *w, float eps, int64_t n)
{
	float scale = 1.0f / sqrtf(sum_squares(x, n) / (float)n + eps);
	for (int64_t i = 0; i < n; i++) out[i] = w[i] * (x[i] * scale);
}

static void rms_norm(float *out, const float *x, const float *w, float eps, int64_t rows, int64_t d)
{
	for (int64_t r = 0; r < rows; r++) norm_row(out + r * d, x + r * d, w, eps, d);
}

INLINE lanes silu_lanes(lanes gate, lanes up)
{
	UNROLL for (int i = 0; i < NV; i++) {
		vf e = exp_v(-gate.v[i]);
		gate.v[i] = gate.v[i] / (set1(1.0f) + e) * up.v[i];
	}
	return gate;
}

static void silu_mul(float *out, const float *gate_up, int64_t rows, int64_t n)
{
	for (int64_t r = 0; r < rows; r++, out += n, gate_up += 2 * n) {
		int64_t i = 0;
		for (; i + 16 <= n; i += 16)
			lanes_store(out + i, silu_lanes(lanes_load(gate_up + i), lanes_load(gate_up + n + i)));
		if (i < n) {
			float t[16];
			lanes_store(t, silu_lanes(lanes_load_part(gate_up + i, n - i, 0.0f),
				lanes_load_part(gate_up + n + i, n - i, 0.0f)));
			memcpy(out + i, t, (size_t)(n - i) * 4);
		}
	}
}

INLINE lm_logit_stats row_stats(const float *x, int64_t n)
{
	lm_logit_stats s = {0.0, x[0], 0};
	int64_t i = 0;
	lanes top = lanes_set1(x[0]);
	for (; i + 16 <= n; i += 16) top = lanes_max(lanes_load(x + i), top);
	if (i < n) top = lanes_max(lanes_load_part(x + i, n - i, x[0]), top);
	s.max = lanes_largest(top);
	while (s.best < n - 1 && x[s.best] != s.max) s.best++;

	double sums[16] = {0};
	float e[16];
	lanes shift;
	UNROLL for (int j = 0; j < NV; j++) shift.v[j] = set1(-s.max);
	for (i = 0; i < n; i += 16) {
		int64_t valid = n - i < 16 ? n - i : 16;
		lanes v = valid == 16 ? lanes_load(x + i) : lanes_load_part(x + i, valid, s.max);
		lanes_store(e, lanes_exp(lanes_add(v, shift)));
		if (valid == 16) {
			for (int l = 0; l < 16; l++) sums[l] += (double)e[l];
		} else {
			for (int l = 0; l < valid; l++) sums[l] += (double)e[l];
		}
	}
	for (int h = 8; h > 0; h /= 2)
		for (int l = 0; l < h; l++) sums[l] += sums[l + h];
	s.sum = sums[0];
	if (s.sum != s.sum) s.max = (float)s.sum;
	return s;
}

static void logit_stats(lm_logit_stats *out, const float *logits, int64_t rows, int64_t n)
{
	for (int64_t r = 0; r < rows; r++) out[r] = row_stats(logits + r * n, n);
}

static void exp_row(float *out, const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i += 16) {
		float t[16];
		int64_t valid = n - i < 16 ? n - i : 16;
		lanes_store(t, lanes_exp(lanes_load_part(x + i, valid, 0.0f)));
		memcpy(out + i, t, (size_t)valid * 4);
	}
}
