// Package plan says before a search what it will take, and what its items can prove.
//
// In go the options of a search (search.Options), what its tasks hold and, where it is
// known, what building and answering cost on this machine; out come counts, seconds,
// bytes and the smallest gain that the verdict can detect.
//
// Types to know first:
//
//   - Work: what a search takes in candidates, builds, calls and answers. Rehearse
//     finds it by running search.Run itself on a family in numbers alone, so that races,
//     repeats, caches, shortlist and verdict are those of the search and not a formula.
//   - Costs: what one build, call and token take. Fit finds them from Samples, which a
//     Meter takes from a calibration or from a run.
//   - Estimate: both put together, as it is printed and recorded.
//
// Invariants. Rehearse touches no file, model or endpoint. Equal options and seeds give
// equal counts where no budget is in hours; those in seconds depend on the machine.
// A number that is not known is absent, never zero.
//
// Not here: opening models and endpoints, calibration runs, printing (cmd/mergesearch).
//
// Sources: Lachenbruch 1992 and Connor 1987 for the power of a paired comparison of
// right and wrong answers.
package plan
