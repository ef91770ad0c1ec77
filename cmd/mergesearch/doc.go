// Command mergesearch finds the best way to merge fine-tuned language models.
//
// It wires the stages together and is the only owner of flags, environment,
// signals and exit codes. Each subcommand is one file, cmd_<verb>.go. Standard
// output carries data, standard error carries talk; --json on any verb prints one
// JSON document.
//
// Places to know: main.go (the command tree), exit.go (errors to exit codes),
// session.go (a run file made into open models, tasks, space, store and endpoint),
// progress.go (the status line). What is printed at the end of a run is in
// cmd/internal/report; run files are read by cmd/internal/runfile.
//
// Not here: anything that computes. Algorithms are in search, arithmetic in
// merge, requests and metrics in eval, persistence in store.
package main
