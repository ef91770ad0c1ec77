// Package problem holds test functions with known optima and published figures:
// what an optimiser is measured on before it is trusted with models. A name, a
// dimension and an instance go in, a function comes out; an optimiser's points go
// into the function, and run lengths or hypervolumes come out.
//
// Types to know:
//
//   - Function: one objective, to be minimised, with its optimum and box.
//   - BBOB and Classic make functions: those of the BBOB-2009 test bed by number,
//     dimension and instance, and plain ones such as the ellipsoid.
//   - Multiple: several objectives, with the hypervolume of their front; Multiples
//     lists those of ZDT and DTLZ.
//   - Cube and Pursue: a function as a search sees it, and a search on one.
//   - Mixed: one objective over continuous and integer coordinates and choices.
//   - Measure and RunLength: evaluations to a target over several trials (ERT and
//     median).
//
// Invariants.
//
//   - Costs are as published: lower is better, the optimum is known exactly.
//     Algorithms of search maximise; whoever joins the two changes the sign, as
//     Multiple.Values does.
//   - A function is a pure function of its point and never writes to it; a noisy
//     one draws from the generator that it is handed.
//   - Dimensions and instances are parameters, never constants: equal arguments
//     give equal functions, on every machine.
//   - Functions know nothing of genomes, spaces or trials; Pursue alone does.
//
// Not here: the optimisers (search/cma and search itself), landscapes of merges
// (searchtest).
//
// Sources: Hansen, Finck, Ros and Auger 2009, "Real-Parameter Black-Box
// Optimization Benchmarking 2009: Noiseless Functions Definitions" (INRIA
// RR-6829) and "Noisy Functions Definitions" (RR-6869); zdt.go and dtlz.go name
// theirs.
package problem
