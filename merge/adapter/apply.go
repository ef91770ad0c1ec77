package adapter

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// Check demands that every tensor of the adapter finds its tensor in a model and
// fits it; has returns a tensor's shape. Errors are *mergesearch.InputError.
func (a *Adapter) Check(has func(tensor string) (shape []int, ok bool)) error {
	for _, key := range slices.Sorted(maps.Keys(a.targets)) {
		t := a.targets[key]
		shape, found := has(t.tensor)
		for _, name := range append([]string{key}, inner[0]+key, inner[1]+key) {
			if !found {
				shape, found = has(name)
			}
		}
		err := t.fits(shape)
		if !found {
			err = &mergesearch.InputError{
				Field: t.tensor, Problem: "the model has no such tensor",
				Hint: "the adapter belongs to another model, or to a head or bias that this one shares or lacks",
			}
		}
		if err != nil {
			return mergesearch.InFile(err, filepath.Join(a.dir, WeightsFile))
		}
	}
	return nil
}

// fits checks a target against the shape of the model's tensor.
func (t *target) fits(shape []int) error {
	if t.whole != nil && !slices.Equal(t.whole.Shape, shape) {
		return &mergesearch.InputError{
			Field: t.tensor, Problem: fmt.Sprintf("shape %v in the adapter, %v in the model", t.whole.Shape, shape),
			Hint: "a vocabulary that was resized for the adapter has to be resized in the model first",
		}
	}
	if t.bias != nil && !slices.Equal(t.bias.Shape, shape) {
		return problem(t.tensor, "shape %v in the model, the adapter adds %v", shape, t.bias.Shape)
	}
	if t.a == nil {
		return nil
	}
	in, out := t.a.Shape[1], t.b.Shape[0]
	plain, turned := slices.Equal(shape, []int{out, in}), slices.Equal(shape, []int{in, out})
	if t.embedding && !turned || !plain && !turned {
		return problem(t.tensor, "shape %v in the model, the adapter is for %d inputs and %d outputs", shape, in, out)
	}
	return nil
}

// Apply returns a tensor of the model with the adapter on top, computed while it
// is read; x itself when the adapter leaves it alone. Shape is the tensor's. The
// adapter must have passed Check.
func (a *Adapter) Apply(tensor string, shape []int, x kernel.Source) kernel.Source {
	t := a.targets[bare(tensor)]
	if t == nil {
		return x
	}
	if err := t.fits(shape); err != nil {
		panic("adapter: not checked: " + err.Error())
	}
	if t.whole != nil {
		x = mustView(t.whole)
	}
	switch {
	case t.bias != nil:
		return shifted{base: x, by: mustView(t.bias), scale: t.scale}
	case t.a == nil:
		return x
	}
	in, out := t.a.Shape[1], t.b.Shape[0]
	transposed := t.embedding || in == out && a.config.transposed || in != out && shape[0] == in
	p := newPatched(x, t, transposed)
	if t.magnitude == nil {
		return p
	}
	return newDecomposed(p, kernel.Load(mustView(t.magnitude)), transposed)
}

// operations are those of the best vector level; all levels give equal bits.
var operations = sync.OnceValue(func() kernel.Kernel { return kernel.New(kernel.Best) })

// newF32 returns room for n elements.
func newF32(n int) kernel.View { return kernel.View{DType: mergesearch.F32, Data: make([]byte, 4*n)} }

// shifted is base + scale * by.
type shifted struct {
	base  kernel.Source
	by    kernel.View
	scale float32
}

func (s shifted) Len() int { return s.base.Len() }

func (s shifted) Slice(lo, hi int) kernel.View {
	out := newF32(hi - lo)
	operations().WeightedSum(out, []kernel.View{s.base.Slice(lo, hi), s.by.Slice(lo, hi)}, []float32{1, s.scale})
	return out
}

// patched is base + scale * (left right), a matrix [rows][columns]: left is
// [rows][rank] and read row by row, right is [rank][columns].
type patched struct {
	base          kernel.Source
	rows, columns int
	left          func(row int) []float32
	right         func() []kernel.View // one for each row of right
	scale         float32
}

// newPatched arranges the factors. As the layer is stored, [out][in], they are B
// and A as they lie in the file. A layer stored [in][out], or an embedding
// [token][out], has the transposes of A and B; the latter is written out once.
func newPatched(x kernel.Source, t *target, transposed bool) *patched {
	rank, in, out := t.a.Shape[0], t.a.Shape[1], t.b.Shape[0]
	a, b := mustView(t.a), mustView(t.b)
	if !transposed {
		right := make([]kernel.View, rank)
		for k := range right {
			right[k] = a.Slice(k*in, (k+1)*in)
		}
		return &patched{
			base: x, rows: out, columns: in, scale: t.scale,
			left:  func(row int) []float32 { return kernel.Load(b.Slice(row*rank, (row+1)*rank)) },
			right: func() []kernel.View { return right },
		}
	}
	return &patched{
		base: x, rows: in, columns: out, scale: t.scale,
		left: func(row int) []float32 {
			w := make([]float32, rank)
			for k := range w {
				w[k] = kernel.Load(a.Slice(k*in+row, k*in+row+1))[0]
			}
			return w
		},
		right: sync.OnceValue(func() []kernel.View { return transpose(kernel.Load(b), out, rank) }),
	}
}

// transpose returns the columns of a matrix [rows][columns].
func transpose(x []float32, rows, columns int) []kernel.View {
	out := make([]kernel.View, columns)
	column := make([]float32, rows)
	for k := range out {
		for r := range column {
			column[r] = x[r*columns+k]
		}
		out[k] = newF32(rows)
		kernel.Store(out[k], column)
	}
	return out
}

func (p *patched) Len() int { return p.rows * p.columns }

func (p *patched) Slice(lo, hi int) kernel.View {
	out := newF32(hi - lo)
	base := p.base.Slice(lo, hi)
	product := newF32(min(p.columns, hi-lo))
	for from := lo; from < hi; {
		row := from / p.columns
		to := min(hi, (row+1)*p.columns)
		sum := product.Slice(0, to-from)
		p.product(sum, row, from-row*p.columns)
		operations().WeightedSum(out.Slice(from-lo, to-lo), []kernel.View{base.Slice(from-lo, to-lo), sum}, []float32{1, p.scale})
		from = to
	}
	return out
}

// product writes a part of a row of left right, from a column on. Terms are
// added in the order of their number, as many at a time as the kernel takes.
func (p *patched) product(sum kernel.View, row, column int) {
	left, right := p.left(row), p.right()
	inputs, weights := make([]kernel.View, 0, kernel.MaxModels), make([]float32, 0, kernel.MaxModels)
	for k := 0; k < len(left); {
		inputs, weights = inputs[:0], weights[:0]
		var carried kernel.View
		if k > 0 {
			carried = kernel.View{DType: mergesearch.F32, Data: slices.Clone(sum.Data)}
			inputs, weights = append(inputs, carried), append(weights, 1)
		}
		for ; k < len(left) && len(inputs) < kernel.MaxModels; k++ {
			inputs, weights = append(inputs, right[k].Slice(column, column+sum.Len())), append(weights, left[k])
		}
		operations().WeightedSum(sum, inputs, weights)
	}
}
