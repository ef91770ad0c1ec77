// survey: one pass over a task vector for a selection whose result is known to lie
// between two limits, but for bad luck. It counts what is above them, counts what
// is at them, of which bfloat16 models have many, and collects the few between.
#ifndef MSMERGE_SURVEY_H
#define MSMERGE_SURVEY_H

#include "pairs.h"
#include "select.h"

#ifndef MSMERGE_DEVICE
// add_found keeps a magnitude that is between, if there is room for it.
FN void add_found(msmerge_survey *s, int32_t m) {
  if (s->between < s->room) {
    s->found[s->between] = m;
  }
  s->between++;
}

#if defined(__AVX2__)
// Counts of eight elements side by side, as negative numbers.
typedef struct {
  __m256i above, at_high, at_low;
} counts;

// count_eight counts eight magnitudes and returns which lie between.
FN __m256i count_eight(counts *c, const msmerge_survey *s, __m256i m) {
  __m256i low = _mm256_set1_epi32(s->low), high = _mm256_set1_epi32(s->high);
  c->above = _mm256_add_epi32(c->above, _mm256_cmpgt_epi32(m, high));
  c->at_high = _mm256_add_epi32(c->at_high, _mm256_cmpeq_epi32(m, high));
  c->at_low = _mm256_add_epi32(c->at_low, _mm256_cmpeq_epi32(m, low));
  return _mm256_and_si256(_mm256_cmpgt_epi32(m, low), _mm256_cmpgt_epi32(high, m));
}

// count_two counts where both limits are the same, and nothing lies between.
FN void count_two(counts *c, __m256i limit, __m256i m) {
  c->above = _mm256_add_epi32(c->above, _mm256_cmpgt_epi32(m, limit));
  c->at_high = _mm256_add_epi32(c->at_high, _mm256_cmpeq_epi32(m, limit));
}

FN void add_eight_found(msmerge_survey *s, __m256i m, __m256i between) {
  int32_t each[8];
  _mm256_storeu_si256((__m256i *)each, m);
  uint32_t some = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(between));
  for (; some != 0; some &= some - 1) {
    add_found(s, each[__builtin_ctz(some)]);
  }
}

FN int64_t add_eight(__m256i x) {
  int32_t each[8];
  int64_t sum = 0;
  _mm256_storeu_si256((__m256i *)each, x);
  for (int i = 0; i < 8; i++) {
    sum -= each[i];
  }
  return sum;
}

FN void add_counts(msmerge_survey *s, const counts *c) {
  s->above += add_eight(c->above);
  s->at_high += add_eight(c->at_high);
  s->at_low += add_eight(c->at_low);
}

// survey_block looks through a block's magnitudes: those that are no elements are -1.
FN void survey_block(msmerge_survey *s, const int32_t *m) {
  counts c = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
  for (int e = 0; e < MSMERGE_BLOCK; e += 8) {
    __m256i x = _mm256_loadu_si256((const __m256i *)(m + e)), between = count_eight(&c, s, x);
    if (_mm256_movemask_epi8(between) != 0) {
      add_eight_found(s, x, between);
    }
  }
  add_counts(s, &c);
}

FN __m256i magnitude_eight(__m256i x, __m256i base) {
  __m256 d = _mm256_sub_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(base));
  return _mm256_and_si256(_mm256_castps_si256(d), _mm256_set1_epi32(0x7fffffff));
}

// survey_pairs does it for a block of bfloat16 models, in any order.
FN void survey_pairs(msmerge_survey *s, int64_t at) {
  const any_u32 *base = pairs_at(s->base.data, at), *x = pairs_at(s->x.data, at);
  counts c = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
  __m256i upper = _mm256_set1_epi32((int)0xffff0000u), limit = _mm256_set1_epi32(s->high);
  int same = s->low == s->high;
  for (int i = 0; i < MSMERGE_BLOCK / 2; i += 8) {
    __m256i b = _mm256_loadu_si256((const __m256i *)(base + i)), v = _mm256_loadu_si256((const __m256i *)(x + i));
    __m256i even = magnitude_eight(_mm256_slli_epi32(v, 16), _mm256_slli_epi32(b, 16));
    __m256i odd = magnitude_eight(_mm256_and_si256(v, upper), _mm256_and_si256(b, upper));
    if (same) {
      count_two(&c, limit, even);
      count_two(&c, limit, odd);
      continue;
    }
    __m256i some = count_eight(&c, s, even), more = count_eight(&c, s, odd);
    if (_mm256_movemask_epi8(_mm256_or_si256(some, more)) != 0) {
      add_eight_found(s, even, some);
      add_eight_found(s, odd, more);
    }
  }
  if (same) {
    c.at_low = c.at_high;
  }
  add_counts(s, &c);
}
#else
enum { GROUP = 32 };  // elements that are looked through one by one if any is between

// survey_block looks through a block's magnitudes: those that are no elements are -1.
FN void survey_block(msmerge_survey *s, const int32_t *m) {
  int32_t low = s->low, high = s->high, above = 0, from_high = 0, from_low = 0, above_low[MSMERGE_BLOCK / GROUP];
  int32_t least[MSMERGE_BLOCK / GROUP];
  for (int g = 0; g < MSMERGE_BLOCK / GROUP; g++) {
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int e = GROUP * g; e < GROUP * g + GROUP; e++) {
      a += m[e] > high;
      b += m[e] >= high;
      c += m[e] > low;
      d += m[e] >= low;
    }
    above += a;
    from_high += b;
    from_low += d - c;
    above_low[g] = c;
    least[g] = b;
  }
  s->above += above;
  s->at_high += from_high - above;
  s->at_low += from_low;
  if (low == high) {
    return;
  }
  for (int g = 0; g < MSMERGE_BLOCK / GROUP; g++) {
    for (int e = GROUP * g; above_low[g] != least[g] && e < GROUP * g + GROUP; e++) {
      if (m[e] > low && m[e] < high) {
        add_found(s, m[e]);
      }
    }
  }
}

// survey_pairs does it for a block of bfloat16 models, in any order.
FN void survey_pairs(msmerge_survey *s, int64_t at) {
  int32_t m[MSMERGE_BLOCK];
  const any_u32 *base = pairs_at(s->base.data, at), *x = pairs_at(s->x.data, at);
  for (int i = 0; i < MSMERGE_BLOCK / 2; i++) {
    m[i] = magnitude(lower_of(x[i]) - lower_of(base[i]));
    m[MSMERGE_BLOCK / 2 + i] = magnitude(upper_of(x[i]) - upper_of(base[i]));
  }
  survey_block(s, m);
}
#endif

static void survey(msmerge_survey *s) {
  int32_t m[MSMERGE_BLOCK];
  msmerge_scan scan = {.base = s->base, .x = s->x, .n = s->n};
  int paired = s->base.dtype == MSMERGE_BF16 && s->x.dtype == MSMERGE_BF16;
  s->above = s->at_high = s->at_low = s->between = 0;
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(s->n, at);
    if (paired && len == MSMERGE_BLOCK) {
      survey_pairs(s, at);
      continue;
    }
    load_magnitudes(m, &scan, at, len);
    for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
      m[e] = -1;  // below every limit
    }
    survey_block(s, m);
  }
}
#endif

#endif
