package mergetest_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// Every miniature is a checkpoint that the seed decides, and merges with another
// of its family.
func TestMiniatures(t *testing.T) {
	for _, family := range mergetest.Families() {
		t.Run(family, func(t *testing.T) {
			dirs := map[string]string{}
			for i, name := range []string{"a", "b", "again"} {
				dirs[name] = filepath.Join(t.TempDir(), name)
				if err := mergetest.Miniature(family, uint64(i%2), dirs[name]); err != nil {
					t.Fatal(err)
				}
			}
			digest := func(name string) string {
				c, err := safetensors.Open(dirs[name])
				if err != nil {
					t.Fatal(err)
				}
				defer c.Release()
				return c.Digest()
			}
			if a, b, again := digest("a"), digest("b"), digest("again"); a != again || a == b {
				t.Errorf("seeds 0, 1 and 0 give %s, %s and %s", a, b, again)
			}
			delete(dirs, "again")
			e, err := merge.Open(merge.Options{Models: dirs})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			r := mergesearch.Recipe{Method: "linear", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(0.5)}}
			r.Models = []mergesearch.Input{{Model: "a"}, {Model: "b"}}
			c, err := e.Build(context.Background(), "c0000", r)
			if err != nil {
				t.Fatal(err)
			}
			c.Release()
		})
	}
}

func TestMiniatureOfNoFamily(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := mergetest.Miniature("no_such_family", 1, dir); err == nil {
		t.Fatal("no error")
	}
	var in *mergesearch.InputError
	if _, err := safetensors.Open(dir); !errors.As(err, &in) {
		t.Errorf("something was written: %v", err)
	}
}
