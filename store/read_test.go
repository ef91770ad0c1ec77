package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// clock gives times that are told apart: a second more at each look.
func clock() func() time.Time {
	now := time.Unix(1000, 0)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// population records eight trials in different states. Trial 7 repeats the
// recipe of trial 0.
func population(t *testing.T) (*store.DB, storetest.Sample) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{Now: clock()})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	s := storetest.Sample{Recipes: 7}
	for i := range 8 {
		trial, genome := s.Trial(i)
		if i == 0 {
			trial.Name, trial.Individual, genome = "base", mergesearch.Individual{Operator: "parent"}, ""
		}
		must(t, db.Begin(t.Context(), trial, genome))
		trial.Fingerprint = storetest.Fingerprint(trial.RecipeID)
		n := 10
		if i == 3 {
			n = 4
		}
		o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, n)
		done := s.Finished(trial, o)
		switch i {
		case 3:
			done.State = mergesearch.Eliminated
		case 5:
			trial.State, trial.Reason = mergesearch.Failed, mergesearch.Reason{Code: "shape", Text: "tensor a"}
			must(t, db.Finish(t.Context(), trial))
			continue
		case 6:
			continue
		default:
			done.Rung = 1
		}
		must(t, db.Answered(t.Context(), trial, mergesearch.SearchSplit, o))
		must(t, db.Finish(t.Context(), done))
	}
	return db, s
}

func TestTrialsComeBack(t *testing.T) {
	db, s := population(t)
	got, err := db.Trials(t.Context(), store.Filter{})
	must(t, err)
	if len(got) != 8 {
		t.Fatalf("%d trials", len(got))
	}
	want, genome := s.Trial(4)
	want.Fingerprint = storetest.Fingerprint(want.RecipeID)
	want = s.Finished(want, s.Outcomes(want.RecipeID, mergesearch.SearchSplit, 0, 10))
	want.Rung = 1
	if diff := cmp.Diff(want, got[4].Trial); diff != "" {
		t.Error(diff)
	}
	if got[4].Genome != genome || !got[4].Finished.After(got[4].Begun) || got[4].Begun.Unix() < 1000 {
		t.Errorf("%+v", got[4])
	}
	if got[0].Name != "base" || got[0].Individual.Genome != nil || got[0].Genome != "" {
		t.Errorf("parent %+v", got[0])
	}
	if got[5].Reason.Text != "tensor a" || got[6].State != mergesearch.Building || !got[6].Finished.IsZero() {
		t.Errorf("%+v %+v", got[5], got[6])
	}
}

func TestFilters(t *testing.T) {
	db, s := population(t)
	recipe, _ := s.Trial(0)
	for _, c := range []struct {
		filter store.Filter
		want   []int
	}{
		{store.Filter{From: 5}, []int{5, 6, 7}},
		{store.Filter{From: 2, Limit: 2}, []int{2, 3}},
		{store.Filter{States: []mergesearch.State{mergesearch.Failed, mergesearch.Eliminated}}, []int{3, 5}},
		{store.Filter{States: []mergesearch.State{}}, nil},
		{store.Filter{Recipe: recipe.RecipeID}, []int{0, 7}},
		{store.Filter{Recipe: recipe.RecipeID, From: 1}, []int{7}},
	} {
		got, err := db.Trials(t.Context(), c.filter)
		must(t, err)
		var indices []int
		for _, x := range got {
			indices = append(indices, x.Index)
		}
		if !slices.Equal(indices, c.want) {
			t.Errorf("%+v: %v, want %v", c.filter, indices, c.want)
		}
	}
	ranked, err := db.Trials(t.Context(), store.Filter{ByRank: true})
	must(t, err)
	if !slices.IsSortedFunc(ranked[:6], func(a, b store.Trial) int {
		if a.Score.Fitness != b.Score.Fitness {
			return -int(1e9 * (a.Score.Fitness - b.Score.Fitness))
		}
		return a.Index - b.Index
	}) || ranked[6].Index != 5 || ranked[7].Index != 6 {
		t.Errorf("ranked wrongly: %v", ranked)
	}
}

