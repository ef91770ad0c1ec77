// Vectors of the level that this translation unit is compiled for: VL floats,
// NV vectors to 16 lanes. Only fma fuses.
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lm_ops.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

#if LM_LEVEL == 2
#define VL 16
#elif LM_LEVEL == 1
#define VL 8
#else
#define VL 4
#endif
enum { NV = 16 / VL };

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));
typedef float vf_any __attribute__((vector_size(VL * 4), aligned(4), may_alias));

INLINE vf load(const float *p) { return *(const vf_any *)p; }
INLINE void store(float *p, vf v) { *(vf_any *)p = v; }

#if LM_LEVEL == 2
INLINE vf set1(float x) { return (vf)_mm512_set1_ps(x); }
INLINE vf fma_v(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vf max_v(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf min_v(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
#elif LM_LEVEL == 1
INLINE vf set1(float x) { return (vf)_mm256_set1_ps(x); }
INLINE vf fma_v(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vf max_v(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf min_v(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
#else
INLINE vf set1(float x) { return (vf){x, x, x, x}; }
INLINE vf fma_v(vf a, vf b, vf c)
{
	vf r;
	for (int i = 0; i < VL; i++) r[i] = fmaf(a[i], b[i], c[i]);
	return r;
}
// As on x86: the second operand when the comparison is false, and so for NaN.
INLINE vf max_v(vf a, vf b)
{
	vf r;
	for (int i = 0; i < VL; i++) r[i] = a[i] > b[i] ? a[i] : b[i];
	return r;
}
INLINE vf min_v(vf a, vf b)
{
	vf r;
	for (int i = 0; i < VL; i++) r[i] = a[i] < b[i] ? a[i] : b[i];
	return r;
}
#endif

// Sixteen lanes, whatever the width of a vector.
typedef struct {
	vf v[NV];
} lanes;

INLINE lanes lanes_set1(float x)
{
	lanes r;
	UNROLL for (int i = 0; i < NV; i++) r.v[i] = set1(x);
	return r;
}

INLINE lanes lanes_load(const float *p)
{
	lanes r;
	UNROLL for (int i = 0; i < NV; i++) r.v[i] = load(p + i * VL);
	return r;
}

// lanes_load_part loads n < 16 elements and fills up with rest.
INLINE lanes lanes_load_part(const float *p, int64_t n, float rest)
{
	float t[16];
	for (int i = 0; i < 16; i++) t[i] = i < n ? p[i] : rest;
	return lanes_load(t);
}

INLINE void lanes_store(float *p, lanes a)
{
	UNROLL for (int i = 0; i < NV; i++) store(p + i * VL, a.v[i]);
}

INLINE lanes lanes_mul(lanes a, lanes b)
{
	UNROLL for (int i = 0; i < NV; i++) a.v[i] = a.v[i] * b.v[i];
	return a;
}

INLINE lanes lanes_add(lanes a, lanes b)
{
	UNROLL for (int i = 0; i < NV; i++) a.v[i] = a.v[i] + b.v[i];
	return a;
}

INLINE lanes lanes_max(lanes a, lanes b)
{
	UNROLL for (int i = 0; i < NV; i++) a.v[i] = max_v(a.v[i], b.v[i]);
	return a;
}

// lanes_sum joins the lanes by the fixed tree: l with l+8, then +4, +2, +1.
INLINE float lanes_sum(lanes a)
{
#if LM_LEVEL == 2
	__m512 z = (__m512)a.v[0];
	__m256 y = _mm256_add_ps(_mm512_castps512_ps256(z), _mm512_extractf32x8_ps(z, 1));
#elif LM_LEVEL == 1
	__m256 y = _mm256_add_ps((__m256)a.v[0], (__m256)a.v[1]);
#endif
#if LM_LEVEL > 0
	__m128 x = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
	x = _mm_add_ps(x, _mm_movehl_ps(x, x));
	return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
#else
	vf t = (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]);
	return (t[0] + t[2]) + (t[1] + t[3]);
#endif
}

INLINE float lanes_largest(lanes a)
{
	float t[16];
	lanes_store(t, a);
	for (int h = 8; h > 0; h /= 2)
		for (int i = 0; i < h; i++) t[i] = t[i] > t[i + h] ? t[i] : t[i + h];
	return t[0];
}

// exp_v is exp with a relative error below 2e-7, its argument held in [-87, 88]; NaN
// stays NaN. Argument reduction by Cody and Waite, polynomial of degree 6 on
// [-ln 2 / 2, ln 2 / 2] with Cephes' coefficients (Moshier 1989).
INLINE vf exp_v(vf x)
{
	x = max_v(set1(-87.0f), x);
	x = min_v(set1(88.0f), x);
	const vf magic = set1(12582912.0f); // 1.5 * 2^23: adding it rounds to an integer
	vf shifted = x * set1(1.44269504088896341f) + magic;
	vf n = shifted - magic;
	vf r = x - n * set1(0.693359375f);
	r = r - n * set1(-2.12194440e-4f);
	vf y = set1(1.9875691500e-4f);
	y = y * r + set1(1.3981999507e-3f);
	y = y * r + set1(8.3334519073e-3f);
	y = y * r + set1(4.1665795894e-2f);
	y = y * r + set1(1.6666665459e-1f);
	y = y * r + set1(5.0000001201e-1f);
	y = y * (r * r) + r;
	y = y + set1(1.0f);
	vi power = ((vi)shifted - (vi)magic + 127) << 23;
	return y * (vf)power;
}

INLINE lanes lanes_exp(lanes a)
{
	UNROLL for (int i = 0; i < NV; i++) a.v[i] = exp_v(a.v[i]);
	return a;
}
