package search_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newGA(s *mergesearch.Space, seed uint64, change ...func(*search.GASettings)) *search.GA {
	settings := search.DefaultGA()
	for _, c := range change {
		c(&settings)
	}
	return must(search.NewGA(s, seed, settings))
}

func newDE(s *mergesearch.Space, seed uint64, change ...func(*search.DESettings)) *search.DE {
	settings := search.DefaultDE()
	for _, c := range change {
		c(&settings)
	}
	return must(search.NewDE(s, seed, settings))
}

// leftAndRight has the tasks of searchtest.Landscape as objectives.
var leftAndRight = mergesearch.Benchmark{
	Tasks: []mergesearch.TaskWeight{{Task: "left", Weight: 1}, {Task: "right", Weight: 1}}, Aim: mergesearch.Pareto,
}

// conformSpaces are spaces of every sort; "whole" has blocks, gradients and a path.
func conformSpaces() map[string]*mergesearch.Space {
	return map[string]*mergesearch.Space{
		"quick": searchtest.QuickSpace("a", "b", "c"), "small": searchtest.SmallSpace(),
		"whole": searchtest.Kinds(searchtest.Methods(), "base", "a", "b", "c")["whole"],
		"path":  searchtest.Kinds(searchtest.Methods(), "base", "a", "b", "c")["path"],
		"one method": searchtest.MustSpace(mergesearch.SpaceSpec{
			Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
			Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
		}),
		"only choices": searchtest.MustSpace(mergesearch.SpaceSpec{
			Base: "base", Experts: []string{"a", "b", "c"}, Methods: searchtest.Methods()[:3],
		}),
	}
}

// Every algorithm of the catalogue conforms, on every space that it accepts. It
// must accept one, and refuse the others with an input error.
func TestConform(t *testing.T) {
	for _, name := range search.Algorithms() {
		accepted := 0
		for kind, space := range conformSpaces() {
			for variant, settings := range settingsOf(name) {
				if variant != "" && kind != "small" {
					continue
				}
				brief := func(seed uint64) search.Brief {
					b := searchtest.Brief(space, seed)
					b.Settings = settings
					return b
				}
				if _, err := search.New(name, brief(1)); err != nil {
					var input *mergesearch.InputError
					if !errors.As(err, &input) || input.Field == "" {
						t.Errorf("%s on %s: error %v, want an input error", name, kind, err)
					}
					continue
				}
				accepted++
				t.Run(name+variant+"/"+kind, func(t *testing.T) {
					searchtest.Conform(t, space, func(seed uint64) search.Algorithm {
						return open(t, must(search.New(name, brief(seed))).Algorithm)
					})
				})
			}
		}
		if accepted == 0 {
			t.Errorf("%s accepts no space", name)
		}
	}
}

// settingsOf lists the settings under which an algorithm is tested, by a word for
// each: the defaults, and what changes the dialogue.
func settingsOf(name string) map[string]search.Settings {
	out := map[string]search.Settings{"": {}}
	switch name {
	case "external":
		out[""] = search.Settings{Command: []string{must(os.Executable()), "propose"}}
		out[" in cohorts"] = search.Settings{Command: out[""].Command, Population: 6, Lookahead: 1}
	case "ga":
		out[" of three islands"] = search.Settings{Islands: 3, Population: 16}
	case "cmaes":
		out[" separable, to the noise"] = search.Settings{Separable: true, Adapt: true, Sigma: 0.3, Answer: "best"}
	case "catcma":
		out[" small"] = search.Settings{Population: 4, Sigma: 0.02}
	case "nsga2":
		out[""] = search.Settings{Population: 12} // the default of 40 takes three times as long
	case "m2n2":
		out[" with attraction"] = search.Settings{Attraction: true, Population: 5, Lookahead: 3}
	case "dns":
		out[" without look-ahead"] = search.Settings{Lookahead: 1, Population: 4}
	}
	return out
}

// open starts an algorithm that lives outside the process, for the length of the
// test.
func open(t *testing.T, a search.Algorithm) search.Algorithm {
	t.Helper()
	if outside, ok := a.(search.Outside); ok {
		if err := outside.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { outside.Close() })
	}
	return a
}

// Settings that no run file reaches conform too.
func TestConformPlain(t *testing.T) {
	for kind, space := range conformSpaces() {
		t.Run("nsga2/"+kind, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm {
				return must(search.NewNSGA2(space, leftAndRight, seed, search.PlainNSGA2(10)))
			})
		})
		t.Run("de/"+kind, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm {
				return newDE(space, seed, func(d *search.DESettings) { d.Best, d.Uniform, d.Population, d.Start = true, true, 5, 5 })
			})
		})
	}
}

