// keep_ranked: the elements of a row that survive when the probability to do so
// rises with the rank of the magnitude in the row (Deep et al. 2024, DELLA,
// "MagPrune"). Ranks are those of a stable ascending sort, so that of equal
// magnitudes the lowest number has the lowest rank.
//
// An element with draw u survives if u is below bound(rank). Only where u lies
// between the bounds of the lowest and the highest rank does the rank matter. For
// these a histogram of the row's magnitudes gives the ranks of all elements of a
// bin, and only those whose u lies between the bounds of the bin's ends need their
// own rank. If they are few they are counted for each, otherwise the row is
// sorted into its bins, and the bins that need it are sorted.
#ifndef MSMERGE_RANKS_H
#define MSMERGE_RANKS_H

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
  uint32_t mark;  // place of its mark
  uint32_t draw;  // with zeros for its lower bits, until they matter
} undecided;

typedef struct {
  const msmerge_ranks *r;
  int32_t *m;           // magnitudes
  int32_t *grouped;     // magnitudes, bin after bin
  int32_t *place;       // places in the row, in the same order
  undecided *some;      // grows while the draws are looked at, shrinks afterwards
  int64_t count;        // of some
  uint8_t *marks;       // of the blocks that the row touches
  int32_t lowest;       // bin number of the first bin
  int64_t start[BINS + 1];
} row;

FN int bin_of(const row *w, int32_t m) {
  int32_t bin = (m >> BIN_SHIFT) - w->lowest;
  return bin < 0 ? 0 : bin;
}

// The histogram is kept in parts for the same reason as in select.h.
static void fill_bins(row *w, int64_t n) {
  uint32_t part[2][BINS] = {{0}};
  int64_t e = 0;
  for (; e + 1 < n; e += 2) {
    part[0][bin_of(w, w->m[e])]++;
    part[1][bin_of(w, w->m[e + 1])]++;
  }
  if (e < n) {
    part[0][bin_of(w, w->m[e])]++;
  }
  int64_t sum = 0;
  for (int b = 0; b < BINS; b++) {
    w->start[b] = sum;
    sum += part[0][b] + part[1][b];
  }
  w->start[BINS] = sum;
}

static void load_row(row *w, const msmerge_ranks *r) {
  msmerge_scan s = {.base = r->base, .x = r->x, .n = r->n};
  int32_t top = 0;
  for (int64_t at = 0; at < r->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(r->n, at);
    load_magnitudes(w->m + at, &s, at, len);
    const int32_t *m = w->m + at;  // zeros where the block is padded
    for (int e = 0; e < MSMERGE_BLOCK; e++) {
      top = m[e] > top ? m[e] : top;
    }
  }
  w->lowest = (top >> BIN_SHIFT) - (BINS - 1);
}

// decide_block marks what the draws alone decide in one block and notes the rest.
static void decide_block(row *w, const uint8_t *inverse, int64_t block, uint32_t sure, uint32_t never) {
  const msmerge_ranks *r = w->r;
  uint32_t draw[MARKS];
  draw_block(draw, &r->mask, 256 * block);
  const uint8_t *byte = (const uint8_t *)draw;
  uint8_t *mark = w->marks + 256 * (block - r->from), open[MSMERGE_BLOCK];
  int64_t before = 256 * block - r->first;  // place in the row of the block's first element
  int whole = before >= 0 && before + 256 <= r->n;
  uint8_t top = (uint8_t)(sure >> 24), end = (uint8_t)(never >> 24);
  if (whole) {
    for (int i = 0; i < MSMERGE_BLOCK; i++) {
      mark[i] = byte[i] < top;
      open[i] = (byte[i] >= top) & (byte[i] <= end) ? 0xff : 0;
    }
  } else {
    for (int i = 0; i < MSMERGE_BLOCK; i++) {
      int64_t e = before + inverse[i];
      open[i] = 0;
      if (e >= 0 && e < r->n) {
        mark[i] = byte[i] < top;
        open[i] = byte[i] >= top && byte[i] <= end ? 0xff : 0;
      }
    }
  }
  for (int from = 0; from < MSMERGE_BLOCK; from += 32) {
    for (uint32_t some = equal_bytes(open + from, 0xff); some != 0; some &= some - 1) {
      int i = from + __builtin_ctz(some);
      w->some[w->count++] = (undecided){(uint32_t)(before + inverse[i]), (uint32_t)(mark + i - w->marks), (uint32_t)byte[i] << 24};
    }
  }
}

