// What the operations need from the machine: how a function is declared, and
// floats seen as bits. Everything here and in the operations' element functions
// is plain C11 without calls, so that one source serves the CPU, at each vector
// level, and a GPU compiler.
#ifndef MSMERGE_PLATFORM_H
#define MSMERGE_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

// MSMERGE_DEVICE leaves out the loops over blocks, whose place the entries of
// device/ take: for a GPU, or for the host, where they are tested.
#if defined(__CUDA__)
#define MSMERGE_DEVICE 1
#define FN static inline __attribute__((device, always_inline))
#else
#define FN static inline __attribute__((always_inline))
#endif

// Tensor data may start at any byte, so elements are read through these types.
typedef uint8_t __attribute__((may_alias)) any_u8;
typedef uint16_t __attribute__((aligned(1), may_alias)) any_u16;
typedef uint32_t __attribute__((aligned(1), may_alias)) any_u32;
typedef float __attribute__((aligned(1), may_alias)) any_f32;
typedef double __attribute__((aligned(1), may_alias)) any_f64;

// What can be added to any number, zeros of both signs included, without changing it.
#define NEUTRAL (-0.0f)

FN uint32_t bits_of(float x) {
  union {
    float f;
    uint32_t u;
  } v = {.f = x};
  return v.u;
}

FN float float_of(uint32_t u) {
  union {
    uint32_t u;
    float f;
  } v = {.u = u};
  return v.f;
}

// magnitude returns the bits of |x|. As integers they order like the numbers,
// with infinity above all of them and NaN above infinity.
FN int32_t magnitude(float x) { return (int32_t)(bits_of(x) & 0x7fffffffu); }

// either returns a where yes is 1 and b where it is 0. Choices are made with
// masks and not with branches, because the compiler may not move floating-point
// operations out of a branch and would then leave the loop unvectorised.
FN uint32_t either(uint32_t yes, uint32_t a, uint32_t b) { return b ^ ((a ^ b) & (0u - yes)); }

// select_float returns x where keep is 1 and +0 where it is 0.
FN float select_float(uint32_t keep, float x) { return float_of(bits_of(x) & (0u - keep)); }

#endif
