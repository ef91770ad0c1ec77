package inspect_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

func open(t *testing.T, candidates, genes int) *inspect.Run {
	t.Helper()
	dir := t.TempDir()
	storetest.Synthetic(t, dir, candidates, genes)
	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	run, err := inspect.Open(t.Context(), r)
	must(t, err)
	if len(run.Notes) > 0 || len(run.Benchmark.Tasks) != 3 {
		t.Fatalf("%q, %v", run.Notes, run.Benchmark)
	}
	return run
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

// What a gains over b, b loses to a, and every number is that of the items.
func TestCompareMirrors(t *testing.T) {
	run := open(t, 60, 10)
	random := rand.New(rand.NewPCG(1, 1))
	for range 25 {
		id := func() inspect.Subject {
			s, err := run.Subject(t.Context(), mergesearch.CandidateOf(random.IntN(60)))
			must(t, err)
			return s
		}
		a, b := id(), id()
		p, err := run.Compare(a, b, mergesearch.SearchSplit)
		must(t, err)
		q, err := run.Compare(b, a, mergesearch.SearchSplit)
		must(t, err)
		if p.Gain != -q.Gain || p.CILow != -q.CIHigh || p.PValue != q.PValue || p.Won != q.Lost || p.Lost != q.Won || p.McNemar != q.McNemar || p.FitnessA != q.FitnessB {
			t.Fatalf("%+v\n%+v", p.Comparison, q.Comparison)
		}
		if p.Won+p.Lost+p.Same != len(p.Items) || len(p.Items) != p.Comparison.Items {
			t.Fatalf("%d won, %d lost, %d same of %d", p.Won, p.Lost, p.Same, len(p.Items))
		}
		if math.Abs(p.FitnessA-p.FitnessB-p.Gain) > 1e-12 {
			t.Fatalf("%v - %v is not %v", p.FitnessA, p.FitnessB, p.Gain)
		}
		if n := len(p.Select(inspect.Won, "")); n != p.Won {
			t.Fatalf("%d items won, counted %d", n, p.Won)
		}
		if a.State == mergesearch.Scored && b.State == mergesearch.Scored && (p.FitnessA != a.Score.Fitness || p.Comparison.Items != a.Score.Items) {
			t.Fatalf("fitness %v on %d items, the score says %v on %d", p.FitnessA, p.Comparison.Items, a.Score.Fitness, a.Score.Items)
		}
	}
}

// A recipe does not differ from itself, a difference is named once and mirrors, and
// nothing but what it names differs.
func TestDiff(t *testing.T) {
	run := open(t, 60, 10)
	rapid.Check(t, func(rt *rapid.T) {
		id := func(label string) store.Trial {
			s, err := run.Subject(t.Context(), mergesearch.CandidateOf(rapid.IntRange(0, 59).Draw(rt, label)))
			must(t, err)
			return s.Trial
		}
		a, b := id("a"), id("b")
		if d := run.Diff(a, a); len(d) > 0 {
			rt.Fatalf("%s differs from itself: %+v", a.ID(), d)
		}
		d, e := run.Diff(a, b), run.Diff(b, a)
		if len(d) != len(e) || (len(d) == 0) != (a.RecipeID == b.RecipeID) {
			rt.Fatalf("%d changes there, %d back, recipes %s and %s", len(d), len(e), a.RecipeID, b.RecipeID)
		}
		for _, c := range d {
			i := slices.IndexFunc(e, func(x inspect.Change) bool { return x.Place == c.Place })
			if i < 0 || e[i].From.Text() != c.To.Text() || e[i].To.Text() != c.From.Text() || e[i].Share != c.Share {
				rt.Fatalf("%+v is not mirrored", c)
			}
		}
		if ga, gb := a.Individual.Genome, b.Individual.Genome; len(ga) > 0 && len(gb) > 0 {
			n := 0
			for i := range ga {
				if ga[i] != gb[i] {
					n++
				}
			}
			if n != len(d) {
				rt.Fatalf("%d genes differ, %d changes: %+v", n, len(d), d)
			}
		}
	})
}

func TestTrunk(t *testing.T) {
	run := open(t, 400, 16)
	winner, err := run.Winner(t.Context())
	must(t, err)
	trunk, err := run.Trunk(t.Context(), winner.ID())
	must(t, err)
	if trunk.Line != inspect.Descent || len(trunk.Steps) < 2 || trunk.AgainstParent == nil || trunk.Steps[len(trunk.Steps)-1].ID() != winner.ID() {
		t.Fatalf("%s, %d steps", trunk.Line, len(trunk.Steps))
	}
	for i, s := range trunk.Steps {
		if i == 0 {
			continue
		}
		before := trunk.Steps[i-1]
		if s.Score.Fitness <= before.Score.Fitness || s.Over < 1 || s.Gain == nil || s.Gain.B != before.ID() || len(s.Changes) == 0 {
			t.Errorf("step %d from %s to %s: %+v", i, before.ID(), s.ID(), s)
		}
		ancestors, err := run.Ancestors(t.Context(), s.ID())
		must(t, err)
		if !slices.ContainsFunc(ancestors.Nodes, func(n store.Node) bool { return n.ID == before.ID() }) {
			t.Errorf("%s does not descend from %s", s.ID(), before.ID())
		}
	}
	// A candidate without recorded parents lies on the line of the records.
	draw := mergesearch.CandidateOf(30)
	records, err := run.Trunk(t.Context(), draw)
	must(t, err)
	if records.Line != inspect.Records || records.Steps[len(records.Steps)-1].ID() != draw {
		t.Errorf("%+v", records)
	}
	if _, err := run.Trunk(t.Context(), "c9999"); !errors.As(err, new(*store.NotFoundError)) {
		t.Errorf("got %v", err)
	}
}

func TestContributions(t *testing.T) {
	run := open(t, 60, 10)
	for i := range 60 {
		s, err := run.Subject(t.Context(), mergesearch.CandidateOf(i))
		must(t, err)
		list := run.Contributions(s.Trial)
		for _, c := range list {
			sum := 0.0
			for _, x := range c.Shares {
				sum += x.Share
			}
			if math.Abs(sum-1) > 1e-9 || !c.Settled {
				t.Errorf("%s: %+v", s.ID(), c)
			}
		}
		if i < 6 && len(list) != 1 || i >= 6 && len(list) != 3 {
			t.Errorf("%s (%s): %+v", s.ID(), s.Name, list)
		}
		if overall := inspect.Overall(list); len(overall) == 0 || overall[0].Share < overall[len(overall)-1].Share {
			t.Errorf("%+v", overall)
		}
	}
}

func TestFind(t *testing.T) {
	run := open(t, 60, 10)
	for word, want := range map[string]mergesearch.CandidateID{"c0007": "c0007", "expert-maths": "c0002", "naive soup": "c0004"} {
		if id, err := run.Find(t.Context(), word); id != want || err != nil {
			t.Errorf("%s is %s, %v", word, id, err)
		}
	}
	for _, word := range []string{"best", "best-parent"} {
		if id, err := run.Find(t.Context(), word); id == "" || err != nil {
			t.Errorf("%s is %s, %v", word, id, err)
		}
	}
	var in *mergesearch.InputError
	if _, err := run.Find(t.Context(), "expert-math"); !errors.As(err, &in) || !strings.Contains(in.Hint, `"expert-maths"`) {
		t.Errorf("got %v", err)
	}
}
