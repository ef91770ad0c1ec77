// keep_ranked: the elements of rows that survive when the probability to do so
// rises with the rank of the magnitude in the row (Deep et al. 2024, DELLA,
// "MagPrune"). Ranks are those of a stable ascending sort, so that of equal
// magnitudes the lowest number has the lowest rank.
//
// An element survives if its draw is below the bound of its rank. Whole blocks are
// decided by the upper 8 bits of the draws and of the bounds between which those of an
// element's bin lie (ranks_steps.h). What that does not decide, about one element in a
// hundred, is looked at one by one: the lower bits of the draw may decide it, or its
// rank, which is counted in its bin or, for many, found by sorting (ranks_exact.h).
#ifndef MSMERGE_RANKS_H
#define MSMERGE_RANKS_H

#include "ranks_steps.h"

#ifndef MSMERGE_DEVICE
enum { WORDS = MSMERGE_BLOCK / 64 };  // of 64 bits, a bit for each element of a block in the order of the draws

// look_up writes the edges of a block's elements in the order of the draws. Bins are
// volatile lest the compiler gather a vector from loads one by one.
FN void look_up(uint16_t *restrict to, const volatile uint16_t *bin, const uint16_t *edge) {
  for (int r = 0; r < 8; r += 2, bin += 64) {
    for (int q = 0; q < 32; q += 2, to += 4) {
      to[0] = edge[bin[q]];
      to[1] = edge[bin[q + 1]];
      to[2] = edge[bin[q + 32]];
      to[3] = edge[bin[q + 33]];
    }
  }
}

#if defined(__AVX512BW__)
FN __m512i bytes_of(__m512i a, __m512i b) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)), _mm512_cvtepi16_epi8(b), 1);
}
#endif

// decide_block sets the bits of what the upper bits of the draws keep, and of what they
// leave open.
FN void decide_block(uint64_t *kept, uint64_t *open, const uint16_t *bin, const uint16_t *edge, const uint8_t *draw) {
  uint16_t at[MSMERGE_BLOCK];
  look_up(at, bin, edge);
#if defined(__AVX512BW__)
  for (int i = 0; i < WORDS; i++) {
    __m512i a = _mm512_loadu_si512(at + 64 * i), b = _mm512_loadu_si512(at + 64 * i + 32), d = _mm512_loadu_si512(draw + 64 * i);
    kept[i] = _mm512_cmplt_epu8_mask(d, bytes_of(a, b));
    open[i] = _mm512_cmple_epu8_mask(d, bytes_of(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8))) & ~kept[i];
  }
#else
  uint8_t below[MSMERGE_BLOCK], upto[MSMERGE_BLOCK];
  for (int i = 0; i < MSMERGE_BLOCK; i++) {
    uint8_t low = (uint8_t)at[i], high = (uint8_t)(at[i] >> 8);
    below[i] = draw[i] < low ? 0xff : 0;
    upto[i] = draw[i] <= high ? 0xff : 0;
  }
  for (int i = 0; i < WORDS; i++) {
    kept[i] = pack_bytes(below + 64 * i);
    open[i] = pack_bytes(upto + 64 * i) & ~kept[i];
  }
#endif
}

// only_inside forgets what is no element of the row: its elements in the block are
// numbered from from to to - 1.
static void only_inside(uint64_t *kept, uint64_t *open, int64_t from, int64_t to) {
  uint8_t inside[MSMERGE_BLOCK], at[MSMERGE_BLOCK];
  for (int e = 0; e < MSMERGE_BLOCK; e++) {
    inside[e] = e >= from && e < to ? 0xff : 0;
  }
  for (int pair = 0; pair < MSMERGE_BLOCK / 2; pair++) {  // into the order of the draws
    memcpy(at + place_of(2 * pair), inside + 2 * pair, 2);
  }
  for (int i = 0; i < WORDS; i++) {
    kept[i] &= pack_bytes(at + 64 * i);
    open[i] &= pack_bytes(at + 64 * i);
  }
}

