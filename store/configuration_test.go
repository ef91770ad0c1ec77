package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mergesearch/store"
)

func TestFreeze(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	var missing *store.NotFoundError
	if _, err := db.Run(t.Context()); !errors.As(err, &missing) {
		t.Errorf("before the first freeze: %v", err)
	}
	must(t, db.Freeze(t.Context(), configuration()))
	must(t, db.Freeze(t.Context(), configuration()))
	must(t, db.Close())

	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	run, err := r.Run(t.Context())
	must(t, err)
	must(t, r.Close())
	want := configuration()
	want.Models[0], want.Models[1] = want.Models[1], want.Models[0]
	for i := range want.Models {
		want.Models[i].ModTime = want.Models[i].ModTime.UTC()
	}
	if run.Models[0].ModTime.IsZero() != want.Models[0].ModTime.IsZero() {
		t.Errorf("a time that was not given came back as %v", run.Models[0].ModTime)
	}
	if diff := cmp.Diff(want, run.Configuration); diff != "" {
		t.Error(diff)
	}
	if run.Schema != store.Schema || len(run.EffectiveSHA256) != 64 || time.Since(run.Created) > time.Hour {
		t.Errorf("%+v", run)
	}
}

func TestFreezeCompares(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	must(t, err)
	defer db.Close()
	must(t, db.Freeze(t.Context(), configuration()))
	for name, c := range map[string]struct {
		change func(*store.Configuration)
		diff   string // expected lines; empty when nothing that binds changed
	}{
		"layout and order of keys": {func(c *store.Configuration) {
			c.Effective = strings.ReplaceAll(`{"empty":[],"tasks":[{"weight":1.0,"name":"add"},{"name":"reverse","weight":5e-1}],"name":"quickstart","budget":{"candidates":150}}`, ",", ",\n")
		}, ""},
		"the same as YAML": {func(c *store.Configuration) {
			c.Effective = "name: quickstart\nempty: []\nbudget:\n  candidates: 150\ntasks:\n- {name: add, weight: 1}\n- {name: reverse, weight: 0.5}\n"
		}, ""},
		"a patch of the program":  {func(c *store.Configuration) { c.Version = "0.3.9" }, ""},
		"a build without version": {func(c *store.Configuration) { c.Version = "devel" }, ""},
		"moved models": {func(c *store.Configuration) {
			c.Models[0].Path, c.Models[0].ModTime, c.RunFile = "elsewhere", time.Unix(9, 9), "other.yaml"
		}, ""},
		"another version": {func(c *store.Configuration) { c.Version = "v0.4.0" }, "version: was 0.3.1, now v0.4.0\n"},
		"values": {func(c *store.Configuration) {
			c.Effective = `{"name": "quickstart", "budget": {"candidates": 200}, "tasks": [{"name": "add", "weight": 1}], "empty": [], "x": null}`
		}, "budget.candidates: was 150, now 200\ntasks[1].name: was \"reverse\", now (absent)\ntasks[1].weight: was 0.5, now (absent)\nx: was (absent), now null\n"},
		"seed":              {func(c *store.Configuration) { c.Seed = 2 }, "seed: was 18446744073709551615, now 2\n"},
		"a model's content": {func(c *store.Configuration) { c.Models[1].Digest = "zz" }, "model add: was bb (1001 bytes), now zz (1001 bytes)\n"},
		"a model more": {func(c *store.Configuration) {
			c.Models = append(c.Models, store.Model{Name: "new", Digest: "dd"})
		}, "model new: was (absent), now dd (0 bytes)\n"},
		"data": {func(c *store.Configuration) { c.Data[0].SHA256 = "ee" }, "data add/search: was cc, now ee\n"},
	} {
		t.Run(name, func(t *testing.T) {
			now := configuration()
			c.change(&now)
			err := db.Freeze(t.Context(), now)
			if c.diff == "" {
				must(t, err)
				return
			}
			var changed *store.ChangedError
			if !errors.As(err, &changed) {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(c.diff, changed.Diff()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(err.Error(), "\n") || !strings.Contains(changed.Hint(), "--fork") {
				t.Errorf("%q, hint %q", err, changed.Hint())
			}
		})
	}
	run, err := db.Run(t.Context())
	if err != nil || run.Version != "0.3.1" || run.Seed != configuration().Seed {
		t.Errorf("comparing changed what is stored: %+v, %v", run, err)
	}
}

func TestFreezeRefusesNonsense(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	must(t, err)
	defer db.Close()
	c := configuration()
	c.Effective = "{\"a\": [1, }"
	if err := db.Freeze(t.Context(), c); err == nil {
		t.Error("accepted a configuration that cannot be read")
	}
	c = configuration()
	c.Models = append(c.Models, c.Models[0])
	if err := db.Freeze(t.Context(), c); err == nil {
		t.Error("accepted two models of one name")
	}
	if _, err := db.Run(t.Context()); err == nil {
		t.Error("half of a configuration is stored")
	}
}

func FuzzEffective(f *testing.F) {
	f.Add(configuration().Effective)
	f.Add("a: &x {b: 1}\nc: *x\n")
	f.Add("[1, 1e999, -0.0, 18446744073709551615]")
	f.Add("<<: 3")
	db, err := store.Open(f.Context(), f.TempDir(), store.Options{})
	must(f, err)
	must(f, db.Freeze(f.Context(), configuration()))
	f.Cleanup(func() { _ = db.Close() })
	f.Fuzz(func(t *testing.T, text string) {
		c := configuration()
		c.Effective = text
		var changed *store.ChangedError
		if err := db.Freeze(t.Context(), c); errors.As(err, &changed) && (len(changed.Changes) == 0 || changed.Diff() == "") {
			t.Errorf("%q: a change without a difference", text)
		}
	})
}
