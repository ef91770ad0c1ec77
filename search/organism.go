package search

import (
	"errors"
	"math/rand"
	"slices"
	"strings"

	"github.com/MaxHalford/eaopt"

	"mergesearch"
)

// organism is a genome under eaopt's Genome contract. Unlike eaopt, whose mark
// "evaluated" sits on a copy of the mate and is lost in a crossover, it carries
// its own: trial is set while the genome is the one that was scored, and every
// operator clears it on each organism that it changes.
type organism struct {
	ga     *GA
	genome mergesearch.Genome
	trial  *mergesearch.Trial // nil: not scored in this form

	parents   []mergesearch.CandidateID
	operators []string
}

var _ eaopt.Genome = (*organism)(nil)

// Evaluate refuses: scores come from the loop, for all islands in one batch.
func (o *organism) Evaluate() (float64, error) {
	return 0, errors.New("search: a genome was to be evaluated inside the model")
}

// Clone starts a descendant: of the scored individual if it is one, else with the
// lineage so far.
func (o *organism) Clone() eaopt.Genome {
	c := *o
	c.operators = slices.Clone(o.operators)
	c.parents = slices.Clone(o.parents)
	if o.trial != nil {
		c.operators = nil
		c.parents = []mergesearch.CandidateID{o.trial.ID()}
	}
	return &c
}

// Mutate changes the organism by one mutation.
func (o *organism) Mutate(rng *rand.Rand) {
	g, operator := o.ga.mutator.mutate(o.genome, rng)
	o.become(g, operator)
}

// Crossover recombines both organisms. Each lists its own parents first.
func (o *organism) Crossover(mate eaopt.Genome, rng *rand.Rand) {
	m := mate.(*organism)
	c, d := crossover(o.ga.space, o.genome, m.genome, o.ga.settings.CrossoverEta, rng)
	o.parents, m.parents = union(o.parents, m.parents), union(m.parents, o.parents)
	o.become(c, "crossover")
	m.become(d, "crossover")
}

func (o *organism) become(g mergesearch.Genome, operator string) {
	o.genome, o.trial = g, nil
	if !slices.Contains(o.operators, operator) {
		o.operators = append(o.operators, operator)
	}
}

// individual returns the proposal that the organism stands for.
func (o *organism) individual(generation int) mergesearch.Individual {
	return mergesearch.Individual{
		Genome: o.genome, Generation: generation,
		Operator: strings.Join(o.operators, ", "), Parents: o.parents,
	}
}

// scored wraps an organism for eaopt, which minimises. The offset puts those that
// left a race behind all others, as outranks does, since merit lies in [-n, 1] with
// n constraints.
func scored(o *organism) eaopt.Individual {
	cost := -o.trial.Score.Merit()
	if o.trial.State != mergesearch.Scored {
		cost += float64(1000 - o.trial.Rung)
	}
	return eaopt.Individual{Genome: o, Fitness: cost, Evaluated: true, ID: string(o.trial.ID())}
}

// union appends what b has and a lacks.
func union(a, b []mergesearch.CandidateID) []mergesearch.CandidateID {
	out := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}
