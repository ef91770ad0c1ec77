// Package mergetest serves the tests of everything that touches merged models:
// small checkpoints made from a seed, and the laws that every merge method keeps.
//
// Types to know: Checkpoint describes a Llama-shaped model of a few kilobytes;
// Write puts it on disk, sharded or not, in any floating type; Family writes a
// base model and experts that differ from it as fine-tuned models do. Miniature
// writes a tiny model of any family of architectures that Families lists, with the
// names and shapes that transformers stores. Laws runs the law suite for one method
// of package merge.
//
// The laws, each a subtest by this name:
//
//   - fast path is slow reference: every tensor, bit for bit, at random settings.
//   - threads, tiles and vector levels change no bit.
//   - permuted models give equal bytes.
//   - types of inputs and output: the same with models of four different types.
//   - equal models give that model: exactly in bfloat16, within one unit in
//     float32 (three for some; see rounder). It does not hold where weights are not divided out, nor for
//     masks, and is asked only of recipes for which it does.
//   - written equals built: the directory has the digest of the candidate.
//   - build again gives the same digest, whatever was built in between.
//
// The checkpoints have no tokenizer. Not here: trained models (configs/quickstart).
package mergetest