func TestSeedsDiffer(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	for name, create := range map[string]func(uint64) search.Algorithm{
		"random": func(seed uint64) search.Algorithm { return must(search.NewRandom(space, seed, 5)) },
		"ga":     func(seed uint64) search.Algorithm { return newGA(space, seed) },
		"de":     func(seed uint64) search.Algorithm { return newDE(space, seed) },
		"nsga2": func(seed uint64) search.Algorithm {
			return must(search.NewNSGA2(space, leftAndRight, seed, search.DefaultNSGA2()))
		},
	} {
		a, b := create(1), create(2)
		a.Tell(nil)
		b.Tell(nil)
		for i, x := range a.Ask() {
			if i == 0 && x.Genome.Equal(b.Ask()[0].Genome) {
				t.Errorf("%s: two seeds draw the same genome", name)
			}
		}
	}
}

func TestGreedySoupNeedsLinearWeights(t *testing.T) {
	space := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[2:3],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
	})
	_, err := search.NewGreedySoup(space)
	var input *mergesearch.InputError
	if !errors.As(err, &input) || input.Hint == "" {
		t.Fatalf("error %v, want an input error with a hint", err)
	}
}

// Adding b to a helps, adding c to both does not: the soup is a and b, and what
// was tried is a+b, a+b+c.
func TestGreedySoupAddsWhatDoesNotFall(t *testing.T) {
	space := searchtest.SmallSpace()
	a := must(search.NewGreedySoup(space))
	parents := []mergesearch.Trial{}
	for i, p := range []struct {
		name    string
		fitness float64
	}{{"base", 0.9}, {"a", 0.3}, {"b", 0.5}, {"c", 0.4}} {
		parents = append(parents, mergesearch.Trial{
			Index: i, Name: p.name, State: mergesearch.Scored,
			Individual: mergesearch.Individual{Operator: "parent"}, Score: mergesearch.Score{Fitness: p.fitness, Items: 1},
		})
	}
	a.Tell(parents)
	var asked []string
	for _, fitness := range []float64{0.5, 0.49} { // b+c equals b, so it stays; a spoils it
		cohort := a.Ask()
		if len(cohort) != 1 {
			t.Fatalf("asked %d individuals, want 1", len(cohort))
		}
		asked = append(asked, weights(space, cohort[0].Genome))
		a.Tell([]mergesearch.Trial{{Index: 4, Individual: cohort[0], State: mergesearch.Scored, Score: mergesearch.Score{Fitness: fitness, Items: 1}}})
	}
	if asked[0] != "bc" || asked[1] != "abc" {
		t.Errorf("asked soups %v, want bc, then abc", asked)
	}
	if more := a.Ask(); len(more) != 0 {
		t.Errorf("asked %v after the last expert", more)
	}
}

// weights names the experts that a linear genome gives a weight.
func weights(s *mergesearch.Space, g mergesearch.Genome) string {
	out := ""
	for _, in := range s.Decode(g).Models {
		if v, _ := in.Parameters["weight"].At("", 0); v > 0 {
			out += in.Model
		}
	}
	return out
}

// listener is an algorithm that overhears what it is told.
type listener struct {
	search.Algorithm
	told func([]mergesearch.Trial)
}

func (l listener) Tell(trials []mergesearch.Trial) {
	l.told(trials)
	l.Algorithm.Tell(trials)
}

// What an algorithm is told of a trial is its score and the outcomes behind it, on
// the same items for all trials of a rung.
func TestToldOutcomesFoldToTheScore(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
	items := map[int][]mergesearch.ItemID{}
	states := map[mergesearch.State]int{}
	run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Algorithm = listener{o.Algorithm, func(trials []mergesearch.Trial) {
			for _, trial := range trials {
				states[trial.State]++
				if trial.State == mergesearch.Failed {
					if len(trial.Outcomes) > 0 {
						t.Fatalf("trial %d failed and has outcomes", trial.Index)
					}
					continue
				}
				if got := must(f.Benchmark().Score(trial.Outcomes, trial.Fingerprint)); !cmp.Equal(got, trial.Score) {
					t.Fatalf("trial %d: outcomes fold to %+v, its score is %+v", trial.Index, got, trial.Score)
				}
				var ids []mergesearch.ItemID
				for _, o := range trial.Outcomes {
					ids = append(ids, o.Item)
				}
				if known := items[trial.Rung]; known == nil {
					items[trial.Rung] = ids
				} else if !slices.Equal(known, ids) {
					t.Fatalf("trial %d answered other items than those before it on rung %d", trial.Index, trial.Rung)
				}
			}
		}}
	}))
	if states[mergesearch.Failed] == 0 || states[mergesearch.Eliminated] == 0 || states[mergesearch.Scored] == 0 {
		t.Errorf("told %v, so the test shows less than it should", states)
	}
}
