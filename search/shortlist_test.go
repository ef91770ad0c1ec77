package search_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// The shares of being the best add up to one, are equal for equal models, nothing for
// one that another is above everywhere, and one for whoever is alone.
func TestBestSharesLaws(t *testing.T) {
	b := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}, {Task: "b", Weight: 2}}}
	rapid.Check(t, func(t *rapid.T) {
		if rapid.Bool().Draw(t, "worst task") {
			b.Aim = mergesearch.WorstTask
		} else {
			b.Aim = mergesearch.MeanTask
		}
		asked := items(map[string]int{"a": rapid.IntRange(1, 20).Draw(t, "a"), "b": rapid.IntRange(1, 20).Draw(t, "b")})
		var models [][]mergesearch.Outcome
		for range rapid.IntRange(1, 5).Draw(t, "models") {
			var outcomes []mergesearch.Outcome
			for _, item := range asked {
				outcomes = append(outcomes, mergesearch.Outcome{Item: item.ID, Value: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "value")})
			}
			models = append(models, outcomes)
		}
		twin := slices.Clone(models[0])
		perfect := slices.Clone(models[0])
		for i := range perfect {
			perfect[i].Value = 1
		}
		shares := search.BestShares(b, append(models, twin), 1)
		sum := 0.0
		for _, s := range shares {
			sum += s
		}
		if math.Abs(sum-1) > 1e-9 || math.Abs(shares[0]-shares[len(shares)-1]) > 1e-9 {
			t.Fatalf("shares %v", shares)
		}
		shares = search.BestShares(b, append(models, perfect), 1)
		if math.Abs(shares[len(shares)-1]-1) > 1e-9 {
			t.Fatalf("shares %v, the last is right everywhere", shares)
		}
	})
}

// The best of the usual recipes is on every shortlist, whatever its rank, and the
// winner comes first.
func TestShortlistHoldsAUsualRecipe(t *testing.T) {
	f := searchtest.NewFamily(2, searchtest.Items{Search: 60, Validation: 60, HeldOut: 60})
	r := run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) { o.Shortlist = 3 }))
	if n := len(r.Shortlist); n != 4 {
		t.Errorf("%d on the shortlist, want the best three and a usual recipe", n)
	}
	if r.Shortlist[0].Candidate != r.Best.Candidate {
		t.Errorf("%s wins and %s is first", r.Best.Candidate, r.Shortlist[0].Candidate)
	}
	best := 0.0
	for _, b := range r.Baselines {
		best = max(best, b.Search.Fitness)
	}
	at := slices.IndexFunc(r.Shortlist, func(s mergesearch.Shortlisted) bool { return s.Name == r.BestBaseline })
	if at < 0 || r.Shortlist[at].Search.Fitness != best {
		t.Errorf("the best baseline, %q, is not on the shortlist: %+v", r.BestBaseline, r.Shortlist)
	}
	for _, s := range r.Shortlist {
		if s.Validation.Items != 180 || !(s.BestShare >= 0 && s.BestShare <= 1) {
			t.Errorf("%+v", s)
		}
	}
	if c, ok := r.AgainstBestBaseline(); !ok || math.Abs(c.Gain-(r.Best.HeldOut.Fitness-r.Baselines[slices.IndexFunc(r.Baselines, func(b mergesearch.Finalist) bool { return b.Name == r.BestBaseline })].HeldOut.Fitness)) > 1e-9 {
		t.Errorf("against the best baseline %+v, %v", c, ok)
	}
}

// someParents is a judge by which the winner is not ahead in its n-th comparison.
type someParents struct {
	not   int
	calls *int
}

func (j someParents) Compare(a, _ []mergesearch.Outcome) (mergesearch.Comparison, error) {
	*j.calls++
	c := mergesearch.Comparison{Gain: 0.1, CILow: 0.05, CIHigh: 0.15, PValue: 0.001, Items: len(a)}
	if *j.calls == j.not+1 {
		c.CILow = -0.05
	}
	return c, nil
}

// The best parent is beaten when every parent is: which one is the best may have been
// misjudged.
func TestTheClaimIsAgainstEveryParent(t *testing.T) {
	for not := range 5 {
		calls := 0
		f := searchtest.NewFamily(2, fewItems)
		r := run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) { o.Judge = someParents{not, &calls} }))
		if len(r.AgainstParents) != 4 || r.Verdict.BeatsBestParent != (not == 4) {
			t.Errorf("not ahead in comparison %d: %+v, parents %+v", not, r.Verdict, r.AgainstParents)
		}
	}
}

// flattering lets later candidates have every search item right and no other.
type flattering struct{ *searchtest.Family }

func (f flattering) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	out, err := f.Family.Score(ctx, c, items)
	if c.ID < mergesearch.CandidateOf(40) {
		return out, err
	}
	for i := range out {
		out[i].Value = 0
		if strings.Contains(string(out[i].Item), "/search-") {
			out[i].Value = 1
		}
	}
	return out, err
}

// Who is ahead on the items that it was selected on, and on no others, does not win
// over a usual recipe or the recommendation, though it is ahead on all items together.
func TestFlatteryDoesNotWin(t *testing.T) {
	f := searchtest.NewFamily(2, searchtest.Items{Search: 40, Validation: 20, HeldOut: 20})
	r := run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) { o.Scorer = flattering{f} }))
	if r.Shortlist[1].Name != "" || r.Shortlist[1].Search.Fitness != 1 {
		t.Fatalf("nobody was flattered: %+v", r.Shortlist[1])
	}
	if r.Shortlist[0].Name != r.BestBaseline {
		t.Errorf("the winner is %+v, not the best baseline, %s", r.Shortlist[0], r.BestBaseline)
	}
}

// advised recommends a genome whatever it was told.
type advised struct {
	search.Algorithm
	genome mergesearch.Genome
}

func (a advised) Recommend() (mergesearch.Individual, bool) {
	return mergesearch.Individual{Genome: a.genome, Generation: 99, Operator: "mean"}, true
}

func TestShortlistHoldsTheRecommendation(t *testing.T) {
	f := searchtest.NewFamily(2, fewItems)
	r := run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Algorithm = advised{o.Algorithm, f.Space.Default()}
		o.Shortlist = 1
	}))
	if at := slices.IndexFunc(r.Shortlist, func(s mergesearch.Shortlisted) bool { return s.Name == "recommendation" }); at < 0 || len(r.Shortlist) > 3 {
		t.Errorf("shortlist %+v", r.Shortlist)
	}
}
