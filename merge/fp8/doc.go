// Package fp8 reads checkpoints whose weights are stored in 8 bits with scales
// beside them, and says which other quantised checkpoints cannot be read. A
// tensor of 8 bits and its scale go in, a kernel.Source of float32 comes out,
// multiplied while it is read.
//
// What to know: Companions finds the scale of each tensor by name, Dequantise
// puts both together, ReadConfig reads the size of the blocks, Refuse names what
// is quantised otherwise.
//
// Two conventions are known. DeepSeek-V3 stores NAME_scale_inv, one float for
// each block of 128 by 128 weights (weight_block_size in config.json). FBGEMM and
// compressed-tensors store NAME_scale, one for the tensor or one for each output.
// In both, a weight is its code times its scale, the word "inv"
// notwithstanding. A tensor of 8 bits without a scale is what its codes say.
//
// Invariants.
//
//   - An element is float32(code) * float32(scale), rounded once. It depends on
//     its place alone, not on the piece that is asked for.
//   - Scales, and the scales of activations and caches, are consumed: they are
//     not merged and not in the output, whose weights have at least 16 bits. So
//     quantization_config goes from its config.json (WithoutQuantisation).
//   - Refusals are *mergesearch.InputError and name the tensor.
//
// Not here: the codes themselves (merge/kernel), writing 8 bits, choosing the
// type of the output (merge).
//
// Sources: Micikevicius et al. 2022, FP8 formats for deep learning (arXiv
// 2209.05433); DeepSeek-V3 technical report (arXiv 2412.19437), section 3.3.
package fp8
