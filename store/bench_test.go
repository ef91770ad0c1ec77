package store_test

import (
	"fmt"
	"testing"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// BenchmarkAnswered commits the answers of one candidate. The time is that of a
// sync of the disk plus the rows.
func BenchmarkAnswered(b *testing.B) {
	for _, items := range []int{1, 30, 360, 2000} {
		b.Run(fmt.Sprintf("%d_items", items), func(b *testing.B) {
			db, err := store.Open(b.Context(), b.TempDir(), store.Options{})
			must(b, err)
			defer db.Close()
			var s storetest.Sample
			outcomes := s.Outcomes("bench", mergesearch.SearchSplit, 0, items)
			i := 0
			for b.Loop() {
				b.StopTimer()
				trial, genome := s.Trial(i)
				i++
				must(b, db.Begin(b.Context(), trial, genome))
				b.StartTimer()
				must(b, db.Answered(b.Context(), trial, mergesearch.SearchSplit, outcomes))
			}
		})
	}
}

// BenchmarkReplay is what a resumed run asks of each candidate that it knows.
func BenchmarkReplay(b *testing.B) {
	db, err := store.Open(b.Context(), b.TempDir(), store.Options{})
	must(b, err)
	defer db.Close()
	var s storetest.Sample
	trial, genome := s.Trial(0)
	outcomes := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 360)
	done := s.Finished(trial, outcomes)
	must(b, db.Begin(b.Context(), trial, genome))
	must(b, db.Answered(b.Context(), trial, mergesearch.SearchSplit, outcomes))
	must(b, db.Finish(b.Context(), done))
	for b.Loop() {
		must(b, db.Begin(b.Context(), trial, genome))
		if k, err := db.Known(b.Context(), trial.RecipeID); err != nil || len(k.Outcomes) != 360 {
			b.Fatal(len(k.Outcomes), err)
		}
		must(b, db.Finish(b.Context(), done))
	}
}

// BenchmarkPopulationHash reads a run of 200 candidates with 360 answers each.
func BenchmarkPopulationHash(b *testing.B) {
	db, err := store.Open(b.Context(), b.TempDir(), store.Options{})
	must(b, err)
	defer db.Close()
	var s storetest.Sample
	for i := range 200 {
		trial, genome := s.Trial(i)
		must(b, db.Begin(b.Context(), trial, genome))
		must(b, db.Answered(b.Context(), trial, mergesearch.SearchSplit, s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 360)))
	}
	for b.Loop() {
		if _, err := db.PopulationHash(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func must(t interface {
	Helper()
	Fatal(args ...any)
}, err error,
) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
