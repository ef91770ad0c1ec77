// keep_ranked: the elements of rows that survive when the probability to do so
// rises with the rank of the magnitude in the row (Deep et al. 2024, DELLA,
// "MagPrune"). Ranks are those of a stable ascending sort, so that of equal
// magnitudes the lowest number has the lowest rank.
//
// An element survives if its draw is below the bound of its rank. Whole blocks are
// decided by the upper 8 bits of the draws and of bounds that are right but for a
// margin, of the ranks that ranks_steps.h finds; only the elements in the margin are
// looked at one by one, and what their bins do not decide, ranks_exact.h does.
#ifndef MSMERGE_RANKS_H
#define MSMERGE_RANKS_H

#include "ranks_steps.h"

#ifndef MSMERGE_DEVICE
// The bounds of all ranks that an element may have, from low to high, in units of
// 2^-16: twice the upper half of the product of slope and the rank shifted left, cut
// off so that what is added neither falls below zero nor overflows.
typedef struct {
  int shift;
  uint16_t slope, low_cut, low_add, high_cut, high_add;
} bounds;

// bounds_of returns the bounds of ranks that are right but for a distance below
// widest. What is not whole is rounded away from what lies between them.
static bounds bounds_of(const msmerge_ranks *r, int64_t widest) {
  bounds b = {0};
  double step = 65536 * r->width / (double)(r->n > 1 ? r->n - 1 : 1), low = 65536 * r->low;
  while (r->n > 1 && (r->n - 1) << (b.shift + 1) < 65536) {
    b.shift++;
  }
  b.slope = (uint16_t)(step * 32768 / (1 << b.shift));
  int32_t margin = (int32_t)(step * (double)widest) + 1, under = (int32_t)low - margin - 1;
  int32_t over = (int32_t)low + margin + 6;  // 4 of them since slope and product are rounded down
  under = under < -65535 ? -65535 : under;
  over = over > 65535 ? 65535 : over;
  b.low_cut = under < 0 ? (uint16_t)-under : 0;
  b.low_add = (uint16_t)under;
  b.high_cut = (uint16_t)(65535 - over);
  b.high_add = (uint16_t)over;
  return b;
}

// bounds_of_all returns those of all ranks, whatever is given as rank.
static bounds bounds_of_all(const msmerge_ranks *r) {
  int32_t under = (int32_t)(65536 * r->low) - 1, over = (int32_t)(65536 * (r->low + r->width)) + 1;
  under = under < 0 ? 0 : under;
  over = over > 65535 ? 65535 : over;
  return (bounds){.low_add = (uint16_t)under, .high_add = (uint16_t)over};
}

// to_places puts a block's bytes into the order of the draws.
FN void to_places(uint8_t *restrict to, const uint8_t *restrict from) {
  for (int r = 0; r < 8; r += 2) {
    uint16_t a[16], b[16], both[32];
    memcpy(a, from + 32 * r, 32);
    memcpy(b, from + 32 * r + 32, 32);
    for (int q = 0; q < 16; q++) {
      both[2 * q] = a[q];
      both[2 * q + 1] = b[q];
    }
    memcpy(to + 32 * r, both, 64);
  }
}

// decide_block marks what the upper bits of the draws decide in one block, and
// writes ones to open where they do not.
FN void decide_block(uint8_t *restrict mark, uint8_t *restrict open, const uint16_t *restrict rank, const bounds *b, const uint8_t *draw) {
  uint8_t low[MSMERGE_BLOCK], high[MSMERGE_BLOCK], low_at[MSMERGE_BLOCK], high_at[MSMERGE_BLOCK];
  uint16_t slope = b->slope, low_cut = b->low_cut, low_add = b->low_add, high_cut = b->high_cut, high_add = b->high_add;
  int shift = b->shift;
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    uint16_t x = (uint16_t)(rank[e] << shift);
    uint16_t y = (uint16_t)(((uint32_t)x * slope) >> 16);
    y = (uint16_t)(y + y);
    uint16_t under = y > low_cut ? y : low_cut, over = y < high_cut ? y : high_cut;
    under = (uint16_t)(under + low_add);
    over = (uint16_t)(over + high_add);
    low[e] = (uint8_t)(under >> 8);
    high[e] = (uint8_t)(over >> 8);
  }
  to_places(low_at, low);
  to_places(high_at, high);
  for (int i = 0; i < MSMERGE_BLOCK; i++) {
    mark[i] = draw[i] < low_at[i];
    open[i] = draw[i] >= low_at[i] && draw[i] <= high_at[i] ? 0xff : 0;
  }
}

// only_inside forgets what is no element of the row: its elements in the block are
// from from to to - 1.
static void only_inside(uint8_t *restrict mark, uint8_t *restrict open, const uint8_t *inverse, int64_t from, int64_t to) {
  for (int i = 0; i < MSMERGE_BLOCK; i++) {
    int inside = inverse[i] >= from && inverse[i] < to;
    mark[i] = inside ? mark[i] : 0;
    open[i] = inside ? open[i] : 0;
  }
}

