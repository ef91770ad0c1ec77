// Package evidence weighs the differences between two models that answered the
// same items, while more answers are still coming in. Differences go in one by
// one; out comes an e-value, which may be looked at after every one of them.
//
// A p-value holds for one look at a sample whose size was fixed before. Whoever
// looks at every rung of a race, and stops when it is small enough, will reject
// what is true in the end. An e-process keeps its promise under every rule of
// stopping: if the null hypothesis holds, the chance that the value ever reaches
// 1/alpha is at most alpha (Ville's inequality). Looks need no correction, and a run
// that was stopped and resumed needs none either.
//
// Types to know:
//
//   - Process: the e-process against "the first model is at least as good".
//   - McNemar: the exact p-value for one look at right and wrong answers.
//
// Invariants.
//
//   - A Process is a function of the differences that it was given, whatever their
//     order and in how many calls, up to rounding.
//   - Differences are in [-1, 1]. Zeros, the answers that both models got right or
//     both got wrong, change nothing: on right and wrong answers this is a sign test
//     on discordant pairs.
//   - The zero Process has the value 1: no evidence.
//
// Not here: which candidates leave a race (package search), intervals for a verdict
// (package eval), which looks once.
//
// Sources: testing by betting, Shafer 2021; bets against bounded means, Waudby-Smith
// and Ramdas 2024 (arXiv 2010.09686), here with a mixture of constant bets in place
// of adaptive ones, which makes the order irrelevant; Ville 1939; McNemar 1947.
package evidence
