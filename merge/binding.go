package merge

import (
	"mergesearch/merge/kernel"
)

// values holds the parameters of one model, or of the recipe, for one tensor.
type values map[string]float64

// settings are all parameters for one tensor.
type settings struct {
	global values
	models []values // in the order of the models
}

func (s settings) flag(name string) bool { return s.global[name] != 0 }

// weights returns the models' weights as the arithmetic uses them.
func (s settings) weights() []float32 {
	w := make([]float32, len(s.models))
	for i, v := range s.models {
		w[i] = float32(v["weight"])
	}
	return w
}

// weightSum adds the weights in float64.
func (s settings) weightSum() float64 {
	var sum float64
	for _, v := range s.models {
		sum += v["weight"]
	}
	return sum
}

// operand is one model's tensor.
type operand struct {
	model    *model
	tensor   string // of the model; it differs from the output's where layers are renumbered
	view     kernel.Source
	identity int32 // of what the view shows
}

// binding is one tensor of a merge with its inputs, as a method sees it.
type binding struct {
	engine *Engine
	run    kernel.Runner
	tensor string
	shape  []int
	base   operand // of methods with a base
	models []operand
	settings
	seed uint64
}

// operands is what a reference gets: the same as a binding, in float32.
type operands struct {
	tensor string
	shape  []int
	base   []float32
	x      [][]float32 // one for each model
	masks  []maskKey   // of the models
	settings
	seed uint64
}

// maskKey is what the random mask of one input depends on beside the seed.
type maskKey struct{ model, tensor string }

func (o operand) maskKey() maskKey { return maskKey{model: o.model.key, tensor: o.tensor} }

// elements returns the size of the tensor.
func (b *binding) elements() int { return b.models[0].view.Len() }

// weightedSum returns the function of an operation that is a sum of the models
// with one weight each.
func (b *binding) weightedSum(w []float32) apply {
	return func(out kernel.View, lo, hi int) kernel.Counts {
		in := make([]kernel.View, len(b.models))
		for i, m := range b.models {
			in[i] = m.view.Slice(lo, hi)
		}
		return b.engine.kernel.WeightedSum(out, in, w)
	}
}
