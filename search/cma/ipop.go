package cma

import "math/rand"

// IPOP restarts an ES that has stopped, each time with twice the population:
// larger populations see more of the landscape.
type IPOP struct {
	*ES
	restarts int
	start    func(restart int, rng *rand.Rand) Start
}

// NewIPOP returns the strategy. start tells where run 0 and restarts 1, 2, ...
// begin; it draws from the generator of the Ask that needs it. It is called for
// run 0 at once, with rng.
func NewIPOP(start func(restart int, rng *rand.Rand) Start, rng *rand.Rand, s Settings) *IPOP {
	return &IPOP{ES: New(start(0, rng), s), start: start}
}

// Ask draws the points of the next generation, of a new run if the last one has
// stopped.
func (p *IPOP) Ask(rng *rand.Rand) [][]float64 {
	if p.Stop() != "" {
		p.restarts++
		s := p.settings
		s.Lambda *= 2
		p.ES = New(p.start(p.restarts, rng), s)
	}
	return p.ES.Ask(rng)
}

// Restarts counts the runs after the first.
func (p *IPOP) Restarts() int { return p.restarts }
