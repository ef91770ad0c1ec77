package kernel

// Squares returns for each model the sum of the squares of what is kept of its
// task vector.
func (k Kernel) Squares(g Group, keep Selection, tileSize int, run Runner) []float64 {
	n, models := g.elements(), len(g.Models)
	blocks := (n + TileMultiple - 1) / TileMultiple
	sums := make([]float64, blocks*models)
	run(tilesOf(n, tileSize), func(i int) {
		lo, hi := bounds(i, tileSize, n)
		k.squares(g, keep, lo, hi, sums[lo/TileMultiple*models:])
	})
	out := make([]float64, models)
	part := make([]float64, blocks)
	for i := range out {
		for b := range part {
			part[b] = sums[b*models+i]
		}
		out[i] = JoinSums(part)
	}
	return out
}

// Active counts the elements at which a model's task vector is above a small
// magnitude: where it alone is, and where others are too.
type Active struct{ Alone, Shared int64 }

// CountActive counts the active elements of each model.
func (k Kernel) CountActive(g Group, epsilon float32, tileSize int, run Runner) []Active {
	n, models := g.elements(), len(g.Models)
	tiles := tilesOf(n, tileSize)
	counts := make([][]int64, tiles)
	run(tiles, func(i int) {
		lo, hi := bounds(i, tileSize, n)
		counts[i] = make([]int64, 2*models)
		k.countActive(g, epsilon, lo, hi, counts[i])
	})
	out := make([]Active, models)
	for _, c := range counts {
		for i := range out {
			out[i].Alone += c[2*i]
			out[i].Shared += c[2*i+1]
		}
	}
	return out
}
