package searchtest

import (
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/search"
)

// Conform checks the contract of search.Algorithm, and of search.SteadyState where
// it is one: create makes a fresh one for space with a seed. Each case is the rule
// that it checks.
func Conform(t *testing.T, space *mergesearch.Space, create func(seed uint64) search.Algorithm) {
	t.Helper()
	land := Sphere(space, uniformMiddle(space))
	none := func(int) bool { return false }
	third := func(i int) bool { return i%3 == 0 }
	every := func(int) bool { return true }
	rounds, talk := 1, 5
	if len(space.Genes) > 30 {
		talk = 3 // a large space costs numeric algorithms much
	}
	if _, ok := create(1).(search.SteadyState); ok {
		rounds = 8 // of one individual each, so that some have parents
	}

	t.Run("genomes are normalized, lineage is of earlier trials", func(t *testing.T) {
		for _, fail := range []func(int) bool{none, third, every} {
			checkProposals(t, space, dialogue(space, create(1), land, fail, talk*rounds))
		}
	})
	t.Run("a failed trial has no children", func(t *testing.T) {
		cohorts := dialogue(space, create(2), land, third, talk*rounds)
		for _, c := range cohorts {
			for _, individual := range c.asked {
				for _, p := range individual.Parents {
					if i := indexOf(p); third(i) && i >= cohorts[0].index {
						t.Fatalf("%s, which failed, is a parent", p)
					}
				}
			}
		}
	})
	t.Run("equal seeds and tells give equal proposals", func(t *testing.T) {
		same(t, dialogue(space, create(3), land, third, talk*rounds), dialogue(space, create(3), land, third, talk*rounds))
	})
	t.Run("replaying any number of cohorts goes on the same", func(t *testing.T) {
		whole := dialogue(space, create(4), land, none, (talk-1)*rounds)
		for k := 0; k < len(whole); k += rounds {
			same(t, whole[:k+1], dialogue(space, create(4), land, none, k+1))
		}
	})
	t.Run("a genome that was handed out never changes", func(t *testing.T) {
		var kept, copies []mergesearch.Genome
		converse(space, create(5), land, land.Baselines(space), none, talk*rounds, func(c cohort) {
			for _, i := range c.asked {
				kept, copies = append(kept, i.Genome), append(copies, i.Genome.Clone())
			}
		})
		for i := range kept {
			if !kept[i].Equal(copies[i]) {
				t.Fatalf("genome %d was written to", i)
			}
		}
	})
	t.Run("it starts without baselines", func(t *testing.T) {
		converse(space, create(6), land, nil, third, 3*rounds, func(c cohort) {
			for _, i := range c.asked {
				if err := space.Check(i.Genome); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("once empty, always empty", func(t *testing.T) {
		ended := false
		converse(space, create(7), land, land.Baselines(space), none, (talk+4)*rounds, func(c cohort) {
			if ended && len(c.asked) > 0 {
				t.Fatal("asked again after it had finished")
			}
			ended = len(c.asked) == 0
		})
	})
}

type cohort struct {
	index int // of its first trial
	told  int // trials that were told before it was asked
	asked []mergesearch.Individual
}

// dialogue asks and tells so many cohorts, fewer if the algorithm finishes.
func dialogue(s *mergesearch.Space, a search.Algorithm, land Landscape, fail func(int) bool, rounds int) []cohort {
	var out []cohort
	converse(s, a, land, land.Baselines(s), fail, rounds, func(c cohort) {
		if len(c.asked) > 0 {
			out = append(out, c)
		}
	})
	return out
}

// converse asks so many cohorts, empty ones included, as far ahead as the
// algorithm allows, and tells them in ask order.
func converse(s *mergesearch.Space, a search.Algorithm, land Landscape, told []mergesearch.Trial, fail func(int) bool, rounds int, hear func(cohort)) {
	ahead := 1
	if steady, ok := a.(search.SteadyState); ok {
		ahead = steady.Lookahead()
	}
	a.Tell(told)
	index, heard := len(told), len(told)
	var open []cohort
	for range rounds {
		if len(open) == ahead {
			a.Tell(land.Tell(open[0].asked, open[0].index, fail))
			heard += len(open[0].asked)
			open = open[1:]
		}
		c := cohort{index, heard, a.Ask()}
		hear(c)
		open = append(open, c)
		index += len(c.asked)
	}
}

func checkProposals(t *testing.T, s *mergesearch.Space, cohorts []cohort) {
	t.Helper()
	generation := 0
	for _, c := range cohorts {
		for _, i := range c.asked {
			if err := s.Check(i.Genome); err != nil {
				t.Fatal(err)
			}
			if i.Operator == "" {
				t.Fatal("an individual without an operator")
			}
			if i.Generation != generation+1 {
				t.Fatalf("generation %d follows %d", i.Generation, generation)
			}
			for _, p := range i.Parents {
				if indexOf(p) >= c.told {
					t.Fatalf("parent %s was not told yet", p)
				}
			}
		}
		generation++
	}
}

func same(t *testing.T, a, b []cohort) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d cohorts, then %d", len(a), len(b))
	}
	for k := range a {
		if len(a[k].asked) != len(b[k].asked) {
			t.Fatalf("cohort %d: %d individuals, then %d", k, len(a[k].asked), len(b[k].asked))
		}
		for i, x := range a[k].asked {
			y := b[k].asked[i]
			if !x.Genome.Equal(y.Genome) || x.Operator != y.Operator || x.Generation != y.Generation || !slices.Equal(x.Parents, y.Parents) {
				t.Fatalf("cohort %d, individual %d: %+v, then %+v", k, i, x, y)
			}
		}
	}
}

func indexOf(id mergesearch.CandidateID) int {
	n := 0
	for _, c := range id[1:] {
		n = 10*n + int(c-'0')
	}
	return n
}

// uniformMiddle returns the genome in the middle of every range, of the last
// method.
func uniformMiddle(s *mergesearch.Space) mergesearch.Genome {
	g := make(mergesearch.Genome, len(s.Genes))
	for i, gene := range s.Genes {
		g[i] = (gene.Min + gene.Max) / 2
		if gene.Kind == mergesearch.Choice {
			g[i] = float64(len(gene.Options) - 1)
		}
	}
	return s.Normalize(g)
}
