// Package report turns a run's outcome into what people and programs read: the
// text at the end of a run and the JSON document of run and show.
//
// A Summary goes in; Text and JSON write it out. The JSON names are a contract:
// fields may be added, none renamed. Fitness, scores and gains are fractions in
// [0, 1] in JSON; text prints gains in points (hundredths).
//
// Invariants. Nothing here computes: what is printed was decided by search and
// kept by store. Every string that came from a file or a model passes Plain
// before it reaches a terminal. Output has no colour and fits 100 columns.
//
// Not here: collecting the summary (cmd/mergesearch), the status line of a run in
// progress (cmd/mergesearch, progress.go).
package report
