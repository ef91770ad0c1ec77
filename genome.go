package mergesearch

import (
	"math"
	"slices"
)

// Kind tells how a gene varies.
type Kind int

// The kinds of genes.
const (
	Real   Kind = iota // a number between Min and Max
	Choice             // one of Options
)

// Gene is one named, bounded dimension of a space.
type Gene struct {
	Name string // unique in its space: "method", "weight.reverse.mlp 0", "density.reverse"
	Kind Kind

	Min, Max float64  // bounds of a Real gene, inclusive
	Step     float64  // grid of a Real gene counted from zero, 0 for none
	Default  float64  // what an inactive gene holds; the index of an option for a Choice
	Options  []string // of a Choice gene

	// Methods that use the gene; nil for all. In other genomes it is inactive.
	Methods []string

	// What a Real gene sets: a parameter, of one expert or all (empty), in one
	// group of layers or all (empty). Operators use it to move related genes together.
	Parameter, Expert, Group string

	Block string // of layers that the gene is for; empty for all
	Knot  int    // number of a gradient that the gene is, counted from 1; 0 for none
	Slot  int    // of the path that the gene is for, counted from 1; 0 for none
}

// Snap returns the value of the gene nearest to x: clamped to the bounds, on the
// grid, a whole index for a choice. NaN gives the default.
func (g Gene) Snap(x float64) float64 {
	if math.IsNaN(x) {
		return g.Default
	}
	if g.Kind == Choice {
		return math.Round(min(max(x, 0), float64(len(g.Options)-1)))
	}
	x = min(max(x, g.Min), g.Max)
	if g.Step > 0 {
		// Rounding in units of the step and dividing by its reciprocal, where that
		// is whole, gives the shortest decimals: 0.3 and not 0.30000000000000004.
		if n := math.Round(1 / g.Step); math.Abs(n*g.Step-1) < 1e-9 {
			x = math.Round(x*n) / n
		} else {
			x = math.Round(x/g.Step) * g.Step
		}
		x = min(max(x, g.Min), g.Max)
	}
	return x + 0 // a negative zero becomes zero
}

// Genome is one point of a space: a value for each of its genes, in order; the
// index of the option for a choice. It is a value: operators return new ones
// and never write to their inputs.
type Genome []float64

// Clone returns a copy that the caller may change.
func (g Genome) Clone() Genome { return slices.Clone(g) }

// Equal reports whether both hold the same values.
func (g Genome) Equal(h Genome) bool { return slices.Equal(g, h) }
