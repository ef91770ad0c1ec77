// Package pareto compares points that have several objectives. A set of points
// goes in; its fronts, the room around each point, and the volume that the set
// dominates come out.
//
// Functions to know:
//
//   - Dominates: whether one point is better than another in every respect.
//   - Fronts and Constrained: a set split into fronts, best first, without and
//     with constraints.
//   - Crowding: how alone each point of a front is.
//   - Hypervolume: how much a set dominates, in one number.
//
// Invariants.
//
//   - A point is a []float64, one value for each objective, and higher is better
//     in each. Whoever has costs changes the sign.
//   - The points of a call have equal lengths, or the call panics. They are read
//     and never written to.
//   - Results are indices into the points of the call. They do not depend on the
//     order of the points, but for which of several equal ones comes first.
//   - A value that is not a number dominates nothing, and a point that holds one
//     adds no volume.
//
// Not here: what the objectives of a merge are (mergesearch.Benchmark), algorithms
// (search.NSGA2), problems with known fronts (search/problem).
//
// Sources: Deb, Pratap, Agarwal and Meyarivan 2002, "A fast and elitist
// multiobjective genetic algorithm: NSGA-II" (IEEE Trans. Evol. Comp. 6); Deb
// 2000, "An efficient constraint handling method for genetic algorithms"; While,
// Bradstreet and Barone 2012, "A fast way of calculating exact hypervolumes"
// (IEEE Trans. Evol. Comp. 16).
package pareto