func TestOneTrial(t *testing.T) {
	db, s := population(t)
	trial, answers, err := db.Trial(t.Context(), "c0004")
	must(t, err)
	want := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 10)
	var got []mergesearch.Outcome
	for _, a := range answers {
		got = append(got, a.Outcome)
		if a.Split != mergesearch.SearchSplit {
			t.Errorf("%s: split %s", a.Item, a.Split)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Equal(trial.Individual.Parents, []mergesearch.CandidateID{"c0002", "c0000"}) {
		t.Errorf("parents %v", trial.Individual.Parents)
	}
	var missing *store.NotFoundError
	if _, _, err := db.Trial(t.Context(), "c0099"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	var input *mergesearch.InputError
	for _, id := range []mergesearch.CandidateID{"", "c", "7", "c7", "c-001", "best", "c00001", "c9999999999999999999"} {
		if _, _, err := db.Trial(t.Context(), id); !errors.As(err, &input) {
			t.Errorf("%q: got %v", id, err)
		}
	}
}

func TestRecipeYAML(t *testing.T) {
	db, s := population(t)
	trial, _ := s.Trial(2)
	must(t, db.SetRecipeYAML(t.Context(), trial.RecipeID, "merge_method: linear\n"))
	if text, err := db.RecipeYAML(t.Context(), trial.RecipeID); err != nil || text != "merge_method: linear\n" {
		t.Errorf("%q, %v", text, err)
	}
	var missing *store.NotFoundError
	if err := db.SetRecipeYAML(t.Context(), "0000000000000000", "x"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestLineage(t *testing.T) {
	db, _ := population(t)
	ids := func(l store.Lineage) string {
		var out []string
		for _, n := range l.Nodes {
			out = append(out, string(n.ID))
		}
		for _, e := range l.Edges {
			out = append(out, fmt.Sprintf("%s>%s:%d", e.Parent, e.Child, e.Position))
		}
		return fmt.Sprint(out)
	}
	all, err := db.Lineage(t.Context())
	must(t, err)
	if len(all.Nodes) != 8 || len(all.Edges) != 8 || all.Nodes[0].Name != "base" || all.Nodes[5].Fitness != nil || all.Nodes[4].Fitness == nil {
		t.Errorf("%+v", all)
	}
	up, err := db.Ancestors(t.Context(), "c0007")
	must(t, err)
	if got, want := ids(up), "[c0003 c0007 c0003>c0007:0 c0003>c0007:1]"; got != want {
		t.Errorf("ancestors %s, want %s", got, want)
	}
	down, err := db.Descendants(t.Context(), "c0002")
	must(t, err)
	if got, want := ids(down), "[c0002 c0004 c0005 c0006 c0002>c0004:0 c0002>c0005:0 c0002>c0006:1]"; got != want {
		t.Errorf("descendants %s, want %s", got, want)
	}
	var missing *store.NotFoundError
	if _, err := db.Ancestors(t.Context(), "c0042"); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}

func TestCounts(t *testing.T) {
	db, s := population(t)
	c, err := db.Counts(t.Context())
	must(t, err)
	want := store.Counts{
		Trials: 8, Recipes: 7, Evaluations: 5, ItemAnswers: 44,
		ByState: map[mergesearch.State]int{mergesearch.Scored: 5, mergesearch.Eliminated: 1, mergesearch.Failed: 1, mergesearch.Building: 1},
		ByRung:  map[int]int{0: 1, 1: 5},
		BySplit: map[mergesearch.Split]int{mergesearch.SearchSplit: 44}, Tokens: map[mergesearch.Split]int{},
	}
	for i := range 5 {
		trial, _ := s.Trial(i)
		n := 10
		if i == 3 {
			n = 4
		}
		for _, o := range s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, n) {
			want.Tokens[mergesearch.SearchSplit] += o.Tokens()
			for _, b := range []struct {
				flag bool
				sum  *int
			}{{o.Missing, &want.Missing}, {o.Truncated, &want.Truncated}, {o.Empty, &want.Empty}} {
				if b.flag {
					*b.sum++
				}
			}
		}
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
	if want.Missing == 0 || want.Truncated == 0 {
		t.Error("the sample has nothing to count")
	}
}

func TestHeldOut(t *testing.T) {
	db, s := population(t)
	if o, err := db.HeldOut(t.Context()); err != nil || !o.At.IsZero() || o.Items != nil {
		t.Errorf("before: %+v, %v", o, err)
	}
	for _, i := range []int{0, 4} {
		trial, _ := s.Trial(i)
		must(t, db.Answered(t.Context(), trial, mergesearch.HeldOutSplit, s.Outcomes(trial.RecipeID, mergesearch.HeldOutSplit, i, 4)))
	}
	o, err := db.HeldOut(t.Context())
	must(t, err)
	if o.At.IsZero() || len(o.Items) != 8 || !slices.IsSorted(o.Items) {
		t.Errorf("after: %+v", o)
	}
	events, err := db.Events(t.Context(), 0, 0)
	if err != nil || len(events) != 1 || events[0].Kind != store.HeldOutOpened || string(events[0].Attrs) != `{"candidate":"c0000"}` {
		t.Errorf("events %+v, %v", events, err)
	}
}

func TestEnding(t *testing.T) {
	db, s := population(t)
	var missing *store.NotFoundError
	if _, err := db.Ending(t.Context()); !errors.As(err, &missing) {
		t.Errorf("before: %v", err)
	}
	trial, _ := s.Trial(4)
	want := store.Ending{
		Status: "done", StopReason: "candidates", HeldOutPeeks: 2, Faults: 3,
		Result: mergesearch.Result{
			Best:       mergesearch.Finalist{Name: "winner", Candidate: "c0004", Recipe: trial.Recipe, Search: mergesearch.Score{Fitness: 1.0 / 3, Items: 4}},
			BestParent: "add", Verdict: mergesearch.Verdict{BeatsBestParent: true, Comparison: mergesearch.Comparison{Gain: 0.1, PValue: 1e-9}},
		},
	}
	recorded, err := db.SetEnding(t.Context(), want)
	must(t, err)
	got, err := db.Ending(t.Context())
	must(t, err)
	if diff := cmp.Diff(recorded, got); diff != "" {
		t.Error(diff)
	}
	hash, err := db.PopulationHash(t.Context())
	must(t, err)
	want.PopulationHash, want.At = hash, got.At
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	// A replay changes nothing and leaves the ending; anything new takes it back.
	o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 10)
	must(t, db.Answered(t.Context(), trial, mergesearch.SearchSplit, o))
	if _, err := db.Ending(t.Context()); err != nil {
		t.Errorf("after a replay: %v", err)
	}
	must(t, db.Answered(t.Context(), trial, mergesearch.ValidationSplit, s.Outcomes(trial.RecipeID, mergesearch.ValidationSplit, 0, 1)))
	if _, err := db.Ending(t.Context()); !errors.As(err, &missing) {
		t.Errorf("after another answer: %v", err)
	}
}

func TestEventsInParts(t *testing.T) {
	db, _ := population(t)
	for i := range 5 {
		must(t, db.Event(t.Context(), "tick", map[string]any{"i": i, "html": "<a&b>"}))
	}
	got, err := db.Events(t.Context(), 2, 2)
	must(t, err)
	if len(got) != 2 || got[0].Seq != 3 || got[1].Seq != 4 || !got[1].At.After(got[0].At) {
		t.Errorf("%+v", got)
	}
}
