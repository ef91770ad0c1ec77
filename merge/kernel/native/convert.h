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

// load_e4m3 does the same for 8 bits with a bias of 7. The type has no infinities,
// and all ones are NaN.
FN float load_e4m3(uint8_t h) {
  uint32_t m = h & 0x7fu;
  uint32_t finite = bits_of(float_of(m << 20) * 0x1p120f);
  return float_of(either(m == 0x7fu, 0x7fc00000u, finite) | (uint32_t)(h & 0x80u) << 24);
}

// load_e5m2 reads the upper half of a float16.
FN float load_e5m2(uint8_t h) { return load_f16((uint16_t)((uint32_t)h << 8)); }

FN float load_f64(double x) { return (float)x; }

// round_bf16 is right for all numbers but NaN.
FN uint16_t round_bf16(float x) {
  uint32_t u = bits_of(x);
  return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

FN uint16_t store_bf16(float x) { return (uint16_t)either(magnitude(x) > 0x7f800000, 0x7fc0u, round_bf16(x)); }

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
#include <string.h>

#include "kernel.h"

// Operations work on whole blocks: loops of constant length over arrays that fit
// the first-level cache. The last block of a tile is read through a copy padded
// with zeros.

FN int64_t block_length(int64_t n, int64_t at) {
  return n - at < MSMERGE_BLOCK ? n - at : MSMERGE_BLOCK;
}

FN int64_t element_size(int64_t dtype) {
  return dtype == MSMERGE_F64 ? 8 : dtype == MSMERGE_F32 ? 4 : dtype >= MSMERGE_F8_E4M3 ? 1 : 2;
}

typedef struct {
  double bytes[MSMERGE_BLOCK];  // the largest type
} padding;

// block_of returns the address of a whole block of v that begins at element at
// and of which len elements exist.
FN const void *block_of(msmerge_view v, int64_t at, int64_t len, padding *pad) {
  int64_t size = element_size(v.dtype);
  const char *src = (const char *)v.data + at * size;
  if (len == MSMERGE_BLOCK) {
    return src;
  }
  memset(pad, 0, sizeof *pad);
  memcpy(pad, src, (size_t)(len * size));
  return pad;
}

#define EACH_ELEMENT_AS(type, convert, address, BODY) \
  {                                                   \
    const type *src_ = (const type *)(address);       \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {         \
      float x = convert(src_[e]);                     \
      BODY                                            \
    }                                                 \
  }

// EACH_ELEMENT runs BODY for every element e of a block, with its value x.
#define EACH_ELEMENT(dtype, address, BODY)                 \
  switch (dtype) {                                         \
    case MSMERGE_BF16:                                     \
      EACH_ELEMENT_AS(any_u16, load_bf16, address, BODY)   \
      break;                                               \
    case MSMERGE_F16:                                      \
      EACH_ELEMENT_AS(any_u16, load_f16, address, BODY)    \
      break;                                               \
    case MSMERGE_F32:                                      \
      EACH_ELEMENT_AS(any_f32, , address, BODY)            \
      break;                                               \
    case MSMERGE_F64:                                      \
      EACH_ELEMENT_AS(any_f64, load_f64, address, BODY)    \
      break;                                               \
    case MSMERGE_F8_E4M3:                                  \
      EACH_ELEMENT_AS(any_u8, load_e4m3, address, BODY)    \
      break;                                               \
    case MSMERGE_F8_E5M2:                                  \
      EACH_ELEMENT_AS(any_u8, load_e5m2, address, BODY)    \
      break;                                               \
  }

FN void load_block(float *restrict dst, msmerge_view v, int64_t at, int64_t len) {
  padding pad;
  const void *src = block_of(v, at, len, &pad);
  EACH_ELEMENT(v.dtype, src, { dst[e] = x; })
}

// The largest magnitude of a block is noted in passing, as bits; only if it is not
// finite are such elements counted one by one.
FN int16_t magnitude_u16(uint16_t h) { return (int16_t)(h & 0x7fffu); }

static void count_special(msmerge_tile *t, const float *restrict x, int64_t len) {
  for (int64_t e = 0; e < len; e++) {
    float y = x[e];
    if (t->out_dtype == MSMERGE_BF16) {
      y = load_bf16(store_bf16(y));
    } else if (t->out_dtype == MSMERGE_F16) {
      y = load_f16(store_f16(y));
    }
    t->inf += magnitude(y) == 0x7f800000;
    t->nan += magnitude(y) > 0x7f800000;
  }
}

#define STORE_AS(type, convert, bits, magnitude_of, infinity)    \
  {                                                              \
    type *dst_ = (type *)dst;                                    \
    bits top = 0;                                                \
    for (int e = 0; e < MSMERGE_BLOCK; e++) {                    \
      dst_[e] = convert(x[e]);                                   \
      bits m = magnitude_of;                                     \
      top = m > top ? m : top;                                   \
    }                                                            \
    special = top >= infinity;                                   \
  }

// store_block rounds a block to the type of the output, counts what is not finite
// and writes the first len elements to number at on.
FN void store_block(msmerge_tile *t, int64_t at, int64_t len, const float *restrict x) {
  padding pad;
  int64_t size = element_size(t->out_dtype);
  char *out = (char *)t->out + at * size;
  void *dst = len == MSMERGE_BLOCK ? (void *)out : (void *)&pad;
  int special = 0;
  switch (t->out_dtype) {
    case MSMERGE_BF16:  // from 0x7f7f8000 on numbers are rounded to infinity
      STORE_AS(any_u16, round_bf16, int32_t, magnitude(x[e]), 0x7f7f8000)
      if (special) {
        STORE_AS(any_u16, store_bf16, int16_t, magnitude_u16(dst_[e]), 0x7f80)
      }
      break;
    case MSMERGE_F16:
      STORE_AS(any_u16, store_f16, int16_t, magnitude_u16(dst_[e]), 0x7c00)
      break;
    case MSMERGE_F32:
      STORE_AS(any_f32, store_f32, int32_t, magnitude(x[e]), 0x7f800000)
      break;
    case MSMERGE_F64:
      STORE_AS(any_f64, (double)store_f32, int32_t, magnitude(x[e]), 0x7f800000)
      break;
  }
  if (len < MSMERGE_BLOCK) {
    memcpy(out, &pad, (size_t)(len * size));
  }
  if (special) {
    count_special(t, x, len);
  }
}
#endif

#endif
