// Package safetensors reads and writes checkpoints in the safetensors format:
// Hugging Face directories with model.safetensors, or with shards and
// model.safetensors.index.json. It is the border where model files, which are
// hostile input until checked, become mergesearch.Tensors.
//
// Types to know: Checkpoint (an opened directory, mapped into memory), Header
// (what one file claims), Index (which shard holds which tensor), Writer (a
// directory in the making), Digests (how contents are identified).
//
// Reading. Everything is checked from the headers before any tensor is touched:
// the header's length against the file, every range against type and shape and
// against its neighbours (no hole, no overlap, the last end is the end of the
// file), no key twice, no unknown type or field, printable names, the index
// against the shards and the shards against the index. Shard names are base
// names and are opened below the directory; the symbolic links of a Hugging Face
// cache, which point to ../../blobs, are the one exception. Pickle checkpoints
// are refused. Every refusal is a *mergesearch.InputError that names file and
// field.
//
// A mapped file must not be truncated while it is open; the operating system
// ends a program that reads beyond the end of one.
//
// Writing. A Writer streams tensors in the order given into a temporary sibling,
// .tmp-NAME-*, hashes them on the way, syncs the files, names them all with
// sizes and hashes in the file COMPLETE, and renames the directory. A directory
// under its final name is therefore complete; leftovers of a killed writer are
// removed by the next one for the same name.
//
// Order. Names lists tensors as the model uses them: embeddings, then layers by
// number, then the rest, the head last.
//
// Not here: what tensors mean and how they are merged (merge), other formats.
//
// Format: https://huggingface.co/docs/safetensors.
package safetensors
