package searchtest

import (
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/search"
)

// Conform checks the contract of search.Algorithm: create makes a fresh one for
// space with a seed. Each case is the rule that it checks.
func Conform(t *testing.T, space *mergesearch.Space, create func(seed uint64) search.Algorithm) {
	t.Helper()
	land := Sphere(space, uniformMiddle(space))
	none := func(int) bool { return false }
	third := func(i int) bool { return i%3 == 0 }
	every := func(int) bool { return true }

	t.Run("genomes are normalized, lineage is of earlier trials", func(t *testing.T) {
		for _, fail := range []func(int) bool{none, third, every} {
			checkProposals(t, space, dialogue(space, create(1), land, fail, 8))
		}
	})
	t.Run("a failed trial has no children", func(t *testing.T) {
		cohorts := dialogue(space, create(2), land, third, 8)
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
		same(t, dialogue(space, create(3), land, third, 8), dialogue(space, create(3), land, third, 8))
	})
	t.Run("replaying any number of cohorts goes on the same", func(t *testing.T) {
		whole := dialogue(space, create(4), land, none, 6)
		for k := range whole {
			a := create(4)
			a.Tell(land.Baselines(space))
			for _, c := range whole[:k] {
				a.Ask()
				a.Tell(land.Tell(c.asked, c.index, none))
			}
			same(t, whole[k:k+1], []cohort{{whole[k].index, a.Ask()}})
		}
	})
	t.Run("a genome that was handed out never changes", func(t *testing.T) {
		a := create(5)
		told := land.Baselines(space)
		a.Tell(told)
		var kept, copies []mergesearch.Genome
		for range 6 {
			asked := a.Ask()
			for _, i := range asked {
				kept, copies = append(kept, i.Genome), append(copies, i.Genome.Clone())
			}
			a.Tell(land.Tell(asked, len(told)+len(kept)-len(asked), nil))
		}
		for i := range kept {
			if !kept[i].Equal(copies[i]) {
				t.Fatalf("genome %d was written to", i)
			}
		}
	})
	t.Run("it starts without baselines", func(t *testing.T) {
		a := create(6)
		a.Tell(nil)
		for round := range 3 {
			asked := a.Ask()
			for _, i := range asked {
				if err := space.Check(i.Genome); err != nil {
					t.Fatal(err)
				}
			}
			a.Tell(land.Tell(asked, 100*round, third))
		}
	})
	t.Run("once empty, always empty", func(t *testing.T) {
		a := create(7)
		index := len(land.Baselines(space))
		a.Tell(land.Baselines(space))
		ended := false
		for range 12 {
			asked := a.Ask()
			if ended && len(asked) > 0 {
				t.Fatal("asked again after it had finished")
			}
			ended = len(asked) == 0
			a.Tell(land.Tell(asked, index, nil))
			index += len(asked)
		}
	})
}

type cohort struct {
	index int // of its first trial
	asked []mergesearch.Individual
}

// dialogue asks and tells so many cohorts, fewer if the algorithm finishes.
func dialogue(s *mergesearch.Space, a search.Algorithm, land Landscape, fail func(int) bool, rounds int) []cohort {
	told := land.Baselines(s)
	a.Tell(told)
	index := len(told)
	var out []cohort
	for range rounds {
		asked := a.Ask()
		if len(asked) == 0 {
			break
		}
		out = append(out, cohort{index, asked})
		a.Tell(land.Tell(asked, index, fail))
		index += len(asked)
	}
	return out
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
				if indexOf(p) >= c.index {
					t.Fatalf("parent %s is of the same or a later cohort", p)
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
