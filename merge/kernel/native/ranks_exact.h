// The row under way, and the ranks of the elements in it that nothing else decides. If
// they are few, the magnitudes in front of each are counted; otherwise the row is sorted
// into bins, and the bins that need it are sorted.
#ifndef MSMERGE_RANKS_EXACT_H
#define MSMERGE_RANKS_EXACT_H

#include "select.h"

// rank_bound returns the bound below which a draw keeps the element of a rank,
// counted from 0, in a row of n: floor(2^32 (low + width rank / (n - 1))).
FN uint32_t rank_bound(double low, double width, int64_t rank, int64_t n) {
  double p = low + width * (double)rank / (double)(n > 1 ? n - 1 : 1);
  return (uint32_t)(p * 4294967296.0);
}

#ifndef MSMERGE_DEVICE
// Bins are 1/32 of an octave wide and reach 32 octaves down from the row's
// largest magnitude; what is smaller shares the first.
enum { BIN_SHIFT = 18, BINS = 1024 };

typedef struct {
  uint32_t e;     // place in the row
  uint32_t bit;   // number of its bit
  uint32_t draw;  // at first only its upper bits
} undecided;

typedef struct {
  const msmerge_ranks *r;
  msmerge_view base, x;
  int64_t first;    // number of the row's first element
  int64_t lead;     // elements of the row's first block that are in front of it
  int32_t *m;       // magnitudes
  int32_t top;      // the largest of them
  int32_t *grouped; // magnitudes, bin after bin
  int32_t *place;   // places in the row, in the same order
  undecided *some;
  int64_t count;    // of some
  uint8_t *bits;    // of the blocks that the row touches
} row;

FN uint32_t bound_of(const row *w, int64_t rank) { return rank_bound(w->r->low, w->r->width, rank, w->r->n); }

// decide sets the bit of an element if that is kept.
FN void decide(row *w, const undecided *u, uint32_t bound) { w->bits[u->bit / 8] |= (uint8_t)((u->draw < bound) << u->bit % 8); }

static void load_row(row *w) {
  msmerge_scan s = {.base = w->base, .x = w->x, .n = w->r->n};
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

FN int bin_of(const row *w, int32_t m) {
  int32_t bin = (m >> BIN_SHIFT) - (w->top >> BIN_SHIFT) + BINS - 1;
  return bin < 0 ? 0 : bin;
}

// fill_bins writes where in the row's order each bin starts.
static void fill_bins(const row *w, int64_t *start) {
  uint32_t part[2][BINS] = {{0}};  // in parts for the same reason as in select.h
  int64_t n = w->r->n, e = 0, sum = 0;
  for (; e + 1 < n; e += 2) {
    part[0][bin_of(w, w->m[e])]++;
    part[1][bin_of(w, w->m[e + 1])]++;
  }
  if (e < n) {
    part[0][bin_of(w, w->m[e])]++;
  }
  for (int b = 0; b < BINS; b++) {
    start[b] = sum;
    sum += part[0][b] + part[1][b];
  }
  start[BINS] = sum;
}

// count_upto returns how many of n magnitudes are at most m.
FN int64_t count_upto(const int32_t *x, int64_t n, int32_t m) {
  int64_t total = 0;
  for (int64_t from = 0; from < n; from += 1 << 20) {
    int32_t c = 0;
    int64_t to = n - from < 1 << 20 ? n : from + (1 << 20);
    for (int64_t e = from; e < to; e++) {
      c += x[e] <= m;
    }
    total += c;
  }
  return total;
}

enum { DIGIT = 9 };  // bits

// sort_bin sorts n magnitudes with their places, stably, digit by digit. The room
// holds 2 n of them.
static void sort_bin(int32_t *m, int32_t *place, int64_t n, int32_t *room) {
  int32_t *from[2] = {m, place}, *to[2] = {room, room + n};
  for (int shift = 0; shift < 32; shift += DIGIT) {
    int64_t start[(1 << DIGIT) + 1] = {0};
    for (int64_t i = 0; i < n; i++) {
      start[((from[0][i] >> shift) & ((1 << DIGIT) - 1)) + 1]++;
    }
    if (start[((from[0][0] >> shift) & ((1 << DIGIT) - 1)) + 1] == n) {
      continue;
    }
    for (int b = 0; b < 1 << DIGIT; b++) {
      start[b + 1] += start[b];
    }
    for (int64_t i = 0; i < n; i++) {
      int64_t at = start[(from[0][i] >> shift) & ((1 << DIGIT) - 1)]++;
      to[0][at] = from[0][i];
      to[1][at] = from[1][i];
    }
    for (int j = 0; j < 2; j++) {
      int32_t *swap = from[j];
      from[j] = to[j];
      to[j] = swap;
    }
  }
  if (from[0] != m) {
    memcpy(m, from[0], (size_t)n * sizeof *m);
    memcpy(place, from[1], (size_t)n * sizeof *place);
  }
}

// sort_few is for bins of a few elements.
static void sort_few(int32_t *m, int32_t *place, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    int32_t x = m[i], p = place[i];
    int64_t j = i;
    for (; j > 0 && m[j - 1] > x; j--) {
      m[j] = m[j - 1];
      place[j] = place[j - 1];
    }
    m[j] = x;
    place[j] = p;
  }
}

FN int all_equal(const int32_t *m, int64_t n) {
  int32_t differ = 0;
  for (int64_t i = 0; i < n; i++) {
    differ |= m[i] ^ m[0];
  }
  return differ == 0;
}

// decide_by_sorting puts the row in the order of its bins, which ranks the elements
// of a bin whose magnitudes are equal, and sorts the other bins in which something
// is undecided.
static void decide_by_sorting(row *w) {
  int64_t n = w->r->n, start[BINS + 1], next[BINS];
  uint8_t open[BINS] = {0};
  int32_t *rank = w->place + n, *room = rank + n;
  for (int64_t i = 0; i < w->count; i++) {
    open[bin_of(w, w->m[w->some[i].e])] = 1;
  }
  fill_bins(w, start);
  memcpy(next, start, sizeof next);
  for (int64_t e = 0; e < n; e++) {
    int64_t at = next[bin_of(w, w->m[e])]++;
    w->grouped[at] = w->m[e];
    w->place[at] = (int32_t)e;
    rank[e] = (int32_t)at;
  }
  for (int b = 0; b < BINS; b++) {
    int64_t from = start[b], size = start[b + 1] - from;
    int32_t *m = w->grouped + from, *place = w->place + from;
    if (!open[b] || all_equal(m, size)) {
      continue;
    }
    if (size <= 48) {
      sort_few(m, place, size);
    } else {
      sort_bin(m, place, size, room);
    }
    for (int64_t i = 0; i < size; i++) {
      rank[place[i]] = (int32_t)(from + i);
    }
  }
  for (int64_t i = 0; i < w->count; i++) {
    decide(w, &w->some[i], bound_of(w, rank[w->some[i].e]));
  }
}
#endif

#endif
