// keep_magnitude, keep_band, keep_random, keep_bits: which elements of a task
// vector survive.
//
// keep_magnitude (Yadav et al. 2023, TIES, "trim"): those above a magnitude, and
// of those at it the ones with the lowest numbers. keep_band (Davari and
// Belilovsky 2023, Model Breadcrumbs): the same without the largest.
//
// keep_random (Yu et al. 2024, DARE, "drop and rescale"): each with the same
// probability, where a draw of 32 bits is below a bound. Its upper 8 bits decide
// almost always, and the lower 24 are drawn only where they equal the bound's.
//
// Where the upper bits of element e come from, so that a block of 256 elements
// takes 16 counters and elements lie beside each other as their bytes do: with
// j = e mod 256, pair j div 2 = 16 r + q and half h = j mod 2, byte 2 (r mod 2) + h
// of word r div 2 of counter (e div 256) * 16 + q. The lower bits are the upper 24
// of word 0 of counter e + 2^63.
#ifndef MSMERGE_KEEP_H
#define MSMERGE_KEEP_H

#include "convert.h"
#include "philox.h"

FN float keep_above(float x, int32_t limit) { return select_float(magnitude(x) > limit, x); }

FN float keep_between(float x, int32_t limit, int32_t most) {
  return select_float(magnitude(x) > limit, select_float(magnitude(x) <= most, x));
}

// keep_marked keeps x where all bits of the mark are set in the word.
FN float keep_marked(float x, uint32_t word, uint32_t mark) { return select_float((word & mark) == mark, x); }

FN void block_counter(uint32_t c[4], uint64_t block, uint32_t q, const uint32_t stream[2]) {
  uint64_t n = block * 16 + q;
  c[0] = (uint32_t)n;
  c[1] = (uint32_t)(n >> 32);
  c[2] = stream[0];
  c[3] = stream[1];
}

// lower_bits returns the lower 24 bits of the draw of element e.
FN uint32_t lower_bits(uint64_t e, const uint32_t key[2], const uint32_t stream[2]) {
  uint32_t c[4] = {(uint32_t)e, (uint32_t)(e >> 32) | 0x80000000u, stream[0], stream[1]};
  philox(c, key[0], key[1]);
  return c[0] >> 8;
}

// place_of returns where in a block's 256 bytes that of element j of the block
// lies; element_at is its inverse.
FN int place_of(int j) {
  int r = j >> 5, q = (j >> 1) & 15, h = j & 1;
  return ((r >> 1) * 16 + q) * 4 + 2 * (r & 1) + h;
}

FN int element_at(int place) {
  int word = place >> 2, b = place & 3, q = word & 15, r = 2 * (word >> 4) + (b >> 1);
  return 32 * r + 2 * q + (b & 1);
}

#ifndef MSMERGE_DEVICE
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

enum { MARKS = MSMERGE_BLOCK / 4 };  // words of a block's marks: a byte of ones for each element that is kept

// cut_in_block returns how many elements of the block that begins with element
// first are numbered below cut.
FN int32_t cut_in_block(int64_t cut, int64_t first) {
  int64_t ahead = cut - first;
  return ahead < 0 ? 0 : ahead > MSMERGE_BLOCK ? MSMERGE_BLOCK : (int32_t)ahead;
}

// draw_block fills draw with the upper bits of the block that begins with element first.
#if defined(__AVX512F__)
// As below, with registers for all counters of a block.
FN void philox_lanes(__m512i c[4], uint32_t k0, uint32_t k1) {
  __m512i p0 = _mm512_mul_epu32(c[0], _mm512_set1_epi64(0xD2511F53)), p1 = _mm512_mul_epu32(c[2], _mm512_set1_epi64(0xCD9E8D57));
  c[0] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c[1], _mm512_set1_epi32((int)k0), 0x96);  // of three, the exclusive or
  c[1] = p1;
  c[2] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c[3], _mm512_set1_epi32((int)k1), 0x96);
  c[3] = p0;
}

