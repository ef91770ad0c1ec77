// What operations on groups share: blocks of task vectors, loops that know the
// number of models, and the number of an element's line.
#ifndef MSMERGE_GROUP_BLOCK_H
#define MSMERGE_GROUP_BLOCK_H

#include "combine.h"

#ifndef MSMERGE_DEVICE
#include "group.h"

// BY_COUNT calls f with the number of models as a constant where it is small, so
// that its loops over models unroll.
#define BY_COUNT(f, n, ...) \
  switch (n) {              \
    case 1:                 \
      f(1, __VA_ARGS__);    \
      break;                \
    case 2:                 \
      f(2, __VA_ARGS__);    \
      break;                \
    case 3:                 \
      f(3, __VA_ARGS__);    \
      break;                \
    case 4:                 \
      f(4, __VA_ARGS__);    \
      break;                \
    case 5:                 \
      f(5, __VA_ARGS__);    \
      break;                \
    default:                \
      f(n, __VA_ARGS__);    \
  }

// load_group fills d with one block of each model, as task vectors if there is a
// base.
FN void load_group(const msmerge_group *g, int64_t at, int64_t len, float *restrict base, float d[][MSMERGE_BLOCK]) {
  padding pad;
  if (g->base.data == NULL) {
    for (int64_t i = 0; i < g->inputs; i++) {
      load_block(d[i], g->x[i], at, len);
    }
    return;
  }
  load_block(base, g->base, at, len);
  for (int64_t i = 0; i < g->inputs; i++) {
    const void *src = block_of(g->x[i], at, len, &pad);
    float *restrict to = d[i];
    EACH_ELEMENT(g->x[i].dtype, src, { to[e] = task_vector(x, base[e]); })
  }
}

// line_values spreads the numbers of one model's lines over a block.
FN void line_values(const msmerge_group *g, const float *restrict of_line, int64_t at, int64_t len, float *restrict out) {
  int64_t number = g->first + at, row = number / g->columns, column = number % g->columns;
  for (int64_t e = 0; e < len;) {
    int64_t run = g->columns - column < len - e ? g->columns - column : len - e;
    if (g->along_columns) {
      memcpy(out + e, of_line + column, (size_t)run * sizeof *out);
    } else {
      float value = of_line[row];
      for (int64_t i = 0; i < run; i++) {
        out[e + i] = value;
      }
    }
    e += run;
    row++;
    column = 0;
  }
  for (int64_t e = len; e < MSMERGE_BLOCK; e++) {
    out[e] = 0;
  }
}
#endif

#endif
