// Package kernel is the arithmetic of merging: it turns tiles of input tensors
// into tiles of output tensors, and tiles into the few numbers (thresholds,
// norms, sums) that a method needs beforehand. It knows no methods, files or
// recipes; package merge composes methods from it.
//
// Types to know: View is a typed run of elements, Tile one piece of work,
// TaskVector a model of it with its coefficients, Kernel the operations at one
// vector level or on a Device.
//
// One source. Each operation is written once, in native/, as static inline C11
// over one element with a loop over blocks beside it. It is included once for
// each vector level (AVX-512, AVX2, portable), by a file that sets the
// compiler's target, and the level is chosen at run time. The element functions
// contain no calls and take a macro in front, so that a GPU compiler accepts
// them as they are: native/device/ has the loops over threads that take the place of
// those over blocks, and Device runs them. Beside each operation stands a slow Go reference
// (reference.go).
//
// Invariants.
//
//   - Inputs of any floating type are widened to float32, worked on in float32
//     and rounded once, to nearest even. Subnormals are kept.
//   - No operation is fused or reordered: -std=c11 keeps gcc from contracting a
//     product and a sum, and nothing here asks for fast mathematics. Every level
//     gives the reference's bits.
//   - Sums over a tensor are made of partial sums in float64 over 4,096 elements
//     (lane e mod 16, lanes joined by halves), joined by JoinSums. Tiles start at
//     multiples of that, so tile size and threads change no bit.
//   - NaN is written as one pattern: 0x7fc0, 0x7e00, 0x7fc00000 or
//     0x7ff8000000000000. What is not finite is counted while it is written.
//   - Trimming by magnitude keeps an exact number of elements. Of equal
//     magnitudes those with the lowest element numbers are kept. The k-th
//     magnitude is found by radix selection on the bits of |x - base| in
//     float32, never by sorting.
//     In large tensors a sample says where to look first (near.go).
//   - A random mask is a function of (seed, model, tensor, element) alone; one by
//     ranks also of the magnitudes in the element's row.
//   - bfloat16 models are worked on two elements to a word (native/pairs.h), in long
//     blocks; what such a loop cannot do, any_block does with the same bits.
//
// Operations do not retain what they are given, and are safe for concurrent use
// on different outputs. A call with lengths that do not fit is a bug and panics.
//
// Papers: Philox, Salmon et al., SC 2011. Methods are cited where they are
// composed, in package merge.
package kernel
