package search

import (
	"math"
	"slices"

	"mergesearch"
)

// DNSSettings tunes dominated novelty search.
type DNSSettings struct {
	Population int     // residents of the archive
	Start      int     // individuals without parents that are asked first
	Neighbours int     // fitter residents that novelty is measured against
	Mutation   float64 // odds that a child is mutated
	Lookahead  int
}

// DefaultDNS returns the published archive and neighbours.
func DefaultDNS() DNSSettings {
	return DNSSettings{Population: 16, Start: 16, Neighbours: 3, Mutation: 0.7, Lookahead: DefaultLookahead}
}

// With returns the settings with what a run file says.
func (d DNSSettings) With(s Settings) DNSSettings {
	d.Population, d.Lookahead = orElse(s.Population, d.Population), orElse(s.Lookahead, d.Lookahead)
	return d
}

// DNS is dominated novelty search (Bahlous-Boldi et al. 2025, arXiv 2502.00593) in
// the form of AC/DC (arXiv 2604.14969): a resident stays if few are fitter, or if
// it solves what the fitter ones do not. There is no grid, so it scales with the
// number of tasks. Steady state, one child at a time; all residents have answered
// the same items.
type DNS struct {
	breeder
	settings  DNSSettings
	responses *responses
	archive   []resident
}

// NewDNS checks the settings.
func NewDNS(space *mergesearch.Space, b mergesearch.Benchmark, seed uint64, s DNSSettings) (*DNS, error) {
	if err := checkArchive(s.Population, s.Lookahead); err != nil {
		return nil, err
	}
	if s.Neighbours < 1 || s.Start < 0 || !(s.Mutation >= 0 && s.Mutation <= 1) {
		return nil, &mergesearch.InputError{Field: "algorithm", Problem: "neighbours must be at least 1, start cannot be negative, and mutation is a share"}
	}
	return &DNS{breeder: newBreeder(space, seed, "dns", s.Lookahead), settings: s, responses: newResponses(b)}, nil
}

// Ask proposes a mix of two residents, each as likely as any other.
func (a *DNS) Ask() []mergesearch.Individual {
	k, rng := a.next()
	if k < a.settings.Start || len(a.archive) < 2 {
		return a.cohort(a.founder(k, rng), rng)
	}
	x := rng.Intn(len(a.archive))
	y := (x + 1 + rng.Intn(len(a.archive)-1)) % len(a.archive)
	child := a.child(a.archive[x], a.archive[y], rng)
	if rng.Float64() < a.settings.Mutation {
		a.mutate(&child, rng)
	}
	return a.cohort(child, rng)
}

// Tell lets the trials compete for the archive.
func (a *DNS) Tell(trials []mergesearch.Trial) {
	a.begin(trials)
	for _, t := range trials {
		a.archive = a.responses.admit(a.archive, t)
		if len(a.archive) <= a.settings.Population {
			continue
		}
		novelty := dominatedNovelty(a.archive, a.responses.share, a.settings.Neighbours)
		worst := 0
		for i, n := range novelty {
			if n < novelty[worst] || n == novelty[worst] && outranks(a.archive[worst].trial, a.archive[i].trial) {
				worst = i
			}
		}
		a.archive = slices.Delete(a.archive, worst, worst+1)
	}
}

// dominatedNovelty returns for each resident the mean distance to the k nearest of
// those that are fitter, infinite when none is. The distance to a fitter one is the
// share of items, weighted by their share in the fitness and by how much of them
// the archive lacks, that the resident solves and the fitter one does not.
func dominatedNovelty(archive []resident, share []float64, k int) []float64 {
	weight, total := make([]float64, len(share)), 0.0
	_, sum := crowd(archive, len(share))
	for j := range share {
		weight[j] = share[j] * (1 - sum[j]/float64(len(archive)))
		total += weight[j]
	}
	out := make([]float64, len(archive))
	for i, r := range archive {
		var distances []float64
		for _, fitter := range archive {
			if !(fitter.trial.Score.Merit() > r.trial.Score.Merit()) {
				continue
			}
			d := 0.0
			for j, w := range weight {
				d += w * max(0, r.row[j]-fitter.row[j])
			}
			distances = append(distances, d/max(total, 1e-12))
		}
		if len(distances) == 0 {
			out[i] = math.Inf(1)
			continue
		}
		slices.Sort(distances)
		nearest := distances[:min(k, len(distances))]
		for _, d := range nearest {
			out[i] += d / float64(len(nearest))
		}
	}
	return out
}
