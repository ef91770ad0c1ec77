// Package surrogate learns from single answers how abilities depend on genes. What
// candidates answered to which items goes in; where the next ones should stand and
// which items they should answer comes out.
//
// A score hides most of what its answers say. Of the items of a benchmark a few
// stand where the candidates differ: there each answer tells on which side of the
// item's difficulty a candidate is. So items get a difficulty and a slope, each
// candidate an ability in each task, and abilities a Bayesian regression on the
// genes. The three are fitted in turns, over all answers of a search: a candidate
// needs few answers of its own, since its neighbours lend it theirs.
//
// Types to know:
//
//   - Model: everything that was answered so far. Add, then Fit, then Maximise and
//     Informative.
//   - Item: a question: the logistic curve of two parameters.
//   - Basis: features of a point: linear and square terms, along tracks of genes.
//   - Hyper: how large coefficients are believed to be; decided by the evidence.
//
// Invariants.
//
//   - Everything is a pure function of the calls made, in order. No random number is
//     drawn.
//   - Points lie in the unit cube. Abilities have the unit of a logit at slope 1.
//   - A prior stands on every parameter, so that all answers right, all wrong or none
//     give finite estimates.
//   - Candidates without a place (parents) teach difficulties and nothing else.
//
// Not here: what a genome is, cohorts, rungs and budgets (package search).
//
// Sources: two-parameter logistic model, Birnbaum 1968, with the slope on a log
// scale; explanatory item response models, De Boeck and Wilson 2004; evidence for
// hyper-parameters, MacKay 1992, "Bayesian interpolation"; moderated output for
// uncertain abilities, MacKay 1992, "The evidence framework applied to
// classification networks".
package surrogate
