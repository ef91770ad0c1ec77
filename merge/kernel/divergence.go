package kernel

import "sync"

// Divergence returns, for each row of the model of the group, the
// Kullback-Leibler divergence of softmax(x) + 1e-8 from softmax(base) + 1e-8, at
// least zero.
func (k Kernel) Divergence(g Group, l Lines, tileSize int, run Runner) []float32 {
	l.mustFit(g.elements())
	if l.Columns || len(g.Models) != 1 || g.Base == nil {
		panic("kernel: divergence is that of the rows of one model from a base")
	}
	out := make([]float32, l.Count)
	if l.Length == 0 {
		return out
	}
	blocks := (l.Length + TileMultiple - 1) / TileMultiple
	rows := max(1, tileSize/l.Length)
	scratch := sync.Pool{New: func() any { s := make([]float64, blocks); return &s }}
	run((l.Count+rows-1)/rows, func(i int) {
		row := i * rows
		end := min(l.Count, row+rows)
		s := scratch.Get().(*[]float64)
		k.divergence(g, row*l.Length, end*l.Length, l.Length, out[row:end], *s)
		scratch.Put(s)
	})
	return out
}
