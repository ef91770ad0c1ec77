package adapter

import (
	"math"
	"sync"

	"mergesearch/merge/kernel"
)

// decomposed is magnitude * v / |v| for each output of a layer, v being its
// weights with the low-rank part on top (DoRA, equation 5).
type decomposed struct {
	directions *patched
	transposed bool             // outputs are columns
	factors    func() []float32 // magnitude / |v| by output
}

func newDecomposed(p *patched, magnitude []float32, transposed bool) *decomposed {
	d := &decomposed{directions: p, transposed: transposed}
	d.factors = sync.OnceValue(func() []float32 {
		out := make([]float32, len(magnitude))
		for o, n := range d.norms(len(magnitude)) {
			out[o] = magnitude[o] / n
		}
		return out
	})
	return d
}

// norms reads the whole tensor, row by row, and returns the Euclidean norm of
// each output, summed in float64.
func (d *decomposed) norms(outputs int) []float32 {
	p := d.directions
	squares := make([]float64, outputs)
	for row := range p.rows {
		for column, x := range kernel.Load(p.Slice(row*p.columns, (row+1)*p.columns)) {
			squares[d.output(row, column)] += float64(x) * float64(x)
		}
	}
	norms := make([]float32, outputs)
	for o, s := range squares {
		norms[o] = sqrt32(s)
	}
	return norms
}

func (d *decomposed) output(row, column int) int {
	if d.transposed {
		return column
	}
	return row
}

func (d *decomposed) Len() int { return d.directions.Len() }

func (d *decomposed) Slice(lo, hi int) kernel.View {
	factors, columns := d.factors(), d.directions.columns
	out := d.directions.Slice(lo, hi)
	x := kernel.Load(out)
	for i := range x {
		e := lo + i
		x[i] *= factors[d.output(e/columns, e%columns)]
	}
	kernel.Store(out, x)
	return out
}

func sqrt32(x float64) float32 { return float32(math.Sqrt(x)) }
