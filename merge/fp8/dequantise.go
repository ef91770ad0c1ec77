package fp8

import (
	"slices"
	"sync"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// dequantised is a tensor of 8 bits times its scales: matrices [rows][columns],
// one after the other, each with a grid of scales.
type dequantised struct {
	x             kernel.View
	scale         []float32 // [matrix][down][across]
	rows, columns int
	height, width int // of what one scale is for
	down, across  int // of the grid
}

// Dequantise returns a tensor of 8 bits times its scale, in float32. Shape is the
// tensor's, [..., rows, columns], and scaleShape one of
//
//	[] or [1]                  one scale for the tensor
//	[rows] or [rows, 1]        one for each row
//	[..., 1 or rows, 1]        the same for each matrix of a stack
//	[..., blocks, blocks]      one for each block, cut off at the edges
//
// Block is the rows and columns of a block; zeros mean 128 by 128. The name is
// the tensor's, for errors, which are *mergesearch.InputError.
func Dequantise(name string, x kernel.View, shape []int, scale kernel.View, scaleShape []int, block [2]int) (kernel.Source, error) {
	switch {
	case !x.DType.Eight():
		return nil, refused(name, "type %s with a scale; only floats of 8 bits have one", x.DType)
	case !scale.DType.Float() || scale.DType.Eight():
		return nil, refused(name, "a scale of type %s", scale.DType)
	case len(shape) == 0:
		return nil, refused(name, "a scalar with a scale")
	}
	d := &dequantised{x: x, rows: 1, columns: shape[len(shape)-1]}
	if len(shape) > 1 {
		d.rows = shape[len(shape)-2]
	}
	if !d.arrange(shape, scaleShape, block) {
		return nil, refused(name, "a scale of shape %v does not fit a tensor of shape %v with blocks of %v", scaleShape, shape, block)
	}
	d.scale = kernel.Load(scale)
	return d, nil
}

// arrange finds out what each scale is for.
func (d *dequantised) arrange(shape, scaleShape []int, block [2]int) bool {
	if block == [2]int{} {
		block = [2]int{128, 128}
	}
	if (mergesearch.Tensor{Shape: scaleShape}).Elements() == 1 { // of all matrices of a stack, too
		d.height, d.width, d.down, d.across = max(1, d.x.Len()), max(1, d.columns), 0, 0
		return true
	}
	if len(scaleShape) == 1 && len(shape) == 2 && scaleShape[0] == d.rows {
		scaleShape = []int{d.rows, 1}
	}
	n := len(scaleShape)
	if n != len(shape) || n < 2 || !slices.Equal(scaleShape[:n-2], shape[:n-2]) {
		return false
	}
	d.down, d.across = scaleShape[n-2], scaleShape[n-1]
	switch d.down {
	case 1:
		d.height = max(1, d.rows)
	case ceil(d.rows, block[0]):
		d.height = block[0]
	case d.rows:
		d.height = 1
	default:
		return false
	}
	switch d.across {
	case 1:
		d.width = max(1, d.columns)
	case ceil(d.columns, block[1]):
		d.width = block[1]
	default:
		return false
	}
	return true
}

func ceil(a, b int) int { return (a + b - 1) / b }

// scaleOf returns the scale of an element and where, in its row, the next scale
// begins.
func (d *dequantised) scaleOf(element int) (scale float32, end int) {
	if d.down == 0 {
		return d.scale[0], d.x.Len()
	}
	row, column := element/d.columns, element%d.columns
	matrix, row := row/d.rows, row%d.rows
	at := (matrix*d.down+row/d.height)*d.across + column/d.width
	next := min(d.columns, (column/d.width+1)*d.width)
	return d.scale[at], element + next - column
}

// operations are those of the best vector level; all levels give equal bits.
var operations = sync.OnceValue(func() kernel.Kernel { return kernel.New(kernel.Best) })

func (d *dequantised) Len() int { return d.x.Len() }

func (d *dequantised) Slice(lo, hi int) kernel.View {
	out := kernel.View{DType: mergesearch.F32, Data: make([]byte, 4*(hi-lo))}
	for at := lo; at < hi; {
		scale, end := d.scaleOf(at)
		end = min(end, hi)
		operations().WeightedSum(out.Slice(at-lo, end-lo), []kernel.View{d.x.Slice(at, end)}, []float32{scale})
		at = end
	}
	return out
}
