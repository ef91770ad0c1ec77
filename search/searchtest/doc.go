// Package searchtest holds what is needed to test a search without tensors,
// endpoints and files.
//
//   - Conform: a suite for any search.Algorithm. Each of its cases names the rule
//     of the contract that it checks.
//   - Family: a simulated model family over a real mergesearch.Space. It is a
//     search.Builder and a search.Scorer: recipes become coefficients, coefficients
//     become the ability of each skill, and items are answered by a logistic
//     response. It is where algorithms are compared and tuned.
//   - Sphere and Ridge: analytic landscapes with a known optimum.
//   - Recorder: a search.Recorder in memory, with the faults that a test needs: it
//     can be made to fail at any call, and counts what it was told.
//   - Judge: a search.Judge by the normal approximation, stratified by task.
//
// Invariants. Everything is deterministic: a family's answers depend on its own
// seed, the recipe and the item alone. A Recorder that outlives a failed run is
// what a store is after a kill: the same run on it resumes.
//
// Not here: the store (store), real models (merge, eval/lm), the bootstrap
// comparison that a verdict rests on (eval).
//
// The simulator follows the item-response model of tinyBenchmarks (Maia Polo et
// al. 2024, arXiv 2402.14992) for the answers; its landscape imitates a measured
// family of three experts, of which one needs a quarter of its task vector and
// the others nearly all.
package searchtest
