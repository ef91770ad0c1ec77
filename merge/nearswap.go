package merge

import (
	"mergesearch"
	"mergesearch/merge/kernel"
)

// nearswap takes the other model's element b where it is near the base model's a,
// and less of it the further it is away:
//
//	w = min(1, t / max(|a - b|, 1e-6)), out = a + w (b - a).
//
// That is b where |a - b| <= t, and else a moved towards b by t, which is how it is
// computed; differences below a t that is itself below 1e-6 are multiplied by t/1e-6.
// The method is mergekit's, after alchemonaut's "QuartetAnemoi-70B". A t below zero
// counts as zero.
var nearswap = method{
	Method: mergesearch.Method{
		Name: "nearswap",
		Pair: true,
		Parameters: []mergesearch.Parameter{
			{Name: "t", Required: true, Default: 1e-4, Min: 0, Max: 0.02},
		},
		Usual: []mergesearch.Usual{
			{Name: "nearswap t 0.0001", Values: map[string]float64{"t": 1e-4}},
			{Name: "nearswap t 0.001", Values: map[string]float64{"t": 1e-3}},
		},
	},
	bind: func(b *binding) apply {
		g, t := b.pair(), float32(b.global["t"])
		return func(out kernel.View, lo, hi int) kernel.Counts {
			return b.engine.kernel.Nearswap(out, g, t, lo, hi)
		}
	},
	reference: func(o operands) []float32 {
		return kernel.NearswapReference(o.x[0], o.x[1], float32(o.global["t"]))
	},
}
