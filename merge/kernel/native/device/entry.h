// What the entry points of a GPU share: threads, counters in memory, and elements
// by pairs.
//
// Every entry takes the address of its arguments and a number of threads. A thread
// never waits for another one, so that each entry is, on the host, a loop over its
// threads: this is how these sources are tested without a GPU.
#ifndef MSMERGE_ENTRY_H
#define MSMERGE_ENTRY_H

#include "../convert.h"
#include "arguments.h"

#if defined(__CUDA__)
#define ENTRY(name, arguments)                                                                   \
  extern "C" __attribute__((global)) void msmerge_##name(arguments *a, int64_t threads) {        \
    int64_t i = (int64_t)__nvvm_read_ptx_sreg_ctaid_x() * (int64_t)__nvvm_read_ptx_sreg_ntid_x() + \
                (int64_t)__nvvm_read_ptx_sreg_tid_x();                                           \
    if (i < threads) {                                                                           \
      name##_at(a, i);                                                                           \
    }                                                                                            \
  }
#else
#define ENTRY(name, arguments)                                         \
  void msmerge_##name(arguments *a, int64_t threads);                  \
  void msmerge_##name(arguments *a, int64_t threads) {                 \
    for (int64_t i = 0; i < threads; i++) {                            \
      name##_at(a, i);                                                 \
    }                                                                  \
  }
#endif

