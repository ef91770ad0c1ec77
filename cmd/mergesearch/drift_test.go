package main

import (
	"context"
	"math"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// changing answers otherwise from some moment on.
type changing struct {
	*searchtest.Family
	flip  int // of so many items one is answered otherwise; 0: none
	asked int
}

func (c *changing) Score(ctx context.Context, m mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	out, err := c.Family.Score(ctx, m, items)
	for i := range out {
		if c.asked++; c.flip > 0 && c.asked%c.flip == 0 {
			out[i].Value = 1 - out[i].Value
		}
	}
	return out, err
}

// A server that repeats itself and then does not is noticed, one that never did only
// when it changes more than it used to; looking changes nothing that is on record.
func TestDrift(t *testing.T) {
	for name, test := range map[string]struct {
		quiet         bool
		before, after int
		alarms        bool
	}{
		"steady":            {true, 0, 0, false},
		"changed":           {true, 0, 4, true},
		"unsteady as ever":  {false, 8, 8, false},
		"unsteady, changed": {false, 8, 1, true},
	} {
		f := searchtest.NewFamily(4, searchtest.Items{Search: 80, Validation: 4, HeldOut: 6})
		s, rec := &changing{Family: f, flip: test.before}, searchtest.NewRecorder()
		recipe := mergesearch.Passthrough(f.Space.Base, f.Space.DType)
		var items []mergesearch.ItemID
		for _, item := range f.Items(mergesearch.SearchSplit) {
			items = append(items, item.ID)
		}
		c, err := f.Build(context.Background(), "c0000", recipe)
		if err != nil {
			t.Fatal(err)
		}
		outcomes, err := f.Score(context.Background(), c, items)
		if err != nil {
			t.Fatal(err)
		}
		c.Release()
		trial := mergesearch.Trial{Recipe: recipe, RecipeID: recipe.ID(), Fingerprint: c.Fingerprint}
		if err := rec.Answered(context.Background(), trial, mergesearch.SearchSplit, outcomes); err != nil {
			t.Fatal(err)
		}
		alarms, looks := 0, 0
		d := &drift{
			builder: f, scorer: s, repeats: func(mergesearch.ItemID) bool { return true }, known: rec.Known, quiet: test.quiet,
			note: func(_ context.Context, _ string, a map[string]any) error {
				if looks++; a["alarm"] == true {
					alarms++
				}
				if a["items"].(int) < driftLeast {
					t.Errorf("%s: only %v items", name, a["items"])
				}
				return nil
			},
		}
		parent := search.Standing{Candidate: "c0000", Name: "base"}
		for candidates := range 200 {
			if candidates == 100 {
				s.flip = test.after
			}
			if err := d.check(context.Background(), candidates, parent, recipe); err != nil {
				t.Fatal(err)
			}
		}
		if looks != 8 || (alarms > 0) != test.alarms {
			t.Errorf("%s: %d looks, %d alarms", name, looks, alarms)
		}
		if live, _ := f.Candidates(); live != 0 || rec.Answers() != len(items) || rec.Repeated() != 0 {
			t.Errorf("%s: %d live, %d answers on record, %d twice", name, live, rec.Answers(), rec.Repeated())
		}
	}
}

func TestAtLeast(t *testing.T) {
	for _, test := range []struct {
		n, k int
		p    float64
		want float64
	}{{8, 0, 0, 1}, {8, 1, 0, 0}, {2, 1, 0.5, 0.75}, {10, 10, 0.5, math.Pow(2, -10)}, {3, 2, 1, 1}} {
		if got := atLeast(test.n, test.k, test.p); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("atLeast(%d, %d, %v) = %v, want %v", test.n, test.k, test.p, got, test.want)
		}
	}
}
