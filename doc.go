// Package mergesearch is the vocabulary of the program: the nouns of merging
// fine-tuned language models, the rules that hold for them and their
// identities. It has no I/O, no clock and no randomness, and imports the
// standard library alone.
//
// What goes through here. A run file becomes a Space; an algorithm proposes
// points of it (Genome); Space.Decode turns a genome into a Recipe; the merge
// engine builds the recipe into a Candidate; an evaluator answers items with
// the candidate and returns Outcomes; a Benchmark folds outcomes into a Score;
// the store keeps all of it as a Trial.
//
// Types to know first:
//
//   - Space, Gene, Genome: what may vary, and one point of it.
//   - Recipe: what a person would call the merge. Recipe.ID is a hash of its
//     canonical form, so equal recipes are built and scored once.
//   - Tensors, Candidate: numbers of a model, in memory or in a directory.
//   - Outcome, Score, Benchmark: what was answered, and what it is worth.
//   - Individual, Member, Trial: a proposal, a proposal with a fitness, and the
//     attempt to build and score it.
//
// Invariants. Fitness is always higher-is-better and never NaN. A Member can
// only be made from an Individual and a Score. A Genome is a value: nobody
// writes to one that was handed out. Genes that the chosen method does not use
// hold their default (Space.Normalize), so that two genomes that decode to the
// same recipe are equal.
//
// Not here: algorithms (search), arithmetic and file formats (merge), requests
// and metrics (eval), persistence (store), flags and files (cmd).
//
// Sources of the methods' names and parameters: linear is the model soup of
// Wortsman et al. 2022 (arXiv 2203.05482), task_arithmetic Ilharco et al. 2023
// (arXiv 2212.04089), ties Yadav et al. 2023 (arXiv 2306.01708), dare Yu et al.
// 2024 (arXiv 2311.03099); slerp is Shoemake 1985.
package mergesearch
