package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"mergesearch/store"
	"mergesearch/store/storetest"
)

// BenchmarkLook is what people wait for who look at a run of 10,000 candidates with 64
// genes. MERGESEARCH_SYNTHETIC names a directory that keeps the run between two calls.
func BenchmarkLook(b *testing.B) {
	dir := os.Getenv("MERGESEARCH_SYNTHETIC")
	if dir == "" {
		dir = b.TempDir()
	}
	if _, err := os.Stat(filepath.Join(dir, store.FileName)); err != nil {
		storetest.Synthetic(b, dir, 10_000, 64)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"candidates", []string{"candidates", dir}},
		{"candidates_best_20", []string{"candidates", dir, "--sort", "fitness", "--limit", "20"}},
		{"candidates_json", []string{"candidates", dir, "--json"}},
		{"show", []string{"show", dir}},
		{"show_candidate", []string{"show", dir, "best"}},
		{"lineage", []string{"lineage", dir}},
		{"lineage_json", []string{"lineage", dir, "--json"}},
		{"status", []string{"status", dir}},
		{"diff", []string{"diff", dir, "best-parent", "best"}},
		{"items", []string{"items", dir, "best", "--lost"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if code := execute(c.args, io.Discard, io.Discard); code != exitDone {
					b.Fatalf("exit code %d", code)
				}
			}
		})
	}
}
