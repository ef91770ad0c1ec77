// The ranks between which those of a row's elements lie.
//
// The row is counted into bins, by steps of an even share of an octave: of each step
// the magnitudes that are its start, and those above it. Nearly all differences of
// bfloat16 models are the start of a step. Where the magnitudes of a bin are equal, its
// elements have the bin's ranks in their order; otherwise each may have any of them.
// So that a rank of the former is known more closely, a row has segments, each with a
// count of its own.
#ifndef MSMERGE_RANKS_STEPS_H
#define MSMERGE_RANKS_STEPS_H

#include "pairs.h"
#include "ranks_exact.h"

#ifndef MSMERGE_DEVICE
// A step is 1/64 of an octave, and there are 8 octaves. The lowest of them are
// for zeros, of which rows may be full: each for those of a part of the row, which have their
// ranks in this order. All else below the next step is the bin behind its start.
//
// Bin b lies at number (b mod 16) * 64 + b div 16, so that the starts of 64 bins are
// summed at a time. A table has a line more, so that equal bins of two segments do not
// share a place in the cache; its first number stands for what is no element.
enum { STEP_SHIFT = 17, OCTAVES = 8, LINES = 16, LINE = 64, OUTSIDE = LINES * LINE };
enum { ZEROS = 16, SEGMENT = 2048, ROW_MOST = 65535 };

typedef uint16_t line[LINE];
typedef line table[LINES + 1];

// is_mixed reports whether the bin at this number may have unequal magnitudes.
FN int is_mixed(int at) { return at / LINE % 2; }

// The bounds of the draws of ranks, from low to high, in units of 2^-16: twice the upper
// half of the product of slope and the rank times the power of two that brings the highest
// to 16 bits, cut off so that what is added neither falls below zero nor overflows.
typedef struct {
  uint16_t power, slope, low_cut, low_add, high_cut, high_add;
} bounds;

typedef struct {
  int ranked;        // the row has been counted; otherwise all are in bin LINE, with any rank
  int32_t above;     // exponent above those of the steps
  uint16_t *bin;     // of each element, from the beginning of the row's first block
  int64_t n;         // of bin: whole blocks
  int64_t segments;
  table *begin;      // of each segment, and behind them: rank of a bin's first element
  bounds bounds;     // of all ranks
  table *edge;       // of each segment: what draws decide about a bin's elements
} steps;

// bounds_of returns bounds that are rounded away from what lies between them.
static bounds bounds_of(const msmerge_ranks *r) {
  bounds b = {.power = 1};
  double step = 65536 * r->width / (double)(r->n > 1 ? r->n - 1 : 1);
  while (r->n > 1 && b.power < 32768 && (r->n - 1) * 2 * b.power < 65536) {
    b.power = (uint16_t)(2 * b.power);
  }
  b.slope = (uint16_t)(step * 32768 / b.power);
  int32_t low = (int32_t)(65536 * r->low), over = low + 6;  // 4 of them since slope and product are rounded down
  over = over > 65535 ? 65535 : over;
  b.low_cut = low < 1;
  b.low_add = (uint16_t)(low < 1 ? 0 : low - 1);
  b.high_cut = (uint16_t)(65535 - over);
  b.high_add = (uint16_t)over;
  return b;
}

FN uint16_t scaled(bounds b, uint16_t rank) {
  uint16_t x = (uint16_t)(rank * b.power), y = (uint16_t)(((uint32_t)x * b.slope) >> 16);
  return (uint16_t)(y + y);
}

// edge_of returns in its lower byte that below which a draw's upper bits keep the
// elements of ranks from first to last, and in its upper byte that above which they do not.
FN uint16_t edge_of(bounds b, uint16_t first, uint16_t last) {
  uint16_t y = scaled(b, first), z = scaled(b, last);
  uint16_t low = (uint16_t)((y > b.low_cut ? y : b.low_cut) - b.low_cut + b.low_add);
  uint16_t high = (uint16_t)((z < b.high_cut ? z : b.high_cut) + b.high_add);
  return (uint16_t)(low >> 8 | (high & 0xff00));
}