// decide_one decides an element by its bin or adds it to those whose rank is needed.
static void decide_one(row *w, const steps *s, int ranked, undecided u) {
  int64_t first = 0, last = w->r->n - 1;
  if (ranked) {
    int at = s->bin[u.e];
    first = is_mixed(at) ? s->begin[0][at] : s->rank[u.e];
    last = is_mixed(at) ? s->next[ROW_PARTS - 1][0][at] - 1 : first;
  }
  int keep = is_below(w, u, bound_of(w, first)), maybe = keep || first == last ? keep : is_below(w, u, bound_of(w, last));
  w->marks[u.mark] = (uint8_t)keep;
  if (maybe && !keep) {
    w->some[w->count++] = u;
  }
}

static void decide_row(row *w, const steps *s, int ranked, int64_t from, int64_t to) {
  static const uint16_t none[MSMERGE_BLOCK];
  uint32_t draw[MARKS];
  uint8_t open[MSMERGE_BLOCK], *byte = (uint8_t *)draw;
  bounds b = ranked ? bounds_of(w->r, s->widest) : bounds_of_all(w->r);
  w->count = 0;
  for (int64_t block = from; block < to; block++) {
    uint8_t *mark = w->marks + MSMERGE_BLOCK * (block - from);
    int64_t at = MSMERGE_BLOCK * block - w->first;  // place in the row of the block's first element
    draw_block(draw, &w->r->mask, MSMERGE_BLOCK * block);
    decide_block(mark, open, ranked ? s->rank + at : none, &b, byte);
    if (at < 0 || at + MSMERGE_BLOCK > w->r->n) {
      only_inside(mark, open, w->inverse, -at, w->r->n - at);
    }
    for (int part = 0; part < MSMERGE_BLOCK; part += 32) {
      for (uint32_t some = equal_bytes(open + part, 0xff); some != 0; some &= some - 1) {
        int i = part + __builtin_ctz(some);
        decide_one(w, s, ranked, (undecided){(uint32_t)(at + w->inverse[i]), (uint32_t)(mark + i - w->marks), (uint32_t)byte[i] << 24});
      }
    }
  }
}

// add_bits sets the bits of a row, whose first and last block other rows share.
static void add_bits(const row *w, uint8_t *to, int64_t blocks) {
  uint8_t bits[MSMERGE_BLOCK / 8];
  for (int64_t b = 0; b < blocks; b++) {
    pack_marks(bits, w->marks + 256 * b);
    for (int i = 0; i < MSMERGE_BLOCK / 8; i++) {
      *to++ |= bits[i];
    }
  }
}

static void keep_row(row *w, steps *s, msmerge_view base, msmerge_view x) {
  const msmerge_ranks *r = w->r;
  int64_t from = w->first / MSMERGE_BLOCK, to = (w->first + r->n + MSMERGE_BLOCK - 1) / MSMERGE_BLOCK;
  load_row(w, base, x);
  int ranked = r->n <= ROW_MOST && r->width > 0 && w->top < 0x7f800000;
  if (ranked) {
    rank_row(w, s);
  }
  decide_row(w, s, ranked, from, to);
  decide_by_rank(w);
  add_bits(w, r->bits + MSMERGE_BLOCK / 8 * (from - r->first / MSMERGE_BLOCK), to - from);
}

// keep_ranked sets the bits of what is kept of some rows. They begin as zeros.
static void keep_ranked(const msmerge_ranks *r) {
  row w = {.r = r};
  steps s;
  int64_t n = (r->n + MSMERGE_BLOCK - 1) / MSMERGE_BLOCK * MSMERGE_BLOCK;
  w.m = r->work;  // KeepRanked knows how much all this takes
  w.grouped = w.m + n;
  w.place = w.grouped + n;  // and ranks and the room of sort_bin behind it
  w.some = (undecided *)(w.place + 4 * n);
  w.marks = (uint8_t *)(w.some + n);
  s.bin = (uint16_t *)w.grouped;  // nothing is grouped before the bins have done their work
  s.rank = (uint16_t *)w.place + MSMERGE_BLOCK;  // a block in front and one behind are read
  for (int i = 0; i < MSMERGE_BLOCK; i++) {
    w.inverse[i] = (uint8_t)element_at(i);
  }
  for (int64_t i = 0; i < r->rows; i++) {
    msmerge_view base = r->base, x = r->x;
    base.data = (const char *)base.data + i * r->n * element_size(base.dtype);
    x.data = (const char *)x.data + i * r->n * element_size(x.dtype);
    w.first = r->first + i * r->n;
    keep_row(&w, &s, base, x);
  }
}
#endif

#endif
