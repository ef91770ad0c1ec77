// Element types to float32 and back. Widening is exact but for F64, which is
// rounded to nearest even. Narrowing rounds once, to nearest even, and writes
// every NaN as one pattern.
#ifndef MSMERGE_CONVERT_H
#define MSMERGE_CONVERT_H

#include "platform.h"

FN float load_bf16(uint16_t h) { return float_of((uint32_t)h << 16); }

// load_f16 moves exponent and fraction to their place in a float32 and corrects
// the bias, 127 - 15 = 112, by an exact product, which also normalises
// subnormals.
FN float load_f16(uint16_t h) {
  uint32_t m = h & 0x7fffu;
  uint32_t finite = bits_of(float_of(m << 13) * 0x1p112f);
  uint32_t special = (m << 13) | 0x7f800000u;
  return float_of(either(m >= 0x7c00u, special, finite) | (uint32_t)(h & 0x8000u) << 16);
}

FN float load_f64(double x) { return (float)x; }

FN uint16_t store_bf16(float x) {
  uint32_t u = bits_of(x);
  uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  return (uint16_t)either(magnitude(x) > 0x7f800000, 0x7fc0u, rounded);
}

// store_f16 rounds normal results with integers; for subnormal ones the sum
// with 1/2 has the spacing of float16 subnormals, 2^-24, and so rounds them.
FN uint16_t store_f16(float x) {
  int32_t m = magnitude(x);
  uint32_t normal = (uint32_t)m - 0x38000000u;
  normal = (normal + 0xfffu + ((normal >> 13) & 1u)) >> 13;
  uint32_t subnormal = bits_of(float_of((uint32_t)m) + 0.5f) - 0x3f000000u;
  uint32_t h = either(m < 0x38800000, subnormal, normal);
  h = either(m >= 0x477ff000, 0x7c00u, h);  // 65520 and above
  h |= (bits_of(x) >> 16) & 0x8000u;
  return (uint16_t)either(m > 0x7f800000, 0x7e00u, h);
}

FN float store_f32(float x) { return float_of(either(magnitude(x) > 0x7f800000, 0x7fc00000u, bits_of(x))); }

#ifndef MSMERGE_DEVICE
#include "kernel.h"

FN int64_t block_length(int64_t n, int64_t at) {
  return n - at < MSMERGE_BLOCK ? n - at : MSMERGE_BLOCK;
}

#define LOAD_LOOP(type, convert)                       \
  {                                                    \
    const type *src = (const type *)v.data + at;       \
    if (len == MSMERGE_BLOCK) {                        \
      for (int e = 0; e < MSMERGE_BLOCK; e++) {        \
        dst[e] = convert(src[e]);                      \
      }                                                \
    } else {                                           \
      for (int64_t e = 0; e < len; e++) {              \
        dst[e] = convert(src[e]);                      \
      }                                                \
    }                                                  \
  }

// load_block reads len elements from number at on into dst and fills the rest of
// the block with zeros, so that the operations always work on whole blocks.
FN void load_block(float *restrict dst, msmerge_view v, int64_t at, int64_t len) {
  switch (v.dtype) {
    case MSMERGE_BF16:
      LOAD_LOOP(any_u16, load_bf16)
      break;
    case MSMERGE_F16:
      LOAD_LOOP(any_u16, load_f16)
      break;
    case MSMERGE_F32:
      LOAD_LOOP(any_f32, )
      break;
    case MSMERGE_F64:
      LOAD_LOOP(any_f64, load_f64)
      break;
  }
  for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
    dst[e] = 0;
  }
}

// count_u16 counts the infinities and NaN of a float16 or bfloat16 block, given
// the bits of infinity in that type.
FN void count_u16(const uint16_t *h, int32_t infinity, msmerge_tile *t) {
  int32_t inf = 0, nan = 0;
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    int32_t m = h[e] & 0x7fff;
    inf += m == infinity;
    nan += m > infinity;
  }
  t->inf += inf;
  t->nan += nan;
}

FN void count_f32(const float *x, msmerge_tile *t) {
  int32_t inf = 0, nan = 0;
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    inf += magnitude(x[e]) == 0x7f800000;
    nan += magnitude(x[e]) > 0x7f800000;
  }
  t->inf += inf;
  t->nan += nan;
}

#define STORE_LOOP(type, value)                  \
  {                                              \
    type *dst = (type *)t->out + at;             \
    if (len == MSMERGE_BLOCK) {                  \
      for (int e = 0; e < MSMERGE_BLOCK; e++) {  \
        dst[e] = value;                          \
      }                                          \
    } else {                                     \
      for (int64_t e = 0; e < len; e++) {        \
        dst[e] = value;                          \
      }                                          \
    }                                            \
  }

// store_block rounds a block to the type of the output, counts what is not
// finite and writes the first len elements to number at on. The elements beyond
// len must be finite.
FN void store_block(msmerge_tile *t, int64_t at, int64_t len, const float *restrict x) {
  uint16_t h[MSMERGE_BLOCK];
  switch (t->out_dtype) {
    case MSMERGE_BF16:
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        h[e] = store_bf16(x[e]);
      }
      count_u16(h, 0x7f80, t);
      STORE_LOOP(any_u16, h[e])
      break;
    case MSMERGE_F16:
      for (int e = 0; e < MSMERGE_BLOCK; e++) {
        h[e] = store_f16(x[e]);
      }
      count_u16(h, 0x7c00, t);
      STORE_LOOP(any_u16, h[e])
      break;
    case MSMERGE_F32:
      count_f32(x, t);
      STORE_LOOP(any_f32, store_f32(x[e]))
      break;
    case MSMERGE_F64:
      count_f32(x, t);
      STORE_LOOP(any_f64, (double)store_f32(x[e]))
      break;
  }
}
#endif

#endif
