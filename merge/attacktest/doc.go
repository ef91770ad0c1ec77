// Package attacktest shows the program the files that the parsers of this stage
// must refuse, and takes the time.
//
// What goes in and out. The tests of merge/safetensors, merge/vocabulary,
// merge/adapter, merge/fp8 and merge hand over what they attack their parsers with;
// each becomes a model directory or a recipe, and the program merges it. It must
// exit with 2 and say one line about what is wrong and at most one about what
// helps. Times go to a file, one line for each attack.
//
// Types to know: none; the functions are named by what is hostile.
//
// Invariants. Without the flag -program nothing is run and nothing is written, so
// that no test depends on time. docs/log/refusal-time.md has the command and what
// it gave.
//
// Not here: what the reason of a refusal must be (the tests of each parser).
package attacktest