// is_below draws the lower bits where the upper ones do not decide.
FN int is_below(const row *w, undecided u, uint32_t bound) {
  uint32_t upper = bound & 0xff000000u;
  if (u.draw != upper) {
    return u.draw < upper;
  }
  return (u.draw | lower_bits((uint64_t)(w->r->first + u.e), w->r->mask.key, w->r->mask.stream)) < bound;
}

// decide_by_bin marks what the bounds of an element's bin decide, and leaves the
// rest.
static void decide_by_bin(row *w) {
  const msmerge_ranks *r = w->r;
  uint32_t bound[2][BINS];
  for (int b = 0; b < BINS; b++) {
    if (w->start[b] < w->start[b + 1]) {
      bound[0][b] = rank_bound(r->low, r->width, w->start[b], r->n);
      bound[1][b] = rank_bound(r->low, r->width, w->start[b + 1] - 1, r->n);
    }
  }
  int64_t left = 0;
  for (int64_t i = 0; i < w->count; i++) {
    undecided u = w->some[i];
    int b = bin_of(w, w->m[u.e]);
    uint32_t low = bound[0][b], high = bound[1][b];
    int keep = u.draw < (low & 0xff000000u), maybe = u.draw < (high & 0xff000000u);
    if (u.draw == (low & 0xff000000u) || u.draw == (high & 0xff000000u)) {
      keep = is_below(w, u, low);
      maybe = is_below(w, u, high);
    }
    w->marks[u.mark] = (uint8_t)keep;  // without branches, which could not be predicted
    w->some[left] = u;
    left += maybe && !keep;
  }
  w->count = left;
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

FN void decide(row *w, undecided u, int64_t rank) {
  w->marks[u.mark] = (uint8_t)is_below(w, u, rank_bound(w->r->low, w->r->width, rank, w->r->n));
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
  int64_t n = w->r->n, next[BINS];
  uint8_t open[BINS] = {0};
  int32_t *rank = w->place + n, *room = rank + n;
  for (int64_t i = 0; i < w->count; i++) {
    open[bin_of(w, w->m[w->some[i].e])] = 1;
  }
  memcpy(next, w->start, sizeof next);
  for (int64_t e = 0; e < n; e++) {
    int64_t at = next[bin_of(w, w->m[e])]++;
    w->grouped[at] = w->m[e];
    w->place[at] = (int32_t)e;
    rank[e] = (int32_t)at;
  }
  for (int b = 0; b < BINS; b++) {
    int64_t from = w->start[b], size = w->start[b + 1] - from;
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
    decide(w, w->some[i], rank[w->some[i].e]);
  }
}

enum { FEW = 24 };  // elements whose ranks are counted one by one

static void decide_by_rank(row *w) {
  if (w->count > FEW) {
    decide_by_sorting(w);
    return;
  }
  for (int64_t i = 0; i < w->count; i++) {
    undecided u = w->some[i];
    int32_t m = w->m[u.e];
    // In front of the element its equals count too.
    decide(w, u, count_upto(w->m, u.e, m) + count_upto(w->m + u.e, w->r->n - u.e, m - 1));
  }
}

// keep_ranked sets the bits of one row, in blocks that begin as zeros and may be
// shared with other rows.
static void keep_ranked(const msmerge_ranks *r) {
  row w = {.r = r};
  int64_t n = (r->n + MSMERGE_BLOCK - 1) / MSMERGE_BLOCK * MSMERGE_BLOCK;
  w.m = r->work;
  w.grouped = w.m + n;
  w.place = w.grouped + n;  // and ranks and the room of sort_bin behind it
  w.some = (undecided *)(w.place + 4 * n);
  w.marks = (uint8_t *)(w.some + n);
  memset(w.marks, 0, (size_t)(256 * (r->to - r->from)));
  uint8_t inverse[MSMERGE_BLOCK];
  for (int i = 0; i < MSMERGE_BLOCK; i++) {
    inverse[i] = (uint8_t)element_at(i);
  }
  uint32_t sure = rank_bound(r->low, r->width, 0, r->n), never = rank_bound(r->low, r->width, r->n - 1, r->n);
  for (int64_t b = r->from; b < r->to; b++) {
    decide_block(&w, inverse, b, sure, never);
  }
  if (w.count > 0) {
    load_row(&w, r);
    fill_bins(&w, r->n);
    decide_by_bin(&w);
    decide_by_rank(&w);
  }
  for (int64_t b = r->from; b < r->to; b++) {
    uint8_t bits[MSMERGE_BLOCK / 8];
    pack_marks(bits, w.marks + 256 * (b - r->from));
    uint8_t *to = r->bits + MSMERGE_BLOCK / 8 * (b - r->from);
    for (int i = 0; i < MSMERGE_BLOCK / 8; i++) {
      to[i] |= bits[i];
    }
  }
}
#endif

#endif
