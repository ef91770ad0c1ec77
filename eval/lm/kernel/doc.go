// Package kernel is the arithmetic of the embedded inference engine: matrix
// product, RMSNorm, rotary positions, attention, SiLU, log-sum-exp and the
// packing of weights, as C called through cgo.
//
// The shared source (the headers) is compiled once per vector level (portable,
// AVX2 with FMA, AVX-512) and the level is chosen at run time. Levels give equal
// bits, and so do all ways of blocking:
//
//   - Every element of a matrix product is one chain of fused multiply-adds in
//     float32 over k ascending, starting from zero. Vectors run over output
//     columns, never over k.
//   - Everything else is made of single float32 operations that are never fused.
//     Sums run over 16 lanes (element i goes to lane i mod 16, in order) that are
//     joined by the fixed tree l+8, l+4, l+2, l+1; log-sum-exp adds in float64.
//   - exp is a polynomial of our own; sines and cosines come from a table that is
//     made once in Go, in float64.
//   - A row of a batch never looks at another row.
//
// Types to know: Level (what the machine can do, SetLevel forces one for tests)
// and Packed (a weight matrix in column panels of 16, float32 whatever the
// checkpoint holds).
//
// Each operation has a slow and obvious Go twin in reference.go. The twin gives
// the same bits as every level, and the matrix product is also compared with
// gonum's within a tolerance.
//
// Panics are for broken calls (slices too short). Nothing here allocates, except
// where it says so, or starts threads; calls may run at the same time on
// different outputs.
//
// Not here: which operation follows which (lm), merging (merge/kernel).
//
// Sources: register blocking and packing, Goto and van de Geijn 2008 (Anatomy of
// High-Performance Matrix Multiplication); the reduction of exp's argument, Cody
// and Waite 1980 (Software Manual for the Elementary Functions).
package kernel
