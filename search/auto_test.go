package search_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// auto chooses by what there is and says so.
func TestAutoSaysWhatItChose(t *testing.T) {
	numbers := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
	})
	var groups []mergesearch.Group
	for k := range 110 {
		groups = append(groups, mergesearch.Group{Name: fmt.Sprint("g", k), Filters: []string{fmt.Sprintf("layers.%d.", k)}})
	}
	wide := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1], Groups: append(groups, mergesearch.Group{Name: "rest"}),
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true, PerGroup: true}},
	})
	choices := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b", "c"}, Methods: searchtest.Methods()[:3],
	})
	for _, c := range []struct {
		name   string
		space  *mergesearch.Space
		change func(*search.Brief)
		want   string
	}{
		{"numbers", numbers, func(*search.Brief) {}, "surrogate: 2 numbers and no choice"},
		{"a small budget", numbers, func(b *search.Brief) { b.Budget.ItemAnswers = 600 }, "near: the budget has room for 25 candidates"},
		{"many numbers", wide, func(*search.Brief) {}, "cmaes: 222 numbers in one recipe"},
		{"choices", choices, func(*search.Brief) {}, "ga: 2 choices and no number"},
		{"both", searchtest.QuickSpace("a", "b", "c"), func(*search.Brief) {}, "surrogate after a coarse search: 2 choices and "},
		{"several objectives", numbers, func(b *search.Brief) { b.Benchmark.Aim = mergesearch.Pareto }, "nsga2: several objectives"},
	} {
		b := searchtest.Brief(c.space, 1)
		c.change(&b)
		p, err := search.New("auto", b)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.Why, c.want) || strings.Contains(p.Why, "\n") {
			t.Errorf("%s: %q, want %q", c.name, p.Why, c.want)
		}
	}
}

