// Package externaltest holds a small proposer that speaks the protocol of package
// external, for tests that start themselves as the program.
//
// Types to know: none; Propose is the program.
//
// Invariant: what it proposes is a function of the messages that it got.
//
// Not here: programs that misbehave (the tests of external) and examples for people
// (docs/peers/search).
package externaltest
