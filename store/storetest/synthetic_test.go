package storetest_test

import (
	"testing"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// A synthetic run is one that the store finds nothing wrong with, and the same every
// time.
func TestSynthetic(t *testing.T) {
	var hashes []string
	for range 2 {
		dir := t.TempDir()
		storetest.Synthetic(t, dir, 200, 16)
		report := check(t, dir)
		if len(report.Problems) > 0 {
			t.Fatalf("%q", report.Problems)
		}
		if report.Trials != 200 {
			t.Errorf("%d trials", report.Trials)
		}
		hashes = append(hashes, report.PopulationHash)
		r, err := store.OpenReadOnly(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		best, err := r.Briefs(t.Context(), store.Filter{Order: store.ByFitness, Limit: 1})
		if err != nil || best[0].State != mergesearch.Scored || best[0].Generation < 2 {
			t.Errorf("the best is %+v, %v: no search has happened", best, err)
		}
	}
	if hashes[0] != hashes[1] {
		t.Error("two synthetic runs differ")
	}
}
