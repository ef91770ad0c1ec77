package merge

import (
	"cmp"
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/merge/compat"
	"mergesearch/merge/kernel"
)

// compatFloat32 are the methods whose results mergekit writes as float32 unless
// out_dtype says otherwise.
var compatFloat32 = []string{"arcee_fusion", "ramplus_tl"}

// asMergekit computes a whole tensor with mergekit's arithmetic. It needs memory
// for the tensor in float32 once for each model.
func (b *binding) asMergekit(p *Plan, t *PlannedTensor) (apply, error) {
	in := compat.Input{Method: t.method.Name, DType: b.computeType(p.Recipe), Shape: t.Shape, Global: t.Global}
	var masks []kernel.Mask
	order := make([]int, len(t.Inputs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(t.Inputs[i].order, t.Inputs[j].order) })
	for _, i := range order {
		if t.Base != nil && t.Base.same(t.Inputs[i]) && t.Base.order == t.Inputs[i].order {
			continue // the base of a pair
		}
		in.Models = append(in.Models, as(in.DType, b.models[i].view))
		in.PerModel = append(in.PerModel, t.PerModel[i])
		if t.method.Random {
			masks = append(masks, b.models[i].maskKey().mask(b.seed, 0))
		}
	}
	if t.Base != nil {
		in.Base = as(in.DType, b.base.view)
	}
	if t.method.Random {
		in.Draw = func(model, element int) uint32 { return masks[model].Draw(element) }
	}
	merged, err := compat.Merge(in)
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	return func(out kernel.View, lo, hi int) kernel.Counts { return kernel.Store(out, merged.Values[lo:hi]) }, nil
}

// computeType is the type in which mergekit computes: dtype, or what is stored.
func (b *binding) computeType(r mergesearch.Recipe) mergesearch.DType {
	if r.DType != "" {
		return outputTypes[r.DType]
	}
	if b.base.model != nil {
		return b.base.view.Slice(0, 0).DType
	}
	return b.models[0].view.Slice(0, 0).DType
}

// as reads a whole tensor, rounded to a type.
func as(d mergesearch.DType, s kernel.Source) []float32 {
	v := kernel.View{DType: d, Data: make([]byte, s.Len()*d.Size())}
	kernel.Store(v, whole(s))
	return kernel.Load(v)
}
