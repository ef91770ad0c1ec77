package kernel

import "math"

// Sums over whole tensors are made in two steps that both have a fixed order:
// partial sums over blocks of TileMultiple elements, and JoinSums.

// JoinSums adds partial sums by a fixed tree: neighbours in pairs, again and
// again, an odd last one waiting. It overwrites its argument.
func JoinSums(sums []float64) float64 {
	if len(sums) == 0 {
		return 0
	}
	for n := len(sums); n > 1; n = (n + 1) / 2 {
		for i := range n / 2 {
			sums[i] = sums[2*i] + sums[2*i+1]
		}
		if n%2 == 1 {
			sums[n/2] = sums[n-1]
		}
	}
	return sums[0]
}

// SumMagnitudes returns the sum of |x - base| over the whole tensor.
func (k Kernel) SumMagnitudes(base, x Source, tileSize int, run Runner) float64 {
	return k.sum(base, x, nil, nil, tileSize, run).All
}

// Sums are sums of |x - base| over all elements and over those that are kept.
type Sums struct{ All, Kept float64 }

// SumKept returns the sums for the elements that the mask keeps.
func (k Kernel) SumKept(base, x Source, m Mask, tileSize int, run Runner) Sums {
	return k.sum(base, x, &m, nil, tileSize, run)
}

// SumBits returns the sums for the elements whose bits are set; bits returns those
// of the elements from lo up to hi.
func (k Kernel) SumBits(base, x Source, bits func(lo, hi int) []byte, tileSize int, run Runner) Sums {
	return k.sum(base, x, nil, bits, tileSize, run)
}

// SumTrimmed returns the sum of |x - base| over the elements that m keeps by
// magnitude; its Model is not used. Rescaling them is rare, so on the CPU this is Go.
func (k Kernel) SumTrimmed(base, x Source, m TaskVector, tileSize int, run Runner) float64 {
	n := x.Len()
	sums := make([]float64, (n+TileMultiple-1)/TileMultiple)
	run(tilesOf(n, tileSize), func(i int) {
		lo, hi := bounds(i, tileSize, n)
		if k.device != nil {
			k.trimmedSums(base.Slice(lo, hi), x.Slice(lo, hi), m, lo, sums[lo/TileMultiple:])
			return
		}
		d := TaskVectorReference(Load(base.Slice(lo, hi)), Load(x.Slice(lo, hi)))
		for from := lo; from < hi; from += TileMultiple {
			sums[from/TileMultiple] = SumReference(min(hi-from, TileMultiple), func(e int) float64 {
				if v := d[from-lo+e]; m.keeps(from+e, v) {
					return math.Abs(float64(v))
				}
				return 0
			})
		}
	})
	return JoinSums(sums)
}

func (k Kernel) sum(base, x Source, m *Mask, bits func(lo, hi int) []byte, tileSize int, run Runner) Sums {
	n := x.Len()
	sums := make([]float64, (n+TileMultiple-1)/TileMultiple)
	kept := make([]float64, len(sums))
	run(tilesOf(n, tileSize), func(i int) {
		lo, hi := bounds(i, tileSize, n)
		var set []byte
		if bits != nil {
			set = bits(lo, hi)
		}
		at := lo / TileMultiple
		k.blockSums(base.Slice(lo, hi), x.Slice(lo, hi), m, set, lo, sums[at:], kept[at:])
	})
	return Sums{All: JoinSums(sums), Kept: JoinSums(kept)}
}
