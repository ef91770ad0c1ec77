package storetest_test

import (
	"context"
	"testing"

	"mergesearch/store"
	"mergesearch/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Recorder { return &storetest.Memory{} })
}

func TestDB(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Recorder {
		db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			report, err := db.Check(context.Background())
			if err != nil || len(report.Problems) > 0 {
				t.Errorf("check: %v %q", err, report.Problems)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	})
}
