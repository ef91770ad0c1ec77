// Package archtest has a miniature of every family of architectures: the names,
// shapes and types of the tensors that transformers stores for a tiny model of the
// family's own class, with its config.json. It serves the tests of package
// architecture and, through mergetest, those of package merge.
//
// Types to know: Miniature, found by Get; Names lists them. A name such as
// "llama+tied" is a variant of the family "llama".
//
// The data is testdata/miniatures.json, written by testdata/make.py, which says
// how. It holds no weights; mergetest.Miniature draws them from a seed.
//
// Not here: what the tensors mean (architecture).
package archtest
