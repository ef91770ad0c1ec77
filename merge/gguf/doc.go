// Package gguf writes a model as one GGUF file, the format of llama.cpp and of
// the programs around it. Tensors and the small files of a Hugging Face
// directory go in (config.json, tokenizer.json and what lies beside them), one
// complete file comes out.
//
// Types to know: architecture (what a family of models is called there, and
// which tensors it has), plan (the tensors of one file and where each comes
// from), vocabulary (the tokenizer in GGUF's words).
//
// What is written. Llama, Mistral, Qwen2 and Qwen3. Matrices keep their type
// (BF16, F16, F32; F64 becomes F32), vectors become F32, as llama.cpp demands.
// In the Llama family the rows of the query and key projections change places,
// because llama.cpp turns neighbouring pairs of a head where Hugging Face's code
// turns its two halves. Everything else is the same bytes under another name.
//
// Invariants.
//
//   - What would answer differently is refused, not written: unknown
//     architectures, tensors that the architecture does not have, rotary
//     scalings other than linear and llama3, tokenizers whose rules the format
//     has no name for. Refusals are *mergesearch.InputError.
//   - A sliding window is not carried over. The context length is cut to it
//     instead, and below that length answers are the same.
//   - The file appears under its name when all of it is on disk. It is written
//     to a temporary sibling, .tmp-NAME-*, which the next writer for the same
//     name removes if its own was killed.
//   - Equal inputs give equal bytes. Memory does not grow with the model.
//
// Tokenizers. Byte-level BPE is recognised by its pre-tokenizer (split rules
// and whether merges are ignored for whole words). BPE with byte fallback
// becomes the kind "llama", which has scores for tokens instead of merges; that
// the scores decide as the merges do is checked token by token. Two differences
// are llama.cpp's own and remain: it does not apply NFC, and where a space is
// put in front of a text it also does so when the text begins with one.
//
// Not here: quantising (llama.cpp's own tool does that from this file), reading
// GGUF, merging (merge).
//
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
package gguf
