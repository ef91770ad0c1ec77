// Sums over a row or a tensor: a thread for each lane of a block of 4,096 elements,
// and one that joins the lanes of a block.
#ifndef MSMERGE_DEVICE_LANES_H
#define MSMERGE_DEVICE_LANES_H

#include "../lanes.h"
#include "entry.h"

enum { OF_LANE = MSMERGE_REDUCE_BLOCK / MSMERGE_LANES };

// element_of_lane returns the kth element of a thread that has one lane of a block.
FN int64_t element_of_lane(int64_t i, int k) {
  return i / MSMERGE_LANES * MSMERGE_REDUCE_BLOCK + k * MSMERGE_LANES + i % MSMERGE_LANES;
}

// A thread joins the lanes of one sum.
FN void join_at(msmerge_join_arguments *a, int64_t i) { a->sums[i] = join_lanes(a->lanes + i * MSMERGE_LANES); }

ENTRY(join, msmerge_join_arguments)

#endif
