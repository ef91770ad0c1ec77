// Package lmtest opens small checkpoints for tests of the inference engine.
//
// It has its own reader of safetensors directories, because the evaluator may
// not import the one of package merge. It trusts its input: nothing but tests may
// use it.
//
//   - Open reads a directory: the files that lm.Load takes, and the tensors.
//   - Tensors is a map that implements mergesearch.Tensors; tests change it to
//     see what the engine refuses.
//
// Not here: anything validated (merge/safetensors), golden values (beside the
// tests that read them).
package lmtest