// decide_row sets the bits of what is kept for certain and lists what is open.
static void decide_row(row *w, const steps *s) {
  uint32_t draw[MARKS];
  uint64_t kept[WORDS], open[WORDS];
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    uint8_t *bits = w->bits + at / 8;
    const uint16_t *bin = s->bin + at;
    draw_block(draw, &w->r->mask, w->first - w->lead + at);
    decide_block(kept, open, bin, s->edge[at / SEGMENT][0], (const uint8_t *)draw);
    if (at < w->lead || at + MSMERGE_BLOCK > w->lead + w->r->n) {
      only_inside(kept, open, w->lead - at, w->lead + w->r->n - at);
    }
    for (int i = 0; i < WORDS; i++) {
      uint64_t there;
      memcpy(&there, bits + 8 * i, 8);  // rows share blocks
      there |= kept[i];
      memcpy(bits + 8 * i, &there, 8);
      for (uint64_t some = open[i]; some != 0; some &= some - 1) {
        int place = 64 * i + __builtin_ctzll(some);
        w->some[w->count++] = (undecided){
            .e = (uint32_t)(at + element_at(place) - w->lead), .bit = (uint32_t)(at + place), .draw = (uint32_t)((const uint8_t *)draw)[place] << 24};
      }
    }
  }
}

FN uint16_t count_equal_words(const uint16_t *words, int64_t n, uint16_t w) {
  uint16_t count = 0;
  for (int64_t i = 0; i < n; i++) {
    count = (uint16_t)(count + (words[i] == w));
  }
  return count;
}

// rank_in_bin returns the rank of the element at a place, whose bin has equal magnitudes.
// It counts those of its segment on the side where there are fewer, 32 at a time.
FN int64_t rank_in_bin(const steps *s, int64_t place) {
  int64_t segment = place / SEGMENT, from = segment * SEGMENT, to = from + segment_length(s, segment), chunk = place & -32;
  int late = place - from > to - place;
  uint16_t at = s->bin[place];
  uint32_t before = (1u << (place - chunk)) - 1, equal = equal_words(s->bin + chunk, at) & (late ? ~before : before);
  int64_t lo = late ? chunk + 32 : from, hi = late ? to : chunk;
  int64_t count = __builtin_popcount(equal) + count_equal_words(s->bin + lo, hi - lo, at);
  return late ? s->begin[segment + 1][0][at] - count : s->begin[segment][0][at] + count;
}

// write_ranks writes the ranks of all elements, as far as bins tell, for rows with so many
// equal magnitudes that to count for each of them would take longer.
static void write_ranks(uint16_t *restrict rank, const row *w, const steps *s) {
  table *next = (table *)w->grouped;
  memcpy(next, s->begin, (size_t)s->segments * sizeof *next);
  for (int64_t place = 0; place < s->n; place++) {
    rank[place] = next[place / SEGMENT][0][s->bin[place]]++;
  }
}

// decide_by_upper decides an element of known rank by the upper bits of its draw, and
// reports whether they suffice.
FN int decide_by_upper(row *w, const steps *s, const undecided *u, uint16_t rank) {
  uint16_t edge = edge_of(s->bounds, rank, rank), draw = (uint16_t)(u->draw >> 24);
  decide(w, u, (uint32_t)(edge & 0xff) << 24);
  return draw < (edge & 0xff) || draw > edge >> 8;
}

