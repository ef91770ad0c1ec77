// Package port holds native ports of the Python functions that task files of the
// lm-evaluation-harness name with !function: a task file that says
//
//	process_docs: !function utils.process_docs
//
// means code beside it, and for common tasks that code is here, in Go.
//
// In goes a document (Fields) and, for scoring, what a model answered (Answers);
// out come documents, a prompt's part, or what the item adds to each metric (Mark).
//
// Types to know: Function, found by Lookup; Names lists them all. One file holds one
// family of tasks and names its source. The behaviour was taken from release 0.4.12 of
// the harness, and testdata/golden.json holds what its own functions returned.
//
// Invariants: a port never changes its input and keeps no state between calls, so it
// is safe for concurrent use; documents keep their order; columns that a port does not
// name pass through. What would make the original raise is an error that names the
// column, and so is what the original leaves to chance.
//
// Three differences are meant. GPQA's choices are shuffled by a generator that starts
// anew with each call: see gpqa.go for what can and cannot be equal to the harness.
// TruthfulQA's mc2 is defined also where every probability underflows. IFEval refuses
// the instructions that need a language detector or a sentence tokenizer; its port
// checks the document before the answer, so a call with an empty answer tells whether
// the document can be scored at all, and utils.decidable_docs (ours, not the
// harness's) keeps those that can.
//
// Not here: task classes (class: !function), and metrics made of models.
package port
