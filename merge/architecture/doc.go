// Package architecture says what the tensors of a checkpoint mean.
//
// What goes in and out. Lookup takes a config.json and gives the Architecture
// that it names, or nil. A merge pairs tensors by name and needs no architecture;
// one adds what names do not tell: which entry of config.json counts which layers,
// which tensors have a row for each token, which come after the layers, which may
// be stored under another name or left out, and to which part of a model of
// several parts a tensor belongs.
//
// Types to know: Architecture. All its methods work on nil and then answer from
// the names alone, cautiously: such an answer may miss something, and a key that
// it gives must be checked against the config.
//
// Invariants.
//
//   - The table is data (table.yaml, embedded): a family is added there and
//     nowhere else. It is read strictly; an unknown key, a class named twice or a
//     pattern that contradicts another is refused by the package's tests.
//   - Each tensor has one first spelling, in which the table is written. Methods
//     take any spelling.
//   - Every family has a miniature (archtest): the names and shapes that
//     transformers stores for a model of its class. A test classifies all of them.
//   - An Architecture is immutable and safe for concurrent use.
//
// Some families store a mixture of experts in two layouts, one tensor for each
// expert or one for all. CompareLayouts refuses to pair one with the other.
//
// Not here: reading and comparing checkpoints (merge, merge/safetensors), what to
// do with tensors that are missing or longer than others (merge).
package architecture