// A cohort of mirrored pairs has two at least, and an odd population gets one more.
func TestPopulationOfPairs(t *testing.T) {
	numbers := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
	})
	for name, space := range map[string]*mergesearch.Space{"surrogate": numbers, "ridge": numbers, "auto": searchtest.QuickSpace("a", "b", "c")} {
		for population, want := range map[int]int{1: 0, 2: 0, 3: 0, 4: 4, 5: 6} {
			b := searchtest.Brief(space, 1)
			b.Settings.Population, b.Budget = population, search.Budget{Candidates: 60}
			p, err := search.New(name, b)
			var input *mergesearch.InputError
			if want == 0 {
				if !errors.As(err, &input) || input.Field != "algorithm.population" || input.Hint == "" {
					t.Errorf("%s of %d: error %v", name, population, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			p.Algorithm.Tell(nil)
			if n := len(p.Algorithm.Ask()); n != want {
				t.Errorf("%s of %d: %d individuals", name, population, n)
			}
		}
	}
}

// A coarse search that is stopped early recommends the best it has, as often as it is
// asked, and goes on as if it had not been.
func TestHandoverRecommendsWhenStopped(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	land := searchtest.Sphere(space, space.Baselines()[0].Genome)
	create := func() search.Recommender {
		return must(search.New("auto", searchtest.Brief(space, 1))).Algorithm.(search.Recommender)
	}
	a, undisturbed := create(), create()
	told := land.Baselines(space)
	a.Tell(told)
	undisturbed.Tell(told)
	if _, ok := a.Recommend(); ok {
		t.Error("recommends before a cohort was told")
	}
	cohort := land.Tell(a.Ask(), len(told), nil)
	a.Tell(cohort)
	undisturbed.Ask()
	undisturbed.Tell(cohort)
	first, ok := a.Recommend()
	if !ok || first.Generation != 1 || first.Operator == "" || len(first.Parents) != 1 {
		t.Fatalf("%v, %+v", ok, first)
	}
	if err := space.Check(first.Genome); err != nil {
		t.Error(err)
	}
	if again, _ := a.Recommend(); !cmp.Equal(first, again) || !cmp.Equal(a.Ask(), undisturbed.Ask()) {
		t.Error("a recommendation changed the search")
	}
}

// auto over a family with a choice of method, and races that choose items for each
// cohort.
func chosen(f *searchtest.Family, r *searchtest.Recorder, name string, items search.ItemChoice) search.Options {
	return options(f, r, func(o *search.Options) {
		b := search.Brief{
			Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: 3,
			Budget: search.Budget{Candidates: 64},
		}
		p := must(search.New(name, b))
		o.Algorithm, o.Budget = p.Algorithm, b.Budget
		o.Race = search.Race{Rungs: []int{6, 12}, Keep: 0.2, Items: items}
		if name == "auto" {
			o.Race.Keep = 0
		}
	})
}

// Wherever a run with chosen items is cut off, it ends the same, with any number of
// workers, and no answer is asked twice.
func TestChosenItemsResumeTheSame(t *testing.T) {
	for _, c := range []struct {
		name  string
		items search.ItemChoice
	}{{"ga", search.FreshItems}, {"ga", search.UndecidedItems}, {"auto", search.UndecidedItems}} {
		f, whole := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		want := run(t, chosen(f, whole, c.name, c.items))
		for _, kill := range []int{whole.Calls() / 4, whole.Calls() * 2 / 3} {
			f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
			rec.Fault = func(call int) error {
				if call >= kill {
					return errPower
				}
				return nil
			}
			if _, err := search.Run(context.Background(), chosen(f, rec, c.name, c.items)); !errors.Is(err, errPower) {
				t.Fatalf("killed at %d: %v", kill, err)
			}
			rec.Fault = nil
			o := chosen(f, rec, c.name, c.items)
			o.Workers = 3
			if d := cmp.Diff(want, run(t, o)); d != "" || rec.Hash() != whole.Hash() {
				t.Fatalf("%s, %s items, killed at %d: another end\n%s", c.name, c.items, kill, d)
			}
			if rec.Repeated() != 0 {
				t.Errorf("%d items were recorded twice", rec.Repeated())
			}
		}
	}
}

// eavesdropper keeps what an algorithm is told.
type eavesdropper struct {
	search.Algorithm
	told [][]mergesearch.Trial
}

func (l *eavesdropper) Tell(trials []mergesearch.Trial) {
	l.told = append(l.told, trials)
	l.Algorithm.Tell(trials)
}

// Candidates of a cohort share their items, cohorts do not, and levels make them
// comparable.
func TestFreshItems(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	var heard *eavesdropper
	run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) {
		heard = &eavesdropper{Algorithm: must(search.NewRandom(f.Space, 1, 12))}
		o.Algorithm, o.Budget.Candidates = heard, 36
		o.Race = search.Race{Rungs: []int{5, 0}, Keep: 0, Items: search.FreshItems}
	}))
	items := func(trial mergesearch.Trial) (out []mergesearch.ItemID) {
		for _, o := range trial.Outcomes {
			out = append(out, o.Item)
		}
		return out
	}
	var sets [][]mergesearch.ItemID
	for _, trials := range heard.told[1:] {
		for _, trial := range trials {
			if trial.State != mergesearch.Eliminated || trial.Score.Items != 15 {
				t.Fatalf("trial %d: %s after %d items", trial.Index, trial.State, trial.Score.Items)
			}
			if !slices.Equal(items(trial), items(trials[0])) {
				t.Fatal("two candidates of a cohort answered different items")
			}
			if l := trial.Level; l.Fitness <= 0 || l.Fitness >= 1 || l.StdErr <= 0 {
				t.Fatalf("level %+v", l)
			}
		}
		sets = append(sets, items(trials[0]))
	}
	if len(sets) != 3 || slices.Equal(sets[0], sets[1]) || slices.Equal(sets[1], sets[2]) {
		t.Errorf("%d cohorts, of equal items", len(sets))
	}
}

