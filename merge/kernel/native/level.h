// Everything for one vector level. A level's file sets the compiler's target,
// defines LEVEL as the name of its table and includes this once.
#include "combine_pairs.h"
#include "kernel.h"
#include "ranks.h"
#include "reduce.h"
#include "select.h"
#include "survey.h"
#include "weighted_sum.h"

static void philox_once(const uint32_t *counter, const uint32_t *key, uint32_t *out) {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
  philox(c, key[0], key[1]);
  for (int i = 0; i < 4; i++) {
    out[i] = c[i];
  }
}

const msmerge_functions LEVEL = {
    .weighted_sum = weighted_sum,
    .combine = combine,
    .histogram = histogram,
    .count_equal = count_equal,
    .find_equal = find_equal,
    .survey = survey,
    .keep_ranked = keep_ranked,
    .sum_magnitudes = sum_magnitudes,
    .philox = philox_once,
};

#include "group_level.h"
