package search

import (
	"fmt"
	"slices"
	"strings"

	"mergesearch"
)

// auto chooses an algorithm by what the space holds, what is optimised and how much
// there is to spend, all of it from the run file:
//
//   - several objectives: nsga2; constraints or costs: ga, since these rank what was
//     measured;
//   - no number to move: ga;
//   - too small a budget for a model: near;
//   - choices in more ways than can be tried one by one, such as paths: catcma;
//   - a method with more numbers than a model can be fitted to in seconds: cmaes, with
//     variances alone, over the numbers of the best usual recipe;
//   - numbers alone: surrogate;
//   - choices and numbers: a coarse search over the choices, in which all groups of a
//     parameter and expert share a level, then surrogate within the choice that won.
func (b Brief) auto() (Plan, error) {
	reals := len(newCoordinates(b.Space).genes)
	choices, ways := 0, 1
	for _, g := range b.Space.Genes {
		if g.Kind == mergesearch.Choice && len(g.Options) > 1 {
			choices++
			ways = min(ways*len(g.Options), 1_000_000)
		}
	}
	room := b.affords()
	switch {
	case b.Benchmark.Several():
		return b.choose("nsga2", "several objectives side by side")
	case len(b.Benchmark.Constraints)+len(b.Benchmark.Costs) > 0:
		return b.choose("ga", "constraints and costs are ranked as they were measured")
	case reals == 0:
		return b.choose("ga", fmt.Sprintf("%d choices and no number to move", choices))
	case room > 0 && room < leastCandidates:
		return b.choose("near", fmt.Sprintf("the budget has room for %d candidates, too few for a model", room))
	case ways > mostWays:
		return b.choose("catcma", fmt.Sprintf("%s, too many ways to try each, and %s", count(choices, "choice", "choices"), count(reals, "number", "numbers")))
	case b.widest() > mostNumbers:
		b.Settings.Separable = true
		return b.choose("cmaes", fmt.Sprintf("%d numbers in one recipe, too many for a model of single answers: variances alone are learned", b.widest()))
	case choices == 0:
		return b.choose("surrogate", fmt.Sprintf("%s and no choice: a model of single answers needs fewest of them", count(reals, "number", "numbers")))
	default:
		return b.handover(fmt.Sprintf("%s and %s: the choices first, then a model within the one that won",
			count(choices, "choice", "choices"), count(reals, "number", "numbers")))
	}
}

// mostWays is how many combinations of choices a coarse search can tell apart.
const mostWays = 40

// mostNumbers is how many numbers a model of answers can have: the time of a fit grows
// with their cube, 35 seconds for 400.
const mostNumbers = 200

// widest returns the most numbers that a recipe of one method varies.
func (b Brief) widest() (most int) {
	for _, m := range b.Space.Methods {
		n := 0
		for _, i := range newCoordinates(b.Space).genes {
			if of := b.Space.Genes[i].Methods; of == nil || slices.Contains(of, m.Name) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// leastCandidates is how many candidates a model of answers should have.
const leastCandidates = 48

// affords returns how many candidates of 24 answers the budget has room for; 0 for no
// bound.
func (b Brief) affords() int {
	room := b.Budget.Candidates
	if n := b.Budget.ItemAnswers / 24; n > 0 && (room == 0 || n < room) {
		room = n
	}
	return room
}

// choose makes the algorithm of that name and says why.
func (b Brief) choose(name, reason string) (Plan, error) {
	p, err := catalogue[name].create(b)
	p.Why = name + ": " + reason
	return p, err
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// choicesOf names what the genome's choices are, for reports.
func choicesOf(s *mergesearch.Space, g mergesearch.Genome) string {
	var out []string
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice && s.Active(g, i) {
			out = append(out, gene.Options[int(g[i])])
		}
	}
	return strings.Join(out, " ")
}