// edge_of_all is for elements of any rank.
static uint16_t edge_of_all(const msmerge_ranks *r) {
  return (uint16_t)(rank_bound(r->low, r->width, 0, r->n) >> 24 | (rank_bound(r->low, r->width, r->n - 1, r->n) >> 24 << 8));
}

// at_step returns where the bin of a magnitude lies; below is where steps begin, and zero
// is the beginning of the step for zeros.
FN uint32_t at_step(int32_t m, int32_t below, int32_t zero) {
  int32_t least = m < 1 ? zero : (ZEROS << STEP_SHIFT) + 1, k = m - below;
  uint32_t x = (uint32_t)(k > least ? k : least);
  uint32_t line = (x >> (STEP_SHIFT - 7)) & (uint32_t)(LINES / 2 - 1) << 7;
  uint32_t mixed = (x & ((1u << STEP_SHIFT) - 1)) != 0 ? LINE : 0;
  return line | mixed | x >> (STEP_SHIFT + 3);
}

// find_steps writes where each element's bin lies and returns the largest magnitude. If
// its exponent is not below that of the end of the steps, the bins are wrong.
static int32_t find_steps(const row *w, uint16_t *restrict bin, int32_t above) {
  msmerge_scan s = {.base = w->base, .x = w->x, .n = w->r->n};
  int32_t m[MSMERGE_BLOCK], top = 0, below = (above > OCTAVES ? above - OCTAVES : 0) << 23;
  int64_t at = 0, whole = s.base.dtype == MSMERGE_BF16 && s.x.dtype == MSMERGE_BF16 ? s.n - s.n % MSMERGE_BLOCK : 0;
  for (; at < whole; at += MSMERGE_BLOCK) {
    const any_u32 *base = pairs_at(s.base.data, at), *x = pairs_at(s.x.data, at);
    any_u32 *to = (any_u32 *)(bin + at);
    int32_t zero = (int32_t)(at * ZEROS / s.n) << STEP_SHIFT;
    for (int i = 0; i < MSMERGE_BLOCK / 2; i++) {
      int32_t a = magnitude(task_vector(lower_of(x[i]), lower_of(base[i]))), b = magnitude(task_vector(upper_of(x[i]), upper_of(base[i])));
      to[i] = at_step(a, below, zero) | at_step(b, below, zero) << 16;
      a = a > b ? a : b;
      top = a > top ? a : top;
    }
  }
  for (; at < s.n; at += MSMERGE_BLOCK) {
    int32_t zero = (int32_t)(at * ZEROS / s.n) << STEP_SHIFT;
    load_magnitudes(m, &s, at, block_length(s.n, at));
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      bin[at + e] = (uint16_t)at_step(m[e], below, zero);
      top = m[e] > top ? m[e] : top;
    }
  }
  return top;
}

// find_fitting does it with steps that fit the row, which are those of the row before it
// if its largest magnitude was not much larger. It reports whether all are finite.
static int find_fitting(const row *w, steps *s) {
  int32_t top = find_steps(w, s->bin + w->lead, s->above), exponent = top >> 23;
  if (exponent == 255) {
    return 0;
  }
  if (exponent >= s->above || (top != 0 && exponent + 3 < s->above)) {
    s->above = exponent + 1;
    find_steps(w, s->bin + w->lead, s->above);
  }
  return 1;
}

FN int64_t segment_length(const steps *s, int64_t segment) {
  int64_t left = s->n - segment * SEGMENT;
  return left < 0 ? 0 : left < SEGMENT ? left : SEGMENT;
}

FN void count_one(volatile uint16_t *count, uint16_t bin) { count[bin] = (uint16_t)(count[bin] + 1); }