FN void draw_block(uint32_t *restrict draw, const msmerge_mask *m, int64_t first) {
  static const int64_t order[2][8] = {{0, 1, 4, 5, 8, 9, 12, 13}, {2, 3, 6, 7, 10, 11, 14, 15}};
  uint64_t n = ((uint64_t)first >> 8) * 16;
  uint32_t k0 = m->key[0], k1 = m->key[1];
  __m512i c[2][4];
  for (int v = 0; v < 2; v++) {
    c[v][0] = _mm512_add_epi32(_mm512_set1_epi64((int64_t)(uint32_t)n), _mm512_loadu_si512(order[v]));
    c[v][1] = _mm512_set1_epi64((int64_t)(n >> 32));
    c[v][2] = _mm512_set1_epi64((int64_t)m->stream[0]);
    c[v][3] = _mm512_set1_epi64((int64_t)m->stream[1]);
  }
#pragma GCC unroll 7
  for (int round = 0; round < 7; round++) {
    philox_lanes(c[0], k0, k1);
    philox_lanes(c[1], k0, k1);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int word = 0; word < 4; word++) {
    __m512 a = _mm512_castsi512_ps(c[0][word]), b = _mm512_castsi512_ps(c[1][word]);
    _mm512_storeu_si512(draw + 16 * word, _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88)));
  }
}
#elif defined(__AVX2__)
// In lanes of 64 bits, of which a multiplication reads the lower half: what rounds
// leave in the upper halves need not be cleared.
FN void philox_lanes(__m256i c[4], uint32_t k0, uint32_t k1) {
  __m256i p0 = _mm256_mul_epu32(c[0], _mm256_set1_epi64x(0xD2511F53)), p1 = _mm256_mul_epu32(c[2], _mm256_set1_epi64x(0xCD9E8D57));
  __m256i x0 = _mm256_xor_si256(c[1], _mm256_set1_epi32((int)k0)), x2 = _mm256_xor_si256(c[3], _mm256_set1_epi32((int)k1));
  c[0] = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), x0);
  c[1] = p1;
  c[2] = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), x2);
  c[3] = p0;
}

// draw_half draws for two vectors of counters, as many as registers hold, which
// become half of each word.
FN void draw_half(uint32_t *restrict draw, const msmerge_mask *m, uint64_t n, const int64_t order[2][4]) {
  uint32_t k0 = m->key[0], k1 = m->key[1];
  __m256i c[2][4];
  for (int v = 0; v < 2; v++) {
    c[v][0] = _mm256_add_epi32(_mm256_set1_epi64x((int64_t)(uint32_t)n), _mm256_loadu_si256((const __m256i *)order[v]));
    c[v][1] = _mm256_set1_epi64x((int64_t)(n >> 32));
    c[v][2] = _mm256_set1_epi64x((int64_t)m->stream[0]);
    c[v][3] = _mm256_set1_epi64x((int64_t)m->stream[1]);
  }
#pragma GCC unroll 7
  for (int round = 0; round < 7; round++) {
    philox_lanes(c[0], k0, k1);
    philox_lanes(c[1], k0, k1);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int word = 0; word < 4; word++) {
    __m256 a = _mm256_castsi256_ps(c[0][word]), b = _mm256_castsi256_ps(c[1][word]);
    _mm256_storeu_si256((__m256i *)(draw + 16 * word), _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)));
  }
}

FN void draw_block(uint32_t *restrict draw, const msmerge_mask *m, int64_t first) {
  // Counters stand so that the lower halves of two vectors shuffle into their order.
  static const int64_t order[4][4] = {{0, 1, 4, 5}, {2, 3, 6, 7}, {8, 9, 12, 13}, {10, 11, 14, 15}};
  uint64_t n = ((uint64_t)first >> 8) * 16;  // a multiple of 16: no carry out of the lower word
  draw_half(draw, m, n, order);
  draw_half(draw + 8, m, n, order + 2);
}
#else
FN void draw_block(uint32_t *restrict draw, const msmerge_mask *m, int64_t first) {
  uint64_t n = ((uint64_t)first >> 8) * 16;
  uint32_t high = (uint32_t)(n >> 32), low = (uint32_t)n;  // low is a multiple of 16: no carry below
  uint32_t k0 = m->key[0], k1 = m->key[1], s0 = m->stream[0], s1 = m->stream[1];
  for (uint32_t q = 0; q < 16; q++) {
    uint32_t c[4] = {low + q, high, s0, s1};
    philox(c, k0, k1);
    draw[q] = c[0];
    draw[16 + q] = c[1];
    draw[32 + q] = c[2];
    draw[48 + q] = c[3];
  }
}
#endif

// equal_bytes returns which of 32 bytes equal b, the first in the lowest bit.
FN uint32_t equal_bytes(const uint8_t *bytes, uint8_t b) {
#if defined(__AVX2__)
  __m256i v = _mm256_loadu_si256((const __m256i *)bytes);
  return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8((char)b)));
#else
  uint32_t equal = 0;
  for (int i = 0; i < 32; i++) {
    equal |= (uint32_t)(bytes[i] == b) << i;
  }
  return equal;
#endif
}

