package store_test

import (
	"cmp"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// Trials in brief are the trials, their details are the rest, and every filter and order
// chooses what going through all of them would. Of 1,100 trials the digests are read in
// one pass, of a few one by one.
func TestBriefs(t *testing.T) {
	dir := t.TempDir()
	storetest.Synthetic(t, dir, 1100, 8)
	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	defer r.Close()
	trials, err := r.Trials(t.Context(), store.Filter{})
	must(t, err)
	briefs := func(f store.Filter) []store.Brief {
		out, err := r.Briefs(t.Context(), f)
		must(t, err)
		return out
	}
	all, lean := briefs(store.Filter{}), briefs(store.Filter{Lean: true})
	details, err := r.Details(t.Context(), all)
	must(t, err)
	records, err := r.Records(t.Context())
	must(t, err)
	for i, x := range trials {
		b, d := all[i], details[i]
		if b.ID() != x.ID() || b.Name != x.Name || b.Operator != x.Individual.Operator || b.Generation != x.Individual.Generation || b.Method != x.Recipe.Method ||
			b.RecipeID != x.RecipeID || b.State != x.State || b.Reason != x.Reason || b.Score.Fitness != x.Score.Fitness || len(b.Score.Tasks) != len(x.Score.Tasks) ||
			!b.Begun.Equal(x.Begun) || !b.Finished.Equal(x.Finished) {
			t.Fatalf("%+v\n%+v", b, x)
		}
		if lean[i].Score.Merit() != x.Score.Merit() || lean[i].Score.Items != x.Score.Items {
			t.Fatalf("%s: %+v", x.ID(), lean[i].Score)
		}
		if d.Genome != x.Genome || d.Fingerprint != x.Fingerprint || !slices.Equal(d.Parents, x.Individual.Parents) || d.ItemsDigest != mergesearch.ItemsDigest(records[i].Outcomes) {
			t.Fatalf("%s: %+v", x.ID(), d)
		}
	}
	few, err := r.Details(t.Context(), all[500:503])
	must(t, err)
	for i, d := range few {
		if want := details[500+i]; d.ItemsDigest != want.ItemsDigest || d.Genome != want.Genome || !slices.Equal(d.Parents, want.Parents) {
			t.Errorf("%+v, want %+v", d, want)
		}
	}
	least := 0.5
	for name, c := range map[string]struct {
		filter store.Filter
		keep   func(store.Brief) bool
		order  func(a, b store.Brief) int
	}{
		"operator": {store.Filter{Operators: []string{"crossover"}}, func(b store.Brief) bool { return b.Operator == "crossover" }, nil},
		"method":   {store.Filter{Methods: []string{"ties", "linear"}}, func(b store.Brief) bool { return b.Method == "ties" || b.Method == "linear" }, nil},
		"generation": {store.Filter{Generations: []int{2, 5}, States: []mergesearch.State{mergesearch.Scored}}, func(b store.Brief) bool {
			return (b.Generation == 2 || b.Generation == 5) && b.State == mergesearch.Scored
		}, nil},
		"names":   {store.Filter{Names: []string{"naive soup"}}, func(b store.Brief) bool { return b.Name == "naive soup" }, nil},
		"nothing": {store.Filter{Operators: []string{}}, func(store.Brief) bool { return false }, nil},
		"fitness": {
			store.Filter{MinFitness: &least, Order: store.ByFitness},
			func(b store.Brief) bool { return b.HasScore() && b.Score.Fitness >= least },
			func(a, b store.Brief) int { return cmp.Compare(b.Score.Fitness, a.Score.Fitness) },
		},
		"items":  {store.Filter{Order: store.ByItems}, func(store.Brief) bool { return true }, func(a, b store.Brief) int { return cmp.Compare(b.Score.Items, a.Score.Items) }},
		"tokens": {store.Filter{Order: store.ByTokens}, func(store.Brief) bool { return true }, func(a, b store.Brief) int { return cmp.Compare(b.Score.CompletionTokens, a.Score.CompletionTokens) }},
		"seconds": {store.Filter{Order: store.BySeconds}, func(store.Brief) bool { return true }, func(a, b store.Brief) int {
			return cmp.Compare(b.BuildSeconds+b.EvalSeconds, a.BuildSeconds+a.EvalSeconds)
		}},
	} {
		var want []mergesearch.CandidateID
		kept := slices.DeleteFunc(slices.Clone(all), func(b store.Brief) bool { return !c.keep(b) })
		if c.order != nil {
			slices.SortStableFunc(kept, c.order)
		}
		for _, b := range kept {
			want = append(want, b.ID())
		}
		var got []mergesearch.CandidateID
		for _, b := range briefs(c.filter) {
			got = append(got, b.ID())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d trials, want %d in the same order", name, len(got), len(want))
		}
	}
	best := briefs(store.Filter{Order: store.ByFitness, States: []mergesearch.State{mergesearch.Scored}, Limit: 3})
	for i, b := range best {
		if place, of, err := r.Standings(t.Context(), b.Index); place != i+1 || of < 300 || err != nil {
			t.Errorf("%s is in place %d of %d, %v", b.ID(), place, of, err)
		}
	}
	near, err := r.Near(t.Context(), best[0].ID(), 1)
	must(t, err)
	if n := len(trials[best[0].Index].Individual.Parents); len(near.Edges) != n || len(near.Nodes) != n+1 {
		t.Errorf("%d parents, %+v", n, near)
	}
	if last, ok, err := r.LastEvent(t.Context()); !ok || err != nil || last.Kind != store.HeldOutOpened {
		t.Errorf("%+v, %v, %v", last, ok, err)
	}
}