// decide_by_bin decides an element by the ranks of its bin, or by those that are given, and
// reports whether that was possible. Nothing in it can be foretold, so it has no branch that depends on a draw.
FN int decide_by_bin(row *w, const steps *s, undecided *u, const uint16_t *rank) {
  int64_t place = w->lead + u->e, first = 0, last = w->r->n - 1;
  uint16_t at = s->bin[place];
  if (!is_mixed(at)) {
    if (rank != NULL && decide_by_upper(w, s, u, rank[place])) {
      return 1;
    }
    first = last = rank != NULL ? rank[place] : rank_in_bin(s, place);
  } else if (s->ranked) {
    first = s->begin[0][0][at];
    last = s->begin[s->segments][0][at] - 1;
  }
  u->draw |= lower_bits((uint64_t)(w->first + u->e), w->r->mask.key, w->r->mask.stream);
  uint32_t bound = bound_of(w, first);
  decide(w, u, bound);
  return first == last || u->draw < bound || u->draw >= bound_of(w, last);
}

// Elements of a row whose ranks are counted one by one: so many among unequal ones, and
// one in so many among equal ones.
enum { FEW = 32, SPARSE = 48 };

static void decide_open(row *w, const steps *s) {
  int64_t left = 0;
  uint16_t *rank = NULL;
  if (s->ranked && w->count > w->r->n / SPARSE) {
    rank = (uint16_t *)w->place;
    write_ranks(rank, w, s);
  }
  for (int64_t i = 0; i < w->count; i++) {
    undecided u = w->some[i];
    if (!decide_by_bin(w, s, &u, rank)) {
      w->some[left++] = u;
    }
  }
  if (left == 0) {
    return;
  }
  w->count = left;
  load_row(w);
  if (left > FEW) {
    decide_by_sorting(w);
    return;
  }
  for (int64_t i = 0; i < left; i++) {
    const undecided *u = &w->some[i];
    int32_t m = w->m[u->e];
    // In front of the element its equals count too.
    int64_t rank = count_upto(w->m, u->e, m) + count_upto(w->m + u->e, w->r->n - u->e, m - 1);
    decide(w, u, bound_of(w, rank));
  }
}

static void keep_row(row *w, steps *s) {
  const msmerge_ranks *r = w->r;
  s->n = (w->lead + r->n + MSMERGE_BLOCK - 1) / MSMERGE_BLOCK * MSMERGE_BLOCK;
  s->segments = (s->n + SEGMENT - 1) / SEGMENT;
  rank_row(w, s);
  w->count = 0;
  decide_row(w, s);
  decide_open(w, s);
}

// take returns the beginning of what is left of the workspace, and takes n numbers of a
// size from it.
FN void *take(char **work, int64_t n, size_t size) {
  char *p = *work;
  *work += ((size_t)n * size + 63) & ~(size_t)63;
  return p;
}

// keep_ranked sets the bits of what is kept of some rows. They begin as zeros.
static void keep_ranked(const msmerge_ranks *r) {
  row w = {.r = r};
  steps s = {.above = 0};
  char *work = r->work;  // KeepRanked knows how much all this takes
  int64_t n = r->n + 3 * MSMERGE_BLOCK, most = n / SEGMENT + 1;
  s.begin = take(&work, most + 1, sizeof *s.begin);
  s.edge = take(&work, most, sizeof *s.edge);
  s.bin = take(&work, n, sizeof *s.bin);
  w.some = take(&work, n, sizeof *w.some);
  w.m = take(&work, n, sizeof *w.m);
  w.grouped = take(&work, n, sizeof *w.grouped);
  w.place = take(&work, 4 * n, sizeof *w.place);  // and ranks and the room of sort_bin behind it
  for (int64_t i = 0; i < r->rows; i++) {
    w.base = r->base;
    w.x = r->x;
    w.base.data = (const char *)w.base.data + i * r->n * element_size(w.base.dtype);
    w.x.data = (const char *)w.x.data + i * r->n * element_size(w.x.dtype);
    w.first = r->first + i * r->n;
    w.lead = w.first % MSMERGE_BLOCK;
    w.bits = r->bits + (w.first / MSMERGE_BLOCK - r->first / MSMERGE_BLOCK) * (MSMERGE_BLOCK / 8);
    keep_row(&w, &s);
  }
}
#endif

#endif
