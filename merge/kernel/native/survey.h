// survey: one pass over a task vector for a selection whose result is known to lie
// between two limits, but for bad luck. It counts what is above them, counts what
// is at them, of which bfloat16 models have many, and collects the few between.
#ifndef MSMERGE_SURVEY_H
#define MSMERGE_SURVEY_H

#include "pairs.h"
#include "select.h"

#ifndef MSMERGE_DEVICE
enum { GROUP = 32 };  // elements that are looked through one by one if any is between

// survey_pairs fills m with the magnitudes of a block of bfloat16 models, in any order.
FN void survey_pairs(int32_t *restrict m, const msmerge_survey *s, int64_t at) {
  const any_u32 *base = pairs_at(s->base.data, at), *x = pairs_at(s->x.data, at);
  for (int i = 0; i < MSMERGE_BLOCK / 2; i++) {
    m[i] = magnitude(lower_of(x[i]) - lower_of(base[i]));
    m[MSMERGE_BLOCK / 2 + i] = magnitude(upper_of(x[i]) - upper_of(base[i]));
  }
}

static void collect(msmerge_survey *s, const int32_t *m, int64_t len) {
  int32_t low = s->low, high = s->high;
  if (s->between + len > s->room) {
    for (int64_t e = 0; e < len; e++) {
      s->between += m[e] > low && m[e] < high;
    }
    return;
  }
  int32_t *found = s->found + s->between;
  int64_t n = 0;
  for (int64_t e = 0; e < len; e++) {
    found[n] = m[e];
    n += (m[e] > low) & (m[e] < high);
  }
  s->between += n;
}

// survey_block counts len of a block's elements: those from len on must be -1.
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
    if (above_low[g] != least[g]) {
      collect(s, m + GROUP * g, GROUP);
    }
  }
}

static void survey(msmerge_survey *s) {
  int32_t m[MSMERGE_BLOCK];
  msmerge_scan scan = {.base = s->base, .x = s->x, .n = s->n};
  int paired = s->base.dtype == MSMERGE_BF16 && s->x.dtype == MSMERGE_BF16;
  s->above = s->at_high = s->at_low = s->between = 0;
  for (int64_t at = 0; at < s->n; at += MSMERGE_BLOCK) {
    int64_t len = block_length(s->n, at);
    if (paired && len == MSMERGE_BLOCK) {
      survey_pairs(m, s, at);
    } else {
      load_magnitudes(m, &scan, at, len);
      for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
        m[e] = -1;  // below every limit
      }
    }
    survey_block(s, m);
  }
}
#endif

#endif
