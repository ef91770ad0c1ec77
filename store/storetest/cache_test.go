package storetest_test

import (
	"testing"

	"mergesearch/store"
	"mergesearch/store/storetest"
)

func TestMemoryCache(t *testing.T) {
	storetest.TestCache(t, func(*testing.T) storetest.Cache { return &storetest.MemoryCache{} }, 1_000_000)
}

func TestDBCache(t *testing.T) {
	storetest.TestCache(t, func(t *testing.T) storetest.Cache {
		db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db.Cache()
	}, 50_000)
}

// What was stored is there after the database was closed and opened again.
func TestDBCacheStays(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		db, err := store.Open(t.Context(), dir, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for j := range 1500 {
			key := [32]byte{byte(j), byte(j >> 8)}
			if _, found, err := db.Cache().Lookup(t.Context(), key); found != (i > 0) || err != nil {
				t.Fatalf("opened %d times before: key %d found %v, %v", i, j, found, err)
			}
			if err := db.Cache().Store(t.Context(), key, []byte("value")); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		report := check(t, dir)
		if len(report.Problems) > 0 {
			t.Errorf("%q", report.Problems)
		}
	}
}

func check(t *testing.T, dir string) store.Report {
	t.Helper()
	r, err := store.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report, err := r.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}
