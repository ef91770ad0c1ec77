package search

import (
	"strings"

	"mergesearch"
)

// Soup proposes the uniform average of every set of two or more experts (Wortsman
// et al. 2022, arXiv 2203.05482, "uniform soup"): a baseline without coefficients.
// Each cohort holds the soups of one size, the largest first, and it finishes with
// the pairs.
type Soup struct {
	space *mergesearch.Space
	size  int // of the soups asked last
	round int
}

// NewSoup refuses a space that cannot express soups, as NewGreedySoup does.
func NewSoup(space *mergesearch.Space) (*Soup, error) {
	if err := checkSoups(space, "soup"); err != nil {
		return nil, err
	}
	return &Soup{space: space, size: len(space.Experts) + 1}, nil
}

// Ask proposes the soups of one expert less than before.
func (a *Soup) Ask() []mergesearch.Individual {
	if a.size <= 2 {
		return nil
	}
	a.size--
	a.round++
	var out []mergesearch.Individual
	for _, members := range subsets(a.space.Experts, a.size) {
		_, g := soupRecipe(a.space, members)
		out = append(out, mergesearch.Individual{Genome: g, Generation: a.round, Operator: "soup"})
	}
	return out
}

// Tell does nothing.
func (a *Soup) Tell([]mergesearch.Trial) {}

// subsets lists the sets of n of the names, in the order of the names.
func subsets(names []string, n int) [][]string {
	if n == 0 {
		return [][]string{nil}
	}
	var out [][]string
	for i := 0; i+n <= len(names); i++ {
		for _, rest := range subsets(names[i+1:], n-1) {
			out = append(out, append([]string{names[i]}, rest...))
		}
	}
	return out
}

// checkSoups refuses a space that cannot express the soups of its experts.
func checkSoups(space *mergesearch.Space, algorithm string) error {
	for n := 2; n <= len(space.Experts); n++ {
		if _, g := soupRecipe(space, space.Experts[:n]); g == nil {
			return &mergesearch.InputError{
				Field: "algorithm", Problem: algorithm + " cannot express a soup of " + strings.Join(space.Experts[:n], ", ") + " in this space",
				Hint: "list the method linear and weight: {min: 0, max: 1, per: [expert]}",
			}
		}
	}
	return nil
}
