// Package itemresponse models who solves what: items have a difficulty, models an
// ability for each skill, and answers follow from the two by a logistic curve.
// What some models answered to some items goes in; estimates of what another
// would answer to all of them come out.
//
// It repairs the level of a score that stands on few items. It does not repair
// the order of models that answered the same items: whatever is computed from the
// items alone is added to all of them. For order, choose items by Bank.Information
// and compare in pairs.
//
// Types to know:
//
//   - Item: one question: its skill, slope and difficulty.
//   - Response: the value that one model reached on one item.
//   - Bank: items with fitted parameters, and the prior of abilities. Fit makes one.
//   - Estimate: a number with its standard error.
//
// Invariants.
//
//   - Everything is a pure function of its arguments; sums run in the order given.
//   - Each fit maximises a strictly concave function of what it fits at a time
//     (Gaussian priors stand on every parameter), so estimates are finite and
//     unique, also when every answer is right or every one is wrong.
//   - Values are in [0, 1]; those between the ends count as that share of a right
//     answer. Logits are kept within ±30.
//   - An item belongs to one skill, so abilities of different skills do not mix;
//     only Bank.Combine ties them together.
//
// Not here: which items to ask next (package search), and intervals that a verdict
// may stand on (package eval), which trust no model of the answers.
//
// Sources: two-parameter logistic model, Birnbaum 1968; p-IRT and its mixture of
// seen and predicted items, Maia Polo et al. 2024 (tinyBenchmarks, arXiv
// 2402.14992); abilities of merges as combinations of their parents' (mp-IRT),
// Mencattini et al. 2025 (MERGE3, arXiv 2502.10436), here with a prior on the
// combination, without which few items do not identify it.
package itemresponse