// An estimator's level comes to the score when all items were answered, and tells a
// strong candidate on hard items from a weak one on easy items.
func TestEstimator(t *testing.T) {
	benchmark := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}}}
	all := items(map[string]int{"a": 40})
	answers := func(ability int, from, to int) (out []mergesearch.Outcome) {
		for k := from; k < to; k++ { // item k is solved by abilities above k
			o := mergesearch.Outcome{Item: all[k].ID}
			if ability > k {
				o.Value = 1
			}
			out = append(out, o)
		}
		return out
	}
	e := search.NewEstimator(benchmark, all)
	var trials []mergesearch.Trial
	for ability := 5; ability < 36; ability++ {
		trials = append(trials, mergesearch.Trial{Outcomes: answers(ability, 0, 40)})
	}
	e.Tell(trials)
	for _, ability := range []int{10, 20, 30} {
		got, want := e.Level(answers(ability, 0, 40)).Fitness, float64(ability)/40
		if got < want-0.05 || got > want+0.05 {
			t.Errorf("level %v of one that solves %v", got, want)
		}
	}
	strong, weak := e.Level(answers(28, 24, 34)), e.Level(answers(12, 6, 16))
	if strong.Fitness <= weak.Fitness+0.1 {
		t.Errorf("levels %+v and %+v", strong, weak)
	}
	undecided := e.Undecided(5)
	if len(undecided) != 5 {
		t.Fatalf("%d items", len(undecided))
	}
	for _, id := range undecided {
		if at := slices.IndexFunc(all, func(i mergesearch.Item) bool { return i.ID == id }); at < 8 || at > 32 {
			t.Errorf("item %d is asked of candidates of the middle", at)
		}
	}
}

func TestRaceRefusesChoices(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	for _, race := range []search.Race{
		{Rungs: []int{5, 0}, Keep: 0.5, Items: "any"},
		{Rungs: []int{5, 0}, Keep: 0},
		{Keep: 0, Items: search.FreshItems},
	} {
		_, err := search.Run(context.Background(), options(f, searchtest.NewRecorder(), func(o *search.Options) { o.Race = race }))
		var input *mergesearch.InputError
		if !errors.As(err, &input) {
			t.Errorf("%+v: error %v", race, err)
		}
	}
}

// On smooth landscapes of numbers, with a fitness as all they are told, the searches
// that model it come closer than random draws.
func TestModelsBeatRandomDraws(t *testing.T) {
	space := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
		Groups: []mergesearch.Group{{Name: "one", Filters: []string{"layers.0."}}, {Name: "two", Filters: []string{"layers.1."}}, {Name: "rest"}},
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1.5, PerExpert: true, PerGroup: true}},
	})
	target := space.Default()
	for i := range target {
		target[i] = 0.5 + 0.1*float64(i)
	}
	land := searchtest.Sphere(space, target)
	for seed := uint64(1); seed <= 3; seed++ {
		random := land.Best(space, must(search.NewRandom(space, seed, 24)), 96)
		for _, name := range []string{"surrogate", "ridge"} {
			a := must(search.New(name, searchtest.Brief(space, seed))).Algorithm
			best := land.Best(space, a, 96)
			if r, ok := a.(search.Recommender).Recommend(); ok {
				best = max(best, land(r.Genome))
			}
			if best < random {
				t.Errorf("%s, seed %d: %.4f, random draws %.4f", name, seed, best, random)
			}
		}
	}
}

// The mean of the best tenth is better than what it is the mean of, where the usual
// recipe is good.
func TestNearRecommendsTheMean(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	land := searchtest.Sphere(space, space.Baselines()[0].Genome)
	a := must(search.NewNear(space, 1, 40, 0.1))
	told := land.Baselines(space)
	a.Tell(told)
	if _, ok := a.Recommend(); ok {
		t.Error("recommends before anything was tried")
	}
	cohort := a.Ask()
	best := 0.0
	for _, i := range cohort {
		if i.Operator != "near" {
			t.Fatalf("operator %s", i.Operator)
		}
		best = max(best, land(i.Genome))
	}
	a.Tell(land.Tell(cohort, len(told), nil))
	r, ok := a.Recommend()
	if !ok || land(r.Genome) <= best || len(r.Parents) < 2 {
		t.Errorf("%.4f is recommended, the best was %.4f", land(r.Genome), best)
	}
}

// The points of a Halton sequence are spread more evenly than random ones: in each
// coordinate, every tenth of the range holds about a tenth of them.
func TestHaltonIsEven(t *testing.T) {
	space := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
		Groups: []mergesearch.Group{{Name: "one", Filters: []string{"layers.0."}}, {Name: "rest"}},
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true, PerGroup: true}},
	})
	cohort := must(search.NewHalton(space, 5, 500)).Ask()
	for k := range space.Genes {
		var count [10]int
		for _, i := range cohort {
			count[min(9, int(10*i.Genome[k]))]++
		}
		for _, n := range count {
			if n < 42 || n > 58 {
				t.Errorf("gene %d: %v", k, count)
				break
			}
		}
	}
}
