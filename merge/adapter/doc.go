// Package adapter puts a PEFT LoRA adapter on top of a model while the model is
// read: W + scale B A, piece by piece, without a merged copy on disk. A directory
// with adapter_config.json and adapter_model.safetensors goes in; for each tensor
// of the model a kernel.Source comes out.
//
// Types to know: Adapter (an opened directory, mapped and checked), target (what
// happens to one tensor of the model), patched (a tensor that is computed while
// it is read).
//
// What is read: rank and alpha, also per module (rank_pattern, alpha_pattern),
// rank-stabilised scaling, linear layers and GPT-2's transposed ones, embeddings,
// biases of lora_B, DoRA on linear layers, and whole tensors in place of the
// model's (modules_to_save, biases, resized embeddings if the model fits them).
// Every setting of the configuration that would change the result and is not in
// this list is refused by name, among them initialisations that change the model
// itself (PiSSA, OLoRA, CorDA, LoftQ).
//
// Invariants.
//
//   - An adapter is hostile input until Open has checked all of it; Check then
//     finds a tensor of the model for everything in it. Refusals are
//     *mergesearch.InputError. After Check nothing can fail.
//   - An element is w + scale sum_k B[o,k] A[k,i], in float32: the products are
//     added in the order of k, then scaled, then added to w. Equal for every
//     way to cut the tensor into pieces, thread and vector level.
//   - A piece costs its own elements times the rank. DoRA needs the norm of every
//     output of the layer, so its first piece reads the whole tensor once.
//   - Whether a layer is stored transposed is seen from its shape; of square ones
//     fan_in_fan_out tells.
//   - An Adapter is safe for concurrent use. What it hands out is valid until
//     Release.
//
// The tensors of an adapter are named by module. "base_model.model." in front is
// dropped, and so is ".base_layer" inside; a leading "model." or "transformer."
// may be there or not, as in checkpoints of the bare model.
//
// Not here: reading safetensors (merge/safetensors), several adapters on one
// model (open and apply them one after the other), which models get one (merge).
//
// Sources: LoRA, Hu et al. 2021 (arXiv 2106.09685), section 4.1; rank
// stabilisation, Kalajdzievski 2023 (arXiv 2312.03732); DoRA, Liu et al. 2024
// (arXiv 2402.09353), equation 5. Checked against PEFT, see testdata/make.py.
package adapter
