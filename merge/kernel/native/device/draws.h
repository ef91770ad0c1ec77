// What a random or given mask keeps of the 16 elements of one thread: two bits for
// each of its pairs.
#ifndef MSMERGE_DEVICE_DRAWS_H
#define MSMERGE_DEVICE_DRAWS_H

#include "../keep.h"
#include "entry.h"

typedef uint32_t marks;

// marks_of returns the two bits of pair r, the first element's below.
FN uint32_t marks_of(marks m, int r) { return (m >> (2 * r)) & 3u; }

// draws_of fills draw with the upper bits of the draws: byte 2 (r mod 2) + h of word
// r div 2 is that of half h of pair r.
FN void draws_of(uint32_t draw[4], const msmerge_mask *m, int64_t first, int64_t i) {
  block_counter(draw, (uint64_t)(first / MSMERGE_BLOCK + i / 16), (uint32_t)(i % 16), m->stream);
  philox(draw, m->key[0], m->key[1]);
}

FN uint32_t draw_at(const uint32_t draw[4], int r, int h) { return (draw[r / 2] >> (8 * (2 * (r & 1) + h))) & 0xffu; }

// mark_drawn looks at the lower bits of the few draws whose upper ones do not decide.
FN marks mark_drawn(const msmerge_mask *m, int64_t first, int64_t i) {
  uint32_t draw[4], top = m->keep_below >> 24, rest = m->keep_below & 0xffffffu, equal = 0;
  marks out = 0;
  draws_of(draw, m, first, i);
  for (int r = 0; r < EIGHT; r++) {
    for (int h = 0; h < 2; h++) {
      uint32_t byte = draw_at(draw, r, h);
      out |= (uint32_t)(byte < top) << (2 * r + h);
      equal |= (uint32_t)(byte == top) << (2 * r + h);
    }
  }
  for (equal = rest == 0 ? 0 : equal; equal != 0; equal &= equal - 1) {
    int place = __builtin_ctz(equal);
    int64_t e = first + pair_of_thread(i, place / 2) + place % 2;
    out |= (uint32_t)(lower_bits((uint64_t)e, m->key, m->stream) < rest) << place;
  }
  return out;
}

// mark_given reads nibble q of each of a block's four words.
FN marks mark_given(const uint8_t *bits, int64_t i) {
  const uint8_t *block = bits + i / 16 * (MSMERGE_BLOCK / 8);
  int64_t q = i % 16;
  marks out = 0;
  for (int word = 0; word < 4; word++) {
    out |= (uint32_t)((block[8 * word + q / 2] >> (4 * (q % 2))) & 15) << (4 * word);
  }
  return out;
}

// find_marks_of is for a tile that begins with element first.
FN marks find_marks_of(const msmerge_input *in, int64_t first, int64_t i) {
  if (in->keep == MSMERGE_KEEP_RANDOM) {
    return mark_drawn(&in->mask, first, i);
  }
  if (in->keep == MSMERGE_KEEP_BITS) {
    return mark_given(in->bits, i);
  }
  return 0xffffu;
}

#endif
