// Package compat answers "what would mergekit have written?": merge methods as
// mergekit (commit a6e40288) computes them, operation for operation, each rounded
// to the type in which mergekit computes.
//
// What goes in is one whole tensor of each model as float32 slices whose values
// the compute type can hold; what comes out is the merged tensor and its type.
//
// Types to know: Input, Output. Merge is the only function; Methods lists what it
// knows.
//
// Invariants.
//
//   - Functions are pure: no I/O, no clock, no randomness.
//   - The order of models is that of the recipe, because mergekit's sums depend
//     on it; the engine's own arithmetic sorts them by name instead.
//   - Sums accumulate in float32, in the order in which torch adds on a processor
//     with eight float32 lanes (sums.go), and are rounded once.
//   - Of equal magnitudes at a threshold a stable sort decides. torch since 2.6
//     sorts unstably unless told otherwise: there only the number of kept elements
//     agrees, which in bfloat16 touches up to 1.5 % of the elements.
//
// Its defects are kept on purpose: weights are rounded to the compute type, and
// breadcrumbs without a largest element to drop keep nothing at all.
//
// One file per family of methods. Not here: the corrected arithmetic of the
// default mode (merge), reading recipes and resolving parameters (merge).
package compat
