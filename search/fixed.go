package search

import (
	"context"
	"strings"

	"mergesearch"
)

// scoreParents scores the base model and every expert, unchanged, on all search
// items. Those that the space can express keep their genome.
func (l *loop) scoreParents(ctx context.Context) error {
	l.enter(PhaseParents)
	for _, model := range append([]string{l.Space.Base}, l.Space.Experts...) {
		parent := l.Space.Baseline(model, mergesearch.Passthrough(model, l.Space.DType))
		individual := mergesearch.Individual{Operator: "parent"}
		if parent.Exact {
			individual.Genome = parent.Genome
		}
		a, err := l.record(ctx, model, individual, parent.Recipe)
		if err != nil {
			return err
		}
		l.parents = append(l.parents, a)
	}
	if err := l.complete(ctx, l.parents...); err != nil {
		return err
	}
	for _, a := range l.parents {
		if a.trial.State == mergesearch.Scored {
			return nil
		}
	}
	return &mergesearch.InputError{
		Field: l.parents[0].trial.Name, Problem: "no parent can be scored, so there is nothing to compare with: " + l.parents[0].trial.Reason.Text,
		Hint: "look at the models one by one with eval, and put sound ones in their place",
	}
}

// scoreBaselines scores the usual recipes and those to start from on all search
// items, then the greedy soup. Those that the space can express keep their genome, so that an algorithm
// may start from them.
func (l *loop) scoreBaselines(ctx context.Context) error {
	l.enter(PhaseBaselines)
	for _, b := range append(l.Space.Baselines(), l.Start...) {
		individual := mergesearch.Individual{Operator: "baseline"}
		if b.Exact {
			individual.Genome = b.Genome
		}
		a, err := l.record(ctx, b.Name, individual, b.Recipe)
		if err != nil {
			return err
		}
		l.baselines = append(l.baselines, a)
	}
	if err := l.complete(ctx, l.baselines...); err != nil {
		return err
	}
	return l.scoreGreedySoup(ctx)
}

// scoreGreedySoup scores one soup after the other and then records the one that
// was kept under the name greedy soup, which costs nothing since its recipe is
// known by then.
func (l *loop) scoreGreedySoup(ctx context.Context) error {
	s := newSoup(l.Space.Experts, parentFitness(trialsOf(l.parents)))
	for members := s.propose(); members != nil; members = s.propose() {
		a, err := l.recordSoup(ctx, "soup of "+strings.Join(members, ", "), members)
		if err != nil {
			return err
		}
		s.tell(fitnessOf(a.trial))
	}
	if len(s.members) == 0 {
		return nil
	}
	a, err := l.recordSoup(ctx, "greedy soup", s.members)
	l.baselines = append(l.baselines, a)
	return err
}

func (l *loop) recordSoup(ctx context.Context, name string, members []string) (*attempt, error) {
	recipe, genome := soupRecipe(l.Space, members)
	a, err := l.record(ctx, name, mergesearch.Individual{Genome: genome, Operator: "baseline"}, recipe)
	if err != nil {
		return nil, err
	}
	return a, l.complete(ctx, a)
}

// complete has attempts answer all search items, without a race.
func (l *loop) complete(ctx context.Context, attempts ...*attempt) error {
	top := len(l.rungs) - 1
	if _, err := l.ask(ctx, attempts, mergesearch.SearchSplit, l.rungs[top]); err != nil {
		return err
	}
	if l.progress.Phase == PhaseParents {
		if err := l.chooseReferences(); err != nil {
			return err
		}
		if err := l.reserve(); err != nil {
			return err
		}
	}
	if _, err := l.score(attempts, top); err != nil {
		return err
	}
	return l.finish(ctx, attempts)
}
