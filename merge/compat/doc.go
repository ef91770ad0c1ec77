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
//   - Of equal magnitudes at a threshold a stable sort decides. torch 2.15 sorts
//     unstably unless told otherwise: there only the number of kept elements
//     agrees, which in bfloat16 touches up to 1.5 % of the elements.
//
// How close it is. Against torch 2.15 with one thread and stable sorts, on tensors
// of 2000 to 60000 elements of 1 to 5 models in float32, bfloat16 and float16
// (testdata/make_goldens.py):
//
//   - every bit agrees for linear, passthrough, nearswap, slerp, multislerp,
//     karcher, task_arithmetic, ties, breadcrumbs, breadcrumbs_ties, dare_linear,
//     dare_ties, della, della_linear, model_stock, sce, ram and ramplus_tl (of
//     karcher in float32 a tensor of 77 elements does not);
//   - nuslerp agrees in every bit in 16-bit types, but in float32 only in 98.6 % of
//     the elements: in most tensors all agree, in some hardly any, by one unit of
//     the larger terms;
//   - arcee_fusion agrees in more than 99.99 % of the elements in float32, in all
//     in bfloat16, in 99.8 % in float16: importances next to the threshold fall to
//     the other side.
//
// These, slerp and karcher go through sines, logarithms and exponentials that the
// peer's libraries round in another way than Go's: one in twenty is off by one
// unit. torch with several threads adds 32768 numbers and more in other orders,
// which this package does not follow.
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