// count_steps counts two segments side by side, since elements that follow each other
// are often equal, and would wait for each other. What is volatile is read, raised and
// written by an instruction for each, which takes less time than one for all three.
static void count_steps(const steps *s) {
  memset(s->begin, 0, (size_t)s->segments * sizeof *s->begin);
  for (int64_t i = 0; i < s->segments; i += 2) {
    const volatile uint16_t *bin = s->bin + i * SEGMENT;
    uint16_t *a = s->begin[i][0], *b = s->begin[i + 1][0];
    int64_t n = segment_length(s, i), both = segment_length(s, i + 1), e = 0;
    for (; e < both; e += 4) {
      for (int j = 0; j < 4; j++) {
        count_one(a, bin[e + j]);
        count_one(b, bin[e + j + SEGMENT]);
      }
    }
    for (; e < n; e += 4) {
      for (int j = 0; j < 4; j++) {
        count_one(a, bin[e + j]);
      }
    }
  }
}

// Lines are summed and their counts turned into ranks and edges, 64 bins at a time.
FN void add_line(uint16_t *restrict sum, const uint16_t *restrict count) {
  for (int l = 0; l < LINE; l++) {
    sum[l] = (uint16_t)(sum[l] + count[l]);
  }
}

FN void start_equal(uint16_t *restrict begin, uint16_t *restrict edge, uint16_t *restrict next, bounds b) {
  for (int l = 0; l < LINE; l++) {
    uint16_t first = next[l], after = (uint16_t)(first + begin[l]);
    edge[l] = edge_of(b, first, (uint16_t)(after - 1));
    begin[l] = first;
    next[l] = after;
  }
}

FN void start_mixed(uint16_t *restrict begin, uint16_t *restrict next) {
  for (int l = 0; l < LINE; l++) {
    uint16_t first = next[l];
    next[l] = (uint16_t)(first + begin[l]);
    begin[l] = first;
  }
}

FN void find_edges(uint16_t *restrict edge, const uint16_t *restrict first, const uint16_t *restrict after, bounds b) {
  for (int l = 0; l < LINE; l++) {
    edge[l] = edge_of(b, first[l], (uint16_t)(after[l] - 1));
  }
}

static void start_line(const steps *s, bounds b, const uint16_t *sum, int i) {
  line next;
  memcpy(next, sum, sizeof next);
  for (int64_t k = 0; k < s->segments; k++) {
    if (i % 2 == 1) {
      start_mixed(s->begin[k][i], next);
    } else {
      start_equal(s->begin[k][i], s->edge[k][i], next, b);
    }
  }
  memcpy(s->begin[s->segments][i], next, sizeof next);
  if (i % 2 == 1) {
    line edge;
    find_edges(edge, sum, next, b);
    for (int64_t k = 0; k < s->segments; k++) {
      memcpy(s->edge[k][i], edge, sizeof edge);
    }
  }
}

// sum_steps turns counts into ranks and edges.
static void sum_steps(const steps *s) {
  line sum[LINES + 1] = {{0}};
  for (int i = 0; i < LINES; i++) {
    memcpy(sum[i + 1], sum[i], sizeof sum[i]);
    for (int64_t k = 0; k < s->segments; k++) {
      add_line(sum[i + 1], s->begin[k][i]);
    }
  }
  line before;
  uint16_t rank = 0;
  for (int l = 0; l < LINE; l++) {
    before[l] = rank;
    rank = (uint16_t)(rank + sum[LINES][l]);
  }
  for (int i = 0; i < LINES; i++) {
    add_line(sum[i], before);
    start_line(s, s->bounds, sum[i], i);
  }
}

FN void fill(uint16_t *bin, int64_t from, int64_t to, uint16_t with) {
  for (int64_t i = from; i < to; i++) {
    bin[i] = with;
  }
}

// rank_row fills in the bins of a row and their edges.
static void rank_row(const row *w, steps *s) {
  const msmerge_ranks *r = w->r;
  s->ranked = r->n <= ROW_MOST && r->width > 0 && find_fitting(w, s);
  fill(s->bin, 0, w->lead, OUTSIDE);
  fill(s->bin, w->lead + r->n, s->n, OUTSIDE);
  if (s->ranked) {
    s->bounds = bounds_of(r);
    count_steps(s);
    sum_steps(s);
    return;
  }
  fill(s->bin, w->lead, w->lead + r->n, LINE);
  for (int64_t i = 0; i < s->segments; i++) {
    s->edge[i][1][0] = edge_of_all(r);
  }
}
#endif

#endif
