// Package compat answers "what would mergekit have written?": merge methods as
// mergekit (commit a6e40288) computes them, operation for operation, each rounded
// to the type in which mergekit computes.
//
// What goes in is one whole tensor of each model as float32 slices whose values
// the compute type can hold, with its shape and every parameter; what comes out is
// the merged tensor and its type.
//
// Types to know: Input, Output. Merge is the only function; Methods lists what it
// knows, which is all of mergekit's twenty.
//
// Invariants.
//
//   - Functions are pure: no I/O, no clock, no randomness. Random draws come
//     with the input.
//   - The order of models is that of the recipe, because mergekit's sums depend
//     on it; the engine's own arithmetic sorts them by name instead.
//   - Sums accumulate in float32, in the order in which torch adds with one thread
//     on a processor with eight float32 lanes (sums.go), and are rounded once.
//   - Of equal magnitudes at a threshold those with the lowest numbers count as larger
//     (for della's ranks as smaller). torch 2.15 sorts unstably unless told otherwise:
//     there only the number of kept elements agrees, which in bfloat16 touches up to
//     1.5 % of the elements.
//
// How close it is. Against torch 2.15 with one thread on a processor of AMD and ties decided as here, on
// miniatures of two families with all methods, types and a grid of settings
// (docs/log/mergekit-grid.md, docs/peers/mergekit, testdata/make_goldens.py):
//
//   - every bit agrees in bfloat16 and float16 but for arcee_fusion and, in one
//     element of a million, slerp; and in float32 but for these and nuslerp;
//   - the sine and the arc cosine of an angle are not rounded to the nearest in the
//     peer's libraries, one in ten is off by a unit, and moves every element of a
//     tensor or row. Those of torch are known to 2 numbers in ten thousand
//     (trigonometry.go): 99.99 % of nuslerp's elements agree. Those of numpy are
//     taken as rounded to the nearest, by which few tensors of slerp are touched.
//     Differences stay below 1e-7 of the largest magnitude in nuslerp;
//   - arcee_fusion agrees in 99.9 % of the elements: importances next to the
//     threshold fall to the other side, by a logarithm or an exponential.
//
// With logarithms, exponentials and numpy's functions that are rounded to the nearest
// (compare.py --exact) every bit of slerp and arcee_fusion agrees too.
//
// torch with several threads adds 32768 numbers and more in other orders, which this
// package does not follow.
//
// Its defects are kept on purpose: weights are rounded to the compute type,
// breadcrumbs without a largest element to drop keep nothing at all, and so on
// (docs/mergekit-differences.md). What mergekit refuses is refused, and so is sce
// that chooses nothing, whose result has another shape.
//
// One file per family of methods. Not here: the corrected arithmetic of the
// default mode (merge), reading recipes, defaults and resolving parameters, which
// tensors a method gets, such as the only one where the others lack it (merge).
package compat
