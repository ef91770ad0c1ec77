package search

import "mergesearch"

// Halton proposes the points of a scrambled Halton sequence: gene k of point n is
// the radical inverse of n in the k-th prime base, its digits permuted. The points
// fill the space more evenly than random ones, in every projection on few genes. It
// ignores what it is told and never finishes by itself.
//
// Halton 1960; digits scrambled by random permutations that keep zero in place, as
// the plain sequence is correlated between large bases (Braaten and Weller 1979).
type Halton struct {
	space  *mergesearch.Space
	cohort int
	asked  int
	round  int
	digits [][]int // permutation of the digits of each gene's base
}

// NewHalton returns a search with cohorts of the given size, at least 1.
func NewHalton(space *mergesearch.Space, seed uint64, cohort int) (*Halton, error) {
	if cohort < 1 {
		return nil, &mergesearch.InputError{Field: "algorithm.population", Problem: "must be at least 1"}
	}
	a := &Halton{space: space, cohort: cohort}
	bases := primes(len(space.Genes))
	for k, base := range bases {
		p := stream(seed, "halton", uint64(k)).Perm(base - 1)
		digits := make([]int, base)
		for i, d := range p {
			digits[i+1] = d + 1
		}
		a.digits = append(a.digits, digits)
	}
	return a, nil
}

// primes returns the first n primes.
func primes(n int) []int {
	var out []int
	for c := 2; len(out) < n; c++ {
		prime := true
		for _, p := range out {
			if p*p > c {
				break
			}
			if c%p == 0 {
				prime = false
				break
			}
		}
		if prime {
			out = append(out, c)
		}
	}
	return out
}

// radicalInverse mirrors the digits of n about the point: in [0, 1).
func radicalInverse(n int, digits []int) float64 {
	base, sum, place := len(digits), 0.0, 1.0
	for ; n > 0; n /= base {
		place /= float64(base)
		sum += place * float64(digits[n%base])
	}
	return sum
}

// Ask returns the next points of the sequence. The first, all zeros, is left out.
func (a *Halton) Ask() []mergesearch.Individual {
	a.round++
	out := make([]mergesearch.Individual, a.cohort)
	for i := range out {
		a.asked++
		g := make(mergesearch.Genome, len(a.space.Genes))
		for k, gene := range a.space.Genes {
			u := radicalInverse(a.asked, a.digits[k])
			if gene.Kind == mergesearch.Choice {
				g[k] = float64(min(int(u*float64(len(gene.Options))), len(gene.Options)-1))
			} else {
				g[k] = gene.Min + u*(gene.Max-gene.Min)
			}
		}
		out[i] = mergesearch.Individual{Genome: a.space.Normalize(g), Generation: a.round, Operator: "halton"}
	}
	return out
}

// Tell does nothing.
func (a *Halton) Tell([]mergesearch.Trial) {}
