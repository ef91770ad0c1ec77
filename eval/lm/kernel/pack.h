// Weights of a checkpoint to float32.

INLINE float bits_to_float(uint32_t b)
{
	float f;
	memcpy(&f, &b, 4);
	return f;
}

// half_to_float is exact, subnormals, infinities and NaN included.
INLINE float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, body = h & 0x7fff;
	if (body >= 0x7c00) return bits_to_float(sign | 0x7f800000 | (body & 0x3ff) << 13);
	// 2^112 makes up for the difference of the biases, and normalises subnormals.
	float scaled = bits_to_float(body << 13) * bits_to_float((127 + 112) << 23);
	uint32_t b;
	memcpy(&b, &scaled, 4);
	return bits_to_float(b | sign);
}

static void widen(float *restrict dst, const void *restrict src, int dtype, int64_t n)
{
	if (dtype == LM_F32) {
		memcpy(dst, src, (size_t)n * 4);
	} else if (dtype == LM_BF16) {
		const uint16_t *s = src;
		for (int64_t i = 0; i < n; i++) dst[i] = bits_to_float((uint32_t)s[i] << 16);
	} else {
		const uint16_t *s = src;
		for (int64_t i = 0; i < n; i++) dst[i] = half_to_float(s[i]);
	}
}

enum { PACK_BLOCK = 64 };

// Sixteen rows are widened block by block and then turned, so that both sides are
// touched a cache line at a time.
static void pack(float *restrict dst, int64_t column, const void *restrict src, int dtype, int64_t n, int64_t k)
{
	const int64_t size = dtype == LM_F32 ? 4 : 2;
	float block[16][PACK_BLOCK];
	int64_t step;
	for (int64_t c = 0; c < n; c += step) {
		int64_t lane = (column + c) % 16;
		step = 16 - lane < n - c ? 16 - lane : n - c;
		float *panel = dst + (column + c) / 16 * 16 * k + lane;
		for (int64_t i = 0; i < k; i += PACK_BLOCK) {
			int64_t width = k - i < PACK_BLOCK ? k - i : PACK_BLOCK;
			for (int64_t r = 0; r < step; r++)
				widen(block[r], (const char *)src + ((c + r) * k + i) * size, dtype, width);
			if (step == 16) {
				for (int64_t j = 0; j < width; j++)
					for (int64_t r = 0; r < 16; r++) panel[(i + j) * 16 + r] = block[r][j];
			} else {
				for (int64_t j = 0; j < width; j++)
					for (int64_t r = 0; r < step; r++) panel[(i + j) * 16 + r] = block[r][j];
			}
		}
	}
}