// An entry for whatever there is, and one for each of the types that models come
// in, whose loads need no choice.
#define TYPED_ENTRIES(name, arguments)                                             \
  FN void name##_any_at(arguments *a, int64_t i) { name##_at(a, i, ANY); }         \
  FN void name##_bf16_at(arguments *a, int64_t i) { name##_at(a, i, MSMERGE_BF16); } \
  FN void name##_f32_at(arguments *a, int64_t i) { name##_at(a, i, MSMERGE_F32); } \
  ENTRY(name##_any, arguments)                                                     \
  ENTRY(name##_bf16, arguments)                                                    \
  ENTRY(name##_f32, arguments)

enum { ANY = -1 };

FN void add_count(int64_t *to, int64_t n) { __atomic_fetch_add(to, n, __ATOMIC_RELAXED); }

FN int64_t take_count(int64_t *from) { return __atomic_fetch_add(from, (int64_t)1, __ATOMIC_RELAXED); }

FN void add_bin(uint32_t *to) { __atomic_fetch_add(to, 1u, __ATOMIC_RELAXED); }

// A thread of an operation on elements works on those of one counter of random
// masks (keep.h): 16 of a block's 256, in eight pairs that lie 32 elements apart,
// so that 16 threads that lie beside each other read and write whole lines.
enum { EIGHT = 8, OF_THREAD = 16 };

FN int64_t pair_of_thread(int64_t i, int r) { return i / 16 * MSMERGE_BLOCK + 32 * r + i % 16 * 2; }

// EACH_PAIR runs its statement for the eight pairs of thread i: r is the number of a
// pair, e that of its first element. Where the types are known two reads of each model
// are under way at a time.
#define EACH_PAIR(i, dtype, ...)            \
  if (dtype == ANY) {                       \
    ONE_AT_ONCE                             \
    for (int r = 0; r < EIGHT; r++) {       \
      int64_t e = pair_of_thread(i, r);     \
      __VA_ARGS__                           \
    }                                       \
  } else {                                  \
    TWO_AT_ONCE                             \
    for (int r = 0; r < EIGHT; r++) {       \
      int64_t e = pair_of_thread(i, r);     \
      __VA_ARGS__                           \
    }                                       \
  }

#if defined(__clang__)
#define ONE_AT_ONCE _Pragma("unroll 1")
#define TWO_AT_ONCE _Pragma("unroll 2")
#else
#define ONE_AT_ONCE
#define TWO_AT_ONCE
#endif

#define CASE_OF(n, ...)             \
  case n: {                         \
    enum { MODELS = n };            \
    const int64_t models = n;       \
    __VA_ARGS__                     \
    break;                          \
  }

// FOR_MODELS runs its statement with the number of models in models and room for as
// many in MODELS. Small numbers are constants where the types are known, so that
// loops over models unroll.
#define FOR_MODELS(count, dtype, ...)       \
  switch (dtype == ANY ? 0 : count) {       \
    CASE_OF(1, __VA_ARGS__)                 \
    CASE_OF(2, __VA_ARGS__)                 \
    CASE_OF(3, __VA_ARGS__)                 \
    CASE_OF(4, __VA_ARGS__)                 \
    CASE_OF(5, __VA_ARGS__)                 \
    default: {                              \
      enum { MODELS = MSMERGE_MAX_INPUTS }; \
      const int64_t models = count;         \
      __VA_ARGS__                           \
    }                                       \
  }

typedef struct {
  float lower, upper;
} two;

// load_one returns element e.
FN float load_one(msmerge_view v, int64_t e, int64_t dtype) {
  switch (dtype == ANY ? v.dtype : dtype) {
    case MSMERGE_BF16:
      return load_bf16(((const uint16_t *)v.data)[e]);
    case MSMERGE_F16:
      return load_f16(((const uint16_t *)v.data)[e]);
    case MSMERGE_F32:
      return ((const float *)v.data)[e];
    case MSMERGE_F64:
      return load_f64(((const double *)v.data)[e]);
    case MSMERGE_F8_E4M3:
      return load_e4m3(((const uint8_t *)v.data)[e]);
  }
  return load_e5m2(((const uint8_t *)v.data)[e]);
}

// load_two returns elements e and e + 1 of a view that begins at a multiple of 16
// bytes; e is even. Behind the last element of a view there is room to read.
FN two load_two(msmerge_view v, int64_t e, int64_t dtype) {
  two x;
  if ((dtype == ANY ? v.dtype : dtype) == MSMERGE_BF16) {
    uint32_t pair = ((const uint32_t *)v.data)[e / 2];
    x.lower = float_of(pair << 16);
    x.upper = float_of(pair & 0xffff0000u);
    return x;
  }
  x.lower = load_one(v, e, dtype);
  x.upper = load_one(v, e + 1, dtype);
  return x;
}

// store_one rounds an element and counts what is not finite.
FN void store_one(msmerge_tile *t, int64_t e, float x) {
  float y = x;
  switch (t->out_dtype) {
    case MSMERGE_BF16: {
      uint16_t h = store_bf16(x);
      ((uint16_t *)t->out)[e] = h;
      y = load_bf16(h);
      break;
    }
    case MSMERGE_F16: {
      uint16_t h = store_f16(x);
      ((uint16_t *)t->out)[e] = h;
      y = load_f16(h);
      break;
    }
    case MSMERGE_F32:
      ((float *)t->out)[e] = store_f32(x);
      break;
    case MSMERGE_F64:
      ((double *)t->out)[e] = (double)store_f32(x);
      break;
  }
  if (magnitude(y) >= 0x7f800000) {
    add_count(magnitude(y) > 0x7f800000 ? &t->nan : &t->inf, 1);
  }
}

// store_two does it for elements e and e + 1, as far as the tile has them.
FN void store_two(msmerge_tile *t, int64_t e, two x) {
  if (t->out_dtype == MSMERGE_BF16 && e + 1 < t->n) {
    uint32_t lower = store_bf16(x.lower), upper = store_bf16(x.upper);
    if ((lower & 0x7fffu) < 0x7f80u && (upper & 0x7fffu) < 0x7f80u) {
      ((uint32_t *)t->out)[e / 2] = lower | upper << 16;
      return;
    }
  }
  if (e < t->n) {
    store_one(t, e, x.lower);
  }
  if (e + 1 < t->n) {
    store_one(t, e + 1, x.upper);
  }
}

#endif