// equal_words does the same for 32 numbers of 16 bits.
FN uint32_t equal_words(const uint16_t *words, uint16_t w) {
#if defined(__AVX512BW__)
  return _mm512_cmpeq_epi16_mask(_mm512_loadu_si512(words), _mm512_set1_epi16((int16_t)w));
#elif defined(__AVX2__)
  __m256i v = _mm256_set1_epi16((int16_t)w);
  __m256i a = _mm256_cmpeq_epi16(_mm256_loadu_si256((const __m256i *)words), v);
  __m256i b = _mm256_cmpeq_epi16(_mm256_loadu_si256((const __m256i *)(words + 16)), v);
  return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8));
#else
  uint32_t equal = 0;
  for (int i = 0; i < 32; i++) {
    equal |= (uint32_t)(words[i] == w) << i;
  }
  return equal;
#endif
}

// mark_random marks what a mask keeps of the block that begins with element first.
static void mark_random(uint32_t *restrict marks, const msmerge_mask *m, int64_t first) {
  uint32_t draw[MARKS];
  draw_block(draw, m, first);
  const uint8_t *byte = (const uint8_t *)draw;
  uint8_t *mark = (uint8_t *)marks, top = (uint8_t)(m->keep_below >> 24);
  uint32_t rest = m->keep_below & 0xffffffu;
  for (int i = 0; i < MSMERGE_BLOCK; i++) {
    mark[i] = byte[i] < top ? 0xff : 0;
  }
  if (rest == 0) {
    return;
  }
  for (int from = 0; from < MSMERGE_BLOCK; from += 32) {
    for (uint32_t equal = equal_bytes(byte + from, top); equal != 0; equal &= equal - 1) {
      int place = from + __builtin_ctz(equal);
      uint64_t e = (uint64_t)(first + element_at(place));
      mark[place] = lower_bits(e, m->key, m->stream) < rest ? 0xff : 0;
    }
  }
}

// mark_bits marks what is set in 32 bytes, a bit for each byte of the marks.
#if defined(__AVX512BW__)
FN void mark_bits(uint32_t *restrict marks, const uint8_t *bits) {
  for (int i = 0; i < MSMERGE_BLOCK / 64; i++) {
    uint64_t set;
    memcpy(&set, bits + 8 * i, 8);
    _mm512_storeu_si512(marks + 16 * i, _mm512_movm_epi8(set));
  }
}
#elif defined(__AVX2__)
FN void mark_bits(uint32_t *restrict marks, const uint8_t *bits) {
  const __m256i own = _mm256_set1_epi64x((int64_t)0x8040201008040201);  // the bit of each byte
  const __m256i spread = _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
  for (int i = 0; i < MSMERGE_BLOCK / 32; i++) {
    uint32_t four;
    memcpy(&four, bits + 4 * i, 4);
    __m256i set = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)four), spread), own);
    _mm256_storeu_si256((__m256i *)(marks + 8 * i), _mm256_cmpeq_epi8(set, own));
  }
}
#else
FN void mark_bits(uint32_t *restrict marks, const uint8_t *bits) {
  for (int i = 0; i < MSMERGE_BLOCK / 8; i++) {
    uint64_t each = (bits[i] * 0x0101010101010101u) & 0x8040201008040201u;  // one bit in each byte
    uint64_t set = ((each + 0x7f7f7f7f7f7f7f7fu) >> 7) & 0x0101010101010101u;
    uint64_t eight = (set << 8) - set;
    memcpy(marks + 2 * i, &eight, 8);
  }
}
#endif

// pack_bytes returns a bit for each of 64 bytes of ones or zeros, the first in the lowest.
FN uint64_t pack_bytes(const uint8_t *bytes) {
#if defined(__AVX2__)
  return equal_bytes(bytes, 0xff) | (uint64_t)equal_bytes(bytes + 32, 0xff) << 32;
#else
  uint64_t bits = 0;
  for (int i = 0; i < 8; i++) {
    uint64_t eight;
    memcpy(&eight, bytes + 8 * i, 8);
    bits |= ((eight & 0x0101010101010101u) * 0x0102040810204080u) >> 56 << 8 * i;
  }
  return bits;
#endif
}

// spread_marks writes the marks in the order of the elements: all bits or none.
FN void spread_marks(uint32_t *restrict kept, const uint32_t *restrict marks) {
  for (int r = 0; r < 8; r++) {
    for (int q = 0; q < 16; q++) {
      uint32_t word = marks[(r >> 1) * 16 + q] >> (16 * (r & 1));
      kept[32 * r + 2 * q] = 0u - (word & 1);
      kept[32 * r + 2 * q + 1] = 0u - ((word >> 8) & 1);
    }
  }
}
#endif

#endif
