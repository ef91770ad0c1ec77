// Package inspect says what happened between the candidates of a run, also while
// the run goes on. In goes a store.Reader; out come values that commands print and
// reports draw: who is compared with whom on which items, where two recipes differ,
// which steps led to a winner, and which expert gave what.
//
// Types to know first:
//
//   - Run: an open run with its frozen run file and its benchmark.
//   - Subject: a candidate with everything that it answered.
//   - Pair: two subjects on the items that both answered (Run.Compare).
//   - Change: one place in which two recipes differ (Run.Diff).
//   - Trunk: the steps of improvement that led to a candidate (Run.Trunk).
//   - Contribution: the experts' shares of a group of tensors (Run.Contributions).
//
// Invariants.
//
//   - Nothing is written, and nothing is kept open between two calls: every query of
//     the store is a transaction of its own, so that a reader never holds up the
//     checkpoints of a run that goes on.
//   - Everything is a function of what the store holds: equal stores give equal
//     values, intervals included (eval.Judge draws by item names).
//   - Comparing a with b mirrors comparing b with a: gains and intervals change
//     their signs, won and lost change places.
//   - A trunk grows with the logarithm of the number of candidates, as records do;
//     the ancestors of a candidate are soon most of the run, and are not listed.
//
// Not here: words, tables and colours (cmd/mergesearch, cmd/internal/report), the
// verdict on held-out items (package search).
//
// Sources: McNemar 1947 for items won and lost; eval.Judge has those of the interval.
package inspect
