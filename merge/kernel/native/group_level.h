// The table of operations on groups of models, for one vector level; level.h
// includes it.
#include "combine_lines.h"
#include "divergence.h"
#include "fuse.h"
#include "nearswap.h"
#include "products.h"
#include "ram.h"
#include "sce.h"

#define GROUP_TABLE_OF(level) level##_group
#define GROUP_TABLE(level) GROUP_TABLE_OF(level)

const msmerge_group_functions GROUP_TABLE(LEVEL) = {
    .products = products,
    .column_products = column_products,
    .combine_lines = combine_lines,
    .nearswap = nearswap,
    .divergence = divergence,
    .fuse = fuse,
    .score_high = score_high,
    .score_low = score_low,
    .score_equal = score_equal,
    .squares = squares,
    .sce = sce,
    .count_active = count_active,
    .ram = ram,
};
