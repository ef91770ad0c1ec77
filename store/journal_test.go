package store_test

import (
	"context"
	"encoding/json"
	"testing"

	"mergesearch/store"
)

// An event that is recorded once is there once, also for a process that comes later.
func TestOnce(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	for process := range 3 {
		db, err := store.Open(ctx, dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"c0007", "", "c0007", "c0008", ""} {
			if _, err := db.Once(ctx, "new_best", key, map[string]any{"fitness": 0.5}); err != nil {
				t.Fatal(err)
			}
		}
		fresh, err := db.Once(ctx, "quarantine", "c0007", nil)
		if err != nil || fresh != (process == 0) {
			t.Errorf("process %d: fresh %v, error %v", process, fresh, err)
		}
		events, err := db.Events(ctx, 0, 0)
		if err != nil || len(events) != 4 {
			t.Fatalf("%d events, error %v", len(events), err)
		}
		var attrs map[string]any
		if err := json.Unmarshal(events[0].Attrs, &attrs); err != nil || attrs["key"] != "c0007" || attrs["fitness"] != 0.5 {
			t.Errorf("attributes %s", events[0].Attrs)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What a run stopped for is read while the store is open for writing.
func TestStopped(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	for range 2 {
		db, err := store.Open(ctx, dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Stop(ctx, 12); err != nil {
			t.Fatal(err)
		}
		if trials, ok, err := db.Stopped(ctx); err != nil || !ok || trials != 12 {
			t.Errorf("%d trials, %v, %v", trials, ok, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
