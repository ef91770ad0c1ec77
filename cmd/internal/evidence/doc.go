// Package evidence computes what a run prints from what it recorded: every score
// from single answers, every interval from pairs of them, the verdict from the
// intervals. It also writes and reads evidence bundles, which hold just that.
//
// A store.Evidence goes in, from a run directory or from a bundle; a result comes
// out. Taken from the record are only choices: who the parents and usual recipes
// are, who was on the shortlist, who won. Every number is computed again, by the
// formulas that the search used.
//
// Types to know first: Bundle (what a bundle holds), Mismatch (a number that does
// not agree).
//
// Invariants. Recompute is a pure function. A bundle is a ZIP file or a directory
// with the files of Names and a MANIFEST.json with their SHA-256; equal evidence gives
// equal bytes. Reading refuses everything that writing would not have made: other
// names, links, two files of one name, a size above the limit, a hash that differs.
// A bundle holds no weights, no completions and no paths of the machine; texts that
// look like keys are blanked.
//
// Not here: the page and its report.json (cmd/internal/report/page), reading a run
// directory (store).
package evidence
