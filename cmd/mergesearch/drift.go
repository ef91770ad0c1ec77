package main

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/search"
)

// How often a server outside this process is asked again what it answered before.
const (
	driftEvery = 25 // candidates
	driftShare = 20 // one search item in so many ...
	driftLeast = 8  // ... and so many at least
)

// driftChance is the probability, of as many changes as were seen or more, below which
// a server is taken to have changed.
const driftChance = 1e-3

// drift asks the best parent a few of its items again, and compares the answers with
// those on record: a server that was updated, or serves another model under the same
// name, shows. The answers count for nothing and are not kept.
type drift struct {
	builder search.Builder
	scorer  search.Scorer
	repeats func(mergesearch.ItemID) bool
	known   func(context.Context, mergesearch.RecipeID) (mergesearch.Known, error)
	note    func(context.Context, string, map[string]any) error
	seed    uint64
	quiet   bool // the server was seen to repeat itself exactly

	mu      sync.Mutex
	next    int // candidates of the search, from which on it asks
	changed int // of so many ...
	asked   int // ... answers, while nothing was alarming
}

// driftCheck is what one look found; it is what its event holds.
type driftCheck struct {
	items, changed int
	expected       float64 // share of answers that change anyway
	alarm          bool
}

// check looks after every so many candidates. A parent that cannot be asked now is
// left to the search to complain of.
func (d *drift) check(ctx context.Context, candidates int, parent search.Standing, recipe mergesearch.Recipe) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if parent.Candidate == "" || candidates < d.next {
		return nil
	}
	d.next = candidates - candidates%driftEvery + driftEvery
	c, ok, err := d.look(ctx, parent.Candidate, recipe)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || !ok {
		return nil
	}
	return d.note(ctx, eventDrift, map[string]any{
		"candidate": parent.Name, "candidates": candidates, "items": c.items, "changed": c.changed, "expected": c.expected, "alarm": c.alarm,
	})
}

func (d *drift) look(ctx context.Context, id mergesearch.CandidateID, recipe mergesearch.Recipe) (c driftCheck, ok bool, err error) {
	known, err := d.known(ctx, recipe.ID())
	if err != nil {
		return c, false, err
	}
	was := map[mergesearch.ItemID]mergesearch.Outcome{}
	for _, o := range known.Outcomes {
		was[o.Item] = o
	}
	var items []mergesearch.ItemID
	for _, item := range d.scorer.Items(mergesearch.SearchSplit) {
		if o, answered := was[item.ID]; answered && !o.Missing && d.repeats(item.ID) {
			items = append(items, item.ID)
		}
	}
	if len(items) == 0 {
		return c, false, nil
	}
	rng := rand.New(rand.NewPCG(d.seed, uint64(d.next))) // its own, so that no other draw of the run is another
	rng.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	items = items[:min(len(items), max(driftLeast, (len(items)+driftShare-1)/driftShare))]
	candidate, err := d.builder.Build(ctx, id, recipe)
	if err != nil {
		return c, false, err
	}
	defer candidate.Release()
	outcomes, err := d.scorer.Score(eval.Afresh(ctx), candidate, items)
	if err != nil {
		return c, false, err
	}
	for _, o := range outcomes {
		if w := was[o.Item]; !o.Missing {
			c.items++
			if o.Value != w.Value || strings.ToValidUTF8(o.Completion, "\uFFFD") != w.Completion {
				c.changed++
			}
		}
	}
	return d.judge(c), c.items > 0, nil
}

// judge compares with what changes anyway: nothing where the server repeats itself, or
// as much as earlier looks saw.
func (d *drift) judge(c driftCheck) driftCheck {
	if !d.quiet {
		c.expected = (float64(d.changed) + 0.5) / (float64(d.asked) + 1)
		if d.asked == 0 { // the first look finds out
			c.expected = 0.5
		}
	}
	if c.alarm = atLeast(c.items, c.changed, c.expected) < driftChance; !c.alarm {
		d.asked, d.changed = d.asked+c.items, d.changed+c.changed
	}
	return c
}

// atLeast returns the probability of k or more of n, each with probability p.
func atLeast(n, k int, p float64) float64 {
	if k == 0 {
		return 1
	}
	sum := 0.0
	for i := k; i <= n; i++ {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a-b-c) * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
	}
	return sum
}

// newDrift returns nil where the server is part of this process.
func (s *session) newDrift(j *journal, b search.Builder, scorer search.Scorer) *drift {
	p := s.endpoint.Profile()
	if p.Local {
		return nil
	}
	return &drift{
		builder: b, scorer: scorer, repeats: s.evaluator.Repeats, known: j.Known, note: j.Event, seed: s.file.Seed,
		quiet: !p.Unsteady && p.Noise == 0,
	}
}
