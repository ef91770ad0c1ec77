// Package merge is the stage that answers "which tensors?": it turns a recipe
// into a merged model, in memory for a search or as a Hugging Face directory.
//
// What goes in and out. Model directories go in once, through Open; recipes
// come one after another. Plan checks a recipe against the headers alone; Build
// gives a mergesearch.Candidate whose tensors are in memory; Write streams a
// directory to disk. ReadRecipe and FormatRecipe speak mergekit's YAML, of one
// document or of several that name each other's results; ParseModelRef takes the
// name of a model apart.
//
// Types to know: Engine (the opened models with what is kept about them), Plan
// (a recipe resolved to one value per parameter, model and tensor),
// mergesearch.Method (the declaration beside each implementation; Methods lists
// them).
//
// Invariants.
//
//   - Everything that can be wrong with a recipe or a model is found before the
//     first tensor is read, and is a *mergesearch.InputError. A merge whose
//     result is not finite is a *mergesearch.Failure with code "not_finite".
//   - Arithmetic is float32, whatever the types of the inputs, rounded once to
//     the type of the output.
//   - Models are put in the order of their names (the last element of a path)
//     before any arithmetic, and sums over a tensor have a fixed order. The same
//     recipe gives the same bytes for any order of models, number of threads,
//     tile size and vector level, and on a GPU.
//   - What does not depend on coefficients (magnitude thresholds, scalar
//     products, sums of masked task vectors) is computed once per engine and kept
//     within a byte limit.
//   - Tensors that are not floating (buffers of indices) must be equal in all
//     models of the recipe; then they are copied. Otherwise the merge is refused.
//   - What a GPU's driver refuses is an error of the merge, of type *cuda.Error.
//   - An Engine is safe for concurrent use. Close it after the last candidate
//     was built; candidates do not refer to it.
//
// From recipe to tensors. plan.go resolves parameters, layout.go finds out of
// which tensors each tensor of the result is made (whole models, slices, modules),
// model.go and stage.go are where those come from: a checkpoint, with an adapter
// or scales applied while it is read, or an earlier document of the recipe.
//
// One file per method. Each states its formula with the paper, declares its
// parameters and has a slow reference, which Engine.Reference runs. Adding one
// means adding its file and its line in methods.go. With Recipe.Compat the
// arithmetic is that of package compat instead, which needs memory for whole
// tensors.
//
// Not here: the arithmetic itself (merge/kernel), the file formats
// (merge/safetensors, merge/gguf, merge/adapter, merge/fp8), what tensors mean
// (merge/architecture), tokens (merge/vocabulary), mergekit's numbers
// (merge/compat), small models for tests and the laws every method keeps
// (merge/mergetest), what to merge (search), how good it is (eval).
package merge
