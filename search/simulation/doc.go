// Package simulation is a family of merges that exists in numbers alone, to measure
// algorithms by: what a search reaches with so many answers is known exactly, since
// the true fitness of every recipe is. A landscape goes in; the share of the gap
// between the usual recipe and the optimum that an algorithm closed comes out.
//
// Types to know:
//
//   - Landscape: what three skills want of d genes, and the items that show it; of
//     one of two kinds, Layers and Pairs.
//   - Family: a landscape as stages of a run: search.Builder and search.Scorer over
//     a space, so that the loop, races and budgets are the real ones.
//   - Study: one search over a family. Search runs it, Result says what came of it.
//   - Siblings: how well an estimator ranks candidates that hardly differ.
//
// Invariants.
//
//   - Everything follows from kind, dimension and seed. An answer depends on the
//     candidate and the item alone, so answers never depend on the order of asking.
//   - Fitness is the mean chance over the search items: what a search would measure
//     if it asked each of them for ever.
//   - Gap closed is 0 for the usual recipe and 1 for the optimum, which a local
//     search without noise finds; negative is worse than not searching.
//   - Constants of algorithms are tuned on seeds 1000 to 1099. Tables use seeds from
//     1 on.
//
// Not here: test functions with known optima (search/problem), and the family of
// three experts that tests use (search/searchtest). What holds in a simulation is no
// claim about language models.
//
// Sources: two-parameter logistic items, Birnbaum 1968.
package simulation
