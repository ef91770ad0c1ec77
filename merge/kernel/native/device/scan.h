// Looking through one task vector: histogram, survey, equal magnitudes, as in
// ../select.h and ../survey.h, and sums of magnitudes, as in ../reduce.h.
#ifndef MSMERGE_DEVICE_SCAN_H
#define MSMERGE_DEVICE_SCAN_H

#include "combine.h"
#include "lanes.h"

FN int32_t magnitude_at(const msmerge_scan *s, int64_t e) {
  return magnitude(task_vector(load_one(s->x, e, ANY), load_one(s->base, e, ANY)));
}

// A thread counts one element.
FN void histogram_at(msmerge_scan_arguments *a, int64_t e) {
  const msmerge_scan *s = &a->s;
  int32_t m = magnitude_at(s, e);
  if ((m >> s->prefix_shift) == s->prefix) {
    add_bin(&a->bins[(m >> s->shift) & (MSMERGE_DIGIT_BINS - 1)]);
  }
}

ENTRY(histogram, msmerge_scan_arguments)

// A thread counts the elements of one block of 4,096 that are at the threshold.
FN void count_equal_at(msmerge_scan_arguments *a, int64_t i) {
  int64_t from = i * MSMERGE_REDUCE_BLOCK, end = from + MSMERGE_REDUCE_BLOCK, count = 0;
  for (int64_t e = from; e < end && e < a->s.n; e++) {
    count += magnitude_at(&a->s, e) == a->s.threshold;
  }
  a->counts[i] = count;
}

ENTRY(count_equal, msmerge_scan_arguments)

// One thread looks for the nth.
FN void find_equal_at(msmerge_scan_arguments *a, int64_t i) {
  int64_t nth = a->nth;
  for (int64_t e = a->from + i; e < a->s.n; e++) {
    nth -= magnitude_at(&a->s, e) == a->s.threshold;
    if (nth == 0) {
      a->place = e;
      return;
    }
  }
}

ENTRY(find_equal, msmerge_scan_arguments)

// A thread looks through every 16th element of a block of 4,096.
FN void survey_at(msmerge_survey_arguments *a, int64_t i, int64_t dtype) {
  msmerge_survey *s = &a->s;
  msmerge_survey_counts *c = &a->counts[i % a->slots], own = {0, 0, 0, 0};
  int64_t room = s->room / a->slots;
  for (int k = 0; k < OF_LANE; k++) {
    int64_t e = element_of_lane(i, k);
    if (e >= s->n) {
      break;
    }
    int32_t m = magnitude(task_vector(load_one(s->x, e, dtype), load_one(s->base, e, dtype)));
    own.above += m > s->high;
    own.at_high += m == s->high;
    own.at_low += m == s->low;
    if (m > s->low && m < s->high) {
      int64_t place = take_count(&c->between);
      if (place < room) {
        s->found[i % a->slots * room + place] = m;
      }
    }
  }
  add_count(&c->above, own.above);
  add_count(&c->at_high, own.at_high);
  add_count(&c->at_low, own.at_low);
}

TYPED_ENTRIES(survey, msmerge_survey_arguments)

typedef struct {
  double lower, upper;
} two_sums;

FN void add_magnitude(double *sum, float d) { *sum += (double)float_of((uint32_t)magnitude(d)); }

// sums fills the lanes of a block with the sums of magnitudes. A thread has the two
// lanes 2 q and 2 q + 1 and so works on the elements of counters q and q + 8.
FN void sums_at(msmerge_scan_arguments *a, int64_t i, int64_t dtype) {
  const msmerge_scan *s = &a->s;
  const msmerge_input *in = &a->in;
  two_sums all = {0, 0}, kept = {0, 0};
  int64_t block = i / 8, q = i % 8, end = (block + 1) * 16;
  for (int64_t b = block * 16; b < end && b * MSMERGE_BLOCK < s->n; b++) {
    marks mark[2] = {find_marks_of(in, s->first, b * 16 + q), find_marks_of(in, s->first, b * 16 + q + 8)};
    for (int r = 0; r < EIGHT; r++) {
      for (int half = 0; half < 2; half++) {
        int64_t e = pair_of_thread(b * 16 + q + 8 * half, r);
        if (e >= s->n) {
          break;
        }
        two base = load_two(s->base, e, dtype), x = load_two(s->x, e, dtype);
        uint32_t both = marks_of(mark[half], r);
        float d = task_vector(x.lower, base.lower);
        add_magnitude(&all.lower, d);
        add_magnitude(&kept.lower, kept_at(in, s->first + e, both & 1u, d));
        if (e + 1 < s->n) {
          d = task_vector(x.upper, base.upper);
          add_magnitude(&all.upper, d);
          add_magnitude(&kept.upper, kept_at(in, s->first + e + 1, both >> 1, d));
        }
      }
    }
  }
  int64_t to = block * MSMERGE_LANES + 2 * q;
  a->lanes[to] = all.lower;
  a->lanes[to + 1] = all.upper;
  a->kept[to] = kept.lower;
  a->kept[to + 1] = kept.upper;
}

TYPED_ENTRIES(sums, msmerge_scan_arguments)

#endif
