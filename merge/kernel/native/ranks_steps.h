// The ranks of a row's elements, or what is nearly so.
//
// The row is counted into bins, by steps of an even width: of each step those that
// are its start, and those above it. An element gets as its rank the start of its
// bin and the number of elements of the bin in front of it. That is the rank itself
// where the magnitudes of a bin are equal, as nearly all differences of bfloat16
// models are whole steps, and otherwise less than the bin's size away.
#ifndef MSMERGE_RANKS_STEPS_H
#define MSMERGE_RANKS_STEPS_H

#include "ranks_exact.h"

#ifndef MSMERGE_DEVICE
// Bin b lies at number (b mod 32) * 64 + b div 32, so that the starts of 64 bins are
// summed at a time. A row is counted in two parts, of which each has its own bins:
// elements side by side are often equal, and need not wait for each other.
// Each has a line more, so that equal bins of both do not share a place in the cache.
enum { STEPS = 1024, LINES = 32, LINE = 2 * STEPS / LINES, ROW_PARTS = 2, ROW_MOST = 65535 };

typedef struct {
  uint16_t *bin, *rank;                       // of each element
  uint16_t next[ROW_PARTS][LINES + 1][LINE];  // first counts, then the rank of the part's next element
  uint16_t begin[LINES][LINE];                // rank of a bin's first element
  uint16_t widest;                            // size of the largest bin of unequal magnitudes
} steps;

// is_mixed reports whether the bin at this number has unequal magnitudes.
FN int is_mixed(int at) { return at / LINE % 2; }

static void load_row(row *w, msmerge_view base, msmerge_view x) {
  msmerge_scan s = {.base = base, .x = x, .n = w->r->n};
  int32_t top = 0;
  for (int64_t at = 0; at < s.n; at += MSMERGE_BLOCK) {
    load_magnitudes(w->m + at, &s, at, block_length(s.n, at));
    const int32_t *m = w->m + at;  // zeros where the block is padded
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      top = m[e] > top ? m[e] : top;
    }
  }
  w->top = top;
}

// find_steps writes where each element's bin lies. Steps are a power of two wide.
static void find_steps(const row *w, uint16_t *restrict bin, int64_t n) {
  const int32_t *restrict m = w->m;
  int32_t exponent = w->top >> 23;
  exponent = (exponent < 32 ? 32 : exponent) - 9;  // so that no magnitude is 1024 steps
  float width = float_of((uint32_t)exponent << 23), per = float_of((uint32_t)(254 - exponent) << 23);
  for (int64_t from = 0; from < n; from += MSMERGE_BLOCK) {
    for (int64_t e = from; e < from + MSMERGE_BLOCK; e++) {
      float x = float_of((uint32_t)m[e]);
      int32_t k = (int32_t)(x * per);
      uint32_t b = 2 * (uint32_t)k + ((float)k * width != x);
      bin[e] = (uint16_t)((b % LINES * LINE) | (b / LINES));
    }
  }
}

// four reads four numbers; the first is in the lowest bits.
FN uint64_t four(const uint16_t *from) {
  uint64_t x;
  memcpy(&x, from, 8);
  return x;
}

static void count_steps(steps *s, const uint16_t *restrict bin, int64_t n) {
  int64_t part = n / ROW_PARTS & -4;
  memset(s->next, 0, sizeof s->next);
  for (int64_t e = 0; e < part; e += 4) {
    uint64_t x[ROW_PARTS];
    for (int p = 0; p < ROW_PARTS; p++) {
      x[p] = four(bin + p * part + e);
    }
    for (int i = 0; i < 4; i++) {
      for (int p = 0; p < ROW_PARTS; p++) {
        s->next[p][0][(uint16_t)(x[p] >> 16 * i)]++;
      }
    }
  }
  for (int64_t e = ROW_PARTS * part; e < n; e++) {
    s->next[ROW_PARTS - 1][0][bin[e]]++;
  }
}

typedef uint16_t line[LINE];

// add_line adds the counts of a line's bins and notes the largest.
FN void add_line(uint16_t *restrict sum, uint16_t *restrict begin, uint16_t *restrict widest, const line *a, const line *b, uint16_t mixed) {
  for (int l = 0; l < LINE; l++) {
    uint16_t size = (uint16_t)((*a)[l] + (*b)[l]);
    begin[l] = sum[l];
    sum[l] = (uint16_t)(sum[l] + size);
    size &= mixed;
    widest[l] = size > widest[l] ? size : widest[l];
  }
}

// start_line turns the counts of a line's bins into ranks.
FN void start_line(uint16_t *restrict begin, const uint16_t *restrict before, uint16_t *restrict a, uint16_t *restrict b) {
  for (int l = 0; l < LINE; l++) {
    uint16_t first = (uint16_t)(begin[l] + before[l]);
    b[l] = (uint16_t)(first + a[l]);
    begin[l] = a[l] = first;
  }
}

// sum_steps turns counts into ranks.
static void sum_steps(steps *s) {
  uint16_t sum[LINE] = {0}, widest[LINE] = {0}, before = 0;
  for (int i = 0; i < LINES; i++) {
    add_line(sum, s->begin[i], widest, &s->next[0][i], &s->next[1][i], (uint16_t)(0 - (i & 1)));
  }
  s->widest = 0;
  for (int l = 0; l < LINE; l++) {
    uint16_t size = sum[l];
    sum[l] = before;
    before = (uint16_t)(before + size);
    s->widest = widest[l] > s->widest ? widest[l] : s->widest;
  }
  for (int i = 0; i < LINES; i++) {
    start_line(s->begin[i], sum, s->next[0][i], s->next[1][i]);
  }
}

static void write_ranks(steps *s, const uint16_t *restrict bin, uint16_t *restrict rank, int64_t n) {
  int64_t part = n / ROW_PARTS & -4;
  for (int64_t e = 0; e < part; e += 4) {
    uint64_t x[ROW_PARTS], y[ROW_PARTS] = {0};
    for (int p = 0; p < ROW_PARTS; p++) {
      x[p] = four(bin + p * part + e);
    }
    for (int i = 0; i < 4; i++) {
      for (int p = 0; p < ROW_PARTS; p++) {
        y[p] |= (uint64_t)s->next[p][0][(uint16_t)(x[p] >> 16 * i)]++ << 16 * i;
      }
    }
    for (int p = 0; p < ROW_PARTS; p++) {
      memcpy(rank + p * part + e, &y[p], 8);
    }
  }
  for (int64_t e = ROW_PARTS * part; e < n; e++) {
    rank[e] = s->next[ROW_PARTS - 1][0][bin[e]]++;
  }
}

static void rank_row(const row *w, steps *s) {
  find_steps(w, s->bin, w->r->n);
  count_steps(s, s->bin, w->r->n);
  sum_steps(s);
  write_ranks(s, s->bin, s->rank, w->r->n);
}
#endif

#endif
