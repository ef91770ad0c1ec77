package merge

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// bind returns the binding of a floating tensor of the plan.
func (e *Engine) bind(p *Plan, t *PlannedTensor) (*binding, error) {
	b := &binding{
		// A statistic is computed to its end once begun: half of one must neither be
		// used nor kept.
		engine: e, run: e.runner(context.Background()), tensor: t.Name, shape: t.Shape, seed: p.Recipe.Seed,
		settings: settings{global: t.Global},
	}
	for i, in := range t.Inputs {
		o, err := e.operand(in)
		if err != nil {
			return nil, err
		}
		b.models = append(b.models, o)
		b.settings.models = append(b.settings.models, t.PerModel[i])
	}
	if t.Base != nil {
		var err error
		if b.base, err = e.operand(*t.Base); err != nil {
			return nil, err
		}
	}
	if t.aligned != nil {
		return b, b.alignInputs(p.Recipe, t.aligned, t.Shape[1])
	}
	return b, nil
}

func (e *Engine) operand(in InputTensor) (operand, error) {
	x, err := in.model.source(in.Tensor)
	if err != nil {
		return operand{}, err
	}
	identity := in.model.name + "\x00" + in.Tensor
	if in.model.plan != nil {
		identity = in.model.content + "\x00" + identity
	}
	if v, whole := x.(kernel.View); whole && e.device != nil && len(v.Data) > 0 {
		if _, known := e.kept.LoadOrStore(unsafe.SliceData(v.Data), true); !known {
			e.device.Keep(v.Data)
		}
	}
	return operand{model: in.model, tensor: in.Tensor, view: x, identity: e.inputs.of(identity)}, nil
}

// work is one tensor of a merge, ready to be computed in tiles.
type work struct {
	*PlannedTensor
	apply    apply
	stream   bool // the result is not read again soon
	nan, inf atomic.Int64
}

// prepare computes or looks up what a tensor needs before its first tile.
func (e *Engine) prepare(ctx context.Context, p *Plan, t *PlannedTensor) (*work, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &work{PlannedTensor: t}
	if t.Copied {
		data, err := equalData(t)
		if err != nil {
			return nil, err
		}
		size := t.DType.Size()
		w.apply = func(out kernel.View, lo, hi int) kernel.Counts {
			copy(out.Data, data[lo*size:hi*size])
			return kernel.Counts{}
		}
		return w, nil
	}
	b, err := e.bind(p, t)
	if err != nil {
		return nil, err
	}
	if p.Recipe.Compat == "mergekit" {
		w.apply, err = b.asMergekit(p, t)
		return w, err
	}
	w.apply = t.method.bind(b)
	return w, nil
}

// equalData returns the data of a tensor that is not floating, which must be the
// same in all its inputs.
func equalData(t *PlannedTensor) ([]byte, error) {
	inputs := t.all()
	var first []byte
	for i, in := range inputs {
		data, err := in.model.raw(in.Tensor)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = data
		}
		if !bytes.Equal(data, first) {
			return nil, &mergesearch.InputError{
				File: in.model.File(in.Tensor), Field: in.Tensor,
				Problem: fmt.Sprintf("%s tensor differs from that in %s", t.DType, inputs[0].model.File(inputs[0].Tensor)),
				Hint:    "tensors that are not floating cannot be merged, so they must be equal; quantised models have to be dequantised first",
			}
		}
	}
	return first, nil
}

// compute writes elements lo to hi of the tensor to out, which holds just these.
func (w *work) compute(out []byte, lo, hi int) {
	c := w.apply(kernel.View{DType: w.DType, Data: out, Stream: w.stream}, lo, hi)
	w.nan.Add(c.NaN)
	w.inf.Add(c.Inf)
}

// failure returns the *mergesearch.Failure of a tensor that is not finite, or nil.
func (w *work) failure() error {
	nan, inf := w.nan.Load(), w.inf.Load()
	if nan == 0 && inf == 0 {
		return nil
	}
	return &mergesearch.Failure{Reason: mergesearch.Reason{
		Code: "not_finite", Text: fmt.Sprintf("tensor %s: %d NaN and %d infinite values", w.Name, nan, inf),
	}}
}

// Reference computes one tensor of a recipe by the method's slow reference, as
// bytes of the output type. It is what Build and Write are tested against.
func (e *Engine) Reference(r mergesearch.Recipe, tensor string) ([]byte, error) {
	p, err := e.Plan(r)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.Tensors, func(t PlannedTensor) bool { return t.Name == tensor })
	if i < 0 {
		return nil, fmt.Errorf("no tensor %q", tensor)
	}
	t := &p.Tensors[i]
	if t.Copied {
		return equalData(t)
	}
	b, err := e.bind(p, t)
	if err != nil {
		return nil, err
	}
	out := kernel.View{DType: t.DType, Data: make([]byte, t.bytes())}
	kernel.Store(out, t.method.reference(b.operands()))
	return out.Data, nil
}

// operands widens the inputs for a reference.
func (b *binding) operands() operands {
	o := operands{tensor: b.tensor, shape: b.shape, settings: b.settings, seed: b.seed}
	if b.base.model != nil {
		o.base = whole(b.base.view)
	}
	for _, m := range b.models {
		x, key := whole(m.view), m.maskKey()
		o.x, o.masks = append(o.x, x), append(o.masks, key)
	}
	return o
}

// whole reads all elements of a source.
func whole(s kernel.Source) []float32 { return kernel.Load(s.Slice(0, s.Len())) }
