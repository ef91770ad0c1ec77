// Package external lets a program of somebody else propose: it starts the program,
// tells it the space, asks it for genomes and tells it their scores, as JSON
// lines over its standard input and output. So any optimiser in any language can
// search merges. The protocol is described in docs/design/proposers.md.
//
// Types to know:
//
//   - Proposer: a search algorithm whose proposals come from the program.
//   - Options: which program, and how long it may take.
//   - Error: the program is broken. It ends the run and is never a score.
//
// Invariants.
//
//   - No shell: the command is a program and its arguments.
//   - No wait without an end: every read and write has the same time-out, and the
//     context ends them all.
//   - What the program says is checked gene by gene and then normalized. A value
//     that is not of the space is an Error that quotes it.
//   - Resuming is replaying: the program is started anew and told the same trials in
//     the same order. It must propose the same genomes again; the recorder of the
//     run notices when it does not.
//
// Not here: algorithms of our own, and when to ask and to tell (search).
//
// Sources: the shape of the dialogue is ask and tell, as in Optuna (Akiba et al.
// 2019, arXiv 1907.10902) and in pycma.
package external
