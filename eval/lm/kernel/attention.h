// Rotary positions (Hugging Face layout: element i is turned with element i + head/2)
// and attention of single rows to the slots of a key-value cache.

INLINE void turn(float *out, const float *x, const float *cosines, const float *sines, int64_t half)
{
	for (int64_t i = 0; i < half; i++) {
		float a = x[i], b = x[i + half];
		out[i] = a * cosines[i] - b * sines[i];
		out[i + half] = b * cosines[i] + a * sines[i];
	}
}

INLINE void turn_heads(float *out, const float *x, const float *cos_sin, const float *norm,
	const lm_attention_shape *s, int64_t heads)
{
	float normed[1024]; // the longest head that the engine accepts
	for (int64_t h = 0; h < heads; h++, out += s->head_pad, x += s->head) {
		const float *from = x;
		if (norm) {
			norm_row(normed, x, norm, s->norm_eps, s->head);
			from = normed;
		}
		turn(out, from, cos_sin, cos_sin + s->head / 2, s->head / 2);
		for (int64_t i = s->head; i < s->head_pad; i++) out[i] = 0.0f;
	}
}

static void rotary(float *q, float *keys, float *values, const float *qkv, const int32_t *positions,
	const int32_t *slots, const float *cos_sin, const float *q_norm, const float *k_norm,
	const lm_attention_shape *s, int64_t rows)
{
	const int64_t width = (int64_t)s->kv_heads * s->head_pad;
	for (int64_t r = 0; r < rows; r++) {
		const float *table = cos_sin + (int64_t)positions[r] * s->head;
		turn_heads(q + r * s->heads * s->head_pad, qkv, table, q_norm, s, s->heads);
		qkv += s->heads * s->head;
		turn_heads(keys + slots[r] * width, qkv, table, k_norm, s, s->kv_heads);
		qkv += s->kv_heads * s->head;
		float *value = values + slots[r] * width;
		for (int64_t h = 0; h < s->kv_heads; h++, value += s->head_pad, qkv += s->head) {
			memcpy(value, qkv, (size_t)s->head * 4);
			for (int64_t i = s->head; i < s->head_pad; i++) value[i] = 0.0f;
		}
	}
}

INLINE float dot(const float *a, const float *b, int64_t n)
{
	lanes acc = lanes_mul(lanes_load(a), lanes_load(b));
	for (int64_t i = 16; i < n; i += 16)
		acc = lanes_add(acc, lanes_mul(lanes_load(a + i), lanes_load(b + i)));
	return lanes_sum(acc);
}

// softmax_row turns scores into exp(score - max), pads with zeros to a multiple of
// 16 and returns the sum: 16 lanes, then the tree.
INLINE float softmax_row(float *p, int64_t n)
{
	int64_t padded = (n + 15) / 16 * 16;
	for (int64_t j = n; j < padded; j++) p[j] = p[0];
	lanes top = lanes_load(p);
	for (int64_t j = 16; j < padded; j += 16) top = lanes_max(lanes_load(p + j), top);
	lanes shift = lanes_set1(-lanes_largest(top)), acc = lanes_set1(0.0f);
	for (int64_t j = 0; j < padded; j += 16) {
		lanes_store(p + j, lanes_exp(lanes_add(lanes_load(p + j), shift)));
		for (int64_t l = n; l < j + 16; l++) p[l] = 0.0f;
		acc = lanes_add(acc, lanes_load(p + j));
	}
	return lanes_sum(acc);
}

// mix_lanes does 16 * wide columns of mix at once: a chain of additions waits for each of
// its results, several chains do not.
INLINE void mix_lanes(float *out, const float *p, float sum, const float *values, int64_t stride,
	const int32_t *slots, int64_t n, int64_t head, const int wide)
{
	lanes acc[4];
	UNROLL for (int w = 0; w < wide; w++) acc[w] = lanes_set1(0.0f);
	for (int64_t j = 0; j < n; j++) {
		const float *value = values + slots[j] * stride;
		lanes share = lanes_set1(p[j]);
		UNROLL for (int w = 0; w < wide; w++) acc[w] = lanes_add(acc[w], lanes_mul(share, lanes_load(value + w * 16)));
	}
	UNROLL for (int w = 0; w < wide; w++) {
		UNROLL for (int v = 0; v < NV; v++) acc[w].v[v] = acc[w].v[v] / set1(sum);
		if (head - w * 16 >= 16) {
			lanes_store(out + w * 16, acc[w]);
		} else {
			float t[16];
			lanes_store(t, acc[w]);
			memcpy(out + w * 16, t, (size_t)(head - w * 16) * 4);
		}
	}
}

// mix sets out[head] = sum over j of p[j] * value[j], j ascending, then divides.
INLINE void mix(float *out, const float *p, float sum, const float *values, int64_t stride,
	const int32_t *slots, int64_t n, int64_t head)
{
	int64_t i = 0;
	for (; head - i > 48; i += 64) mix_lanes(out + i, p, sum, values + i, stride, slots, n, head - i, 4);
	for (; head - i > 16; i += 32) mix_lanes(out + i, p, sum, values + i, stride, slots, n, head - i, 2);
	if (i < head) mix_lanes(out + i, p, sum, values + i, stride, slots, n, head - i, 1);
}

static void attention(float *out, const float *q, const float *keys, const float *values,
	const int32_t *context, const int32_t *offsets, const int32_t *lengths, float *scores,
	const lm_attention_shape *s, int64_t rows)
{
	const int64_t group = s->heads / s->kv_heads, stride = (int64_t)s->kv_heads * s->head_pad;
	for (int64_t r = 0; r < rows; r++) {
		const int32_t *slots = context + offsets[r];
		int64_t n = lengths[r];
		if (s->window > 0 && n > s->window) {
			slots += n - s->window;
			n = s->window;
		}
		const int64_t padded = (n + 15) / 16 * 16;
		for (int64_t kv = 0; kv < s->kv_heads; kv++) {
			const float *k = keys + kv * s->head_pad, *v = values + kv * s->head_pad;
			const float *query = q + (r * s->heads + kv * group) * s->head_pad;
			for (int64_t j = 0; j < n; j++)
				for (int64_t h = 0; h < group; h++)
					scores[h * padded + j] = dot(query + h * s->head_pad, k + slots[j] * stride, s->head_pad) * s->scale;
			for (int64_t h = 0; h < group; h++) {
				float sum = softmax_row(scores + h * padded, n);
				mix(out + (r * s->heads + kv * group + h) * s->head, scores + h * padded, sum, v, stride, slots, n, s->head);
			}
		}
	}
}
