package vocabulary

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// Matrices returns each model's matrix of Rows() rows, rebuilt while it is read;
// nothing is kept but the padding row. inputs are matrices of the models by name,
// rows by columns, row-major; a model without this tensor is absent and takes no
// part in it. Results have the type of the inputs if that is one and no row is a
// mean, else F32, or F64 if one of them is. Errors are *mergesearch.InputError.
//
// A token's row in a model is, in this order: that of its rule if the rule is
// forced; the model's own; that of its rule; that of the only model that has the
// token; that of the base; the mean over the models that have it, in float32.
// Rows of padding are the mean of all real rows.
func (a *Alignment) Matrices(columns int, inputs map[string]kernel.Source) (map[string]kernel.Source, error) {
	return a.matrices(&pool{columns: columns, alignment: a}, inputs)
}

// MatricesIn is Matrices as mergekit has it: inputs are rounded to a type, and
// means of tokens are computed in it, with a rounding after each addition and
// after the division.
func (a *Alignment) MatricesIn(d mergesearch.DType, columns int, inputs map[string]kernel.Source) (map[string]kernel.Source, error) {
	return a.matrices(&pool{columns: columns, alignment: a, dtype: d, stepwise: true}, inputs)
}

func (a *Alignment) matrices(p *pool, inputs map[string]kernel.Source) (map[string]kernel.Source, error) {
	columns := p.columns
	if columns < 1 {
		panic(fmt.Sprintf("vocabulary: %d columns", columns))
	}
	for i, v := range a.models {
		in, ok := inputs[v.model.Name]
		if !ok {
			continue
		}
		if want := v.model.Rows * columns; in.Len() != want {
			return nil, &mergesearch.InputError{
				File: v.model.Name, Field: "vocab_size",
				Problem: fmt.Sprintf("%d rows of %d columns are %d elements, but the embedding has %d", v.model.Rows, columns, want, in.Len()),
				Hint:    "the model's configuration does not belong to its weights",
			}
		}
		p.models, p.sources = append(p.models, i), append(p.sources, in)
	}
	if len(p.models) != len(inputs) {
		panic("vocabulary: a matrix of a model that is not aligned")
	}
	if err := p.plan(); err != nil {
		return nil, err
	}
	if !p.stepwise {
		p.dtype = commonType(p.sources)
		if p.dtype.Size() == 2 && p.computes() {
			p.dtype = mergesearch.F32
		}
	}
	out := make(map[string]kernel.Source, len(p.models))
	for i, m := range p.models {
		out[a.models[m].model.Name] = p.matrix(i)
	}
	return out, nil
}

func commonType(sources []kernel.Source) mergesearch.DType {
	var common mergesearch.DType
	for _, s := range sources {
		switch d := s.Slice(0, 0).DType; {
		case common == "" || common == d:
			common = d
		case common == mergesearch.F64 || d == mergesearch.F64:
			common = mergesearch.F64
		default:
			common = mergesearch.F32
		}
	}
	return common
}

// ref is where a row comes from: row of sources[source], or one of these.
type ref struct{ source, row int32 }

const (
	zeros   = -1
	mean    = -2 // over the models that have token row
	padding = -3
	nowhere = -4
)

// pool is what the matrices of one tensor share.
type pool struct {
	alignment *Alignment
	columns   int
	dtype     mergesearch.DType
	stepwise  bool  // means are rounded at each step
	models    []int // indices of the alignment's models that have the tensor
	sources   []kernel.Source
	defaults  []ref // by token
}

// plan finds the row of each token for models that have none of their own.
func (p *pool) plan() error {
	a := p.alignment
	source := make([]int32, len(a.models))
	for i := range source {
		source[i] = nowhere
	}
	for i, m := range p.models {
		source[m] = int32(i)
	}
	p.defaults = make([]ref, len(a.tokens))
	for id := range a.tokens {
		r, ok := a.rules[int32(id)]
		switch {
		case ok && r.zero:
			p.defaults[id] = ref{zeros, 0}
		case ok && r.model >= 0:
			if p.defaults[id] = (ref{source[r.model], r.row}); source[r.model] == nowhere {
				return p.missing(id, a.models[r.model].model.Name+", the source of its row, has no such tensor")
			}
		default:
			p.defaults[id] = p.usual(id, source[0])
		}
		if p.defaults[id].source == nowhere && len(p.models) > 0 {
			return p.missing(id, "no model with this tensor has the token")
		}
	}
	return nil
}

func (p *pool) missing(id int, why string) error {
	return &mergesearch.InputError{
		Field: fmt.Sprintf("tokenizer.tokens.%q", shown(p.alignment.tokens[id])), Problem: why,
		Hint: "name a source for the token: a model that has the tensor, or kind: zero",
	}
}

// usual is the default of a token without rule; base is the source of the base.
func (p *pool) usual(id int, base int32) ref {
	out, n := ref{nowhere, 0}, 0
	for i, m := range p.models {
		if row := p.alignment.own[m][id]; row >= 0 {
			out = ref{int32(i), row}
			n++
		}
	}
	if n < 2 {
		return out
	}
	if row := p.alignment.own[0][id]; p.alignment.named && base >= 0 && row >= 0 {
		return ref{base, row}
	}
	return ref{mean, int32(id)}
}

// computes reports whether there are rows that no model stores.
func (p *pool) computes() bool {
	a := p.alignment
	if a.rows > len(a.tokens) {
		return true
	}
	for id, r := range p.defaults {
		lacks := func(m int) bool { return a.own[m][id] < 0 || a.rules[int32(id)].force }
		if r.source == mean && slices.ContainsFunc(p.models, lacks) {
			return true
		}
	}
	return false
}

// matrix is one model's aligned matrix.
type matrix struct {
	pool   *pool
	rows   []ref
	once   sync.Once
	padded []byte // the row of padding
}

func (p *pool) matrix(source int) *matrix {
	a := p.alignment
	m := &matrix{pool: p, rows: make([]ref, a.rows)}
	own := a.own[p.models[source]]
	for i := range m.rows {
		switch {
		case i >= len(own):
			m.rows[i] = ref{padding, 0}
		case own[i] < 0 || a.rules[int32(i)].force:
			m.rows[i] = p.defaults[i]
		default:
			m.rows[i] = ref{int32(source), own[i]}
		}
	}
	return m
}

// Len returns the number of elements.
func (m *matrix) Len() int { return len(m.rows) * m.pool.columns }

// Slice returns elements. Where they are a run of rows of one source, they are
// that source's own bytes.
func (m *matrix) Slice(lo, hi int) kernel.View {
	if lo < 0 || hi < lo || hi > m.Len() {
		panic(fmt.Sprintf("vocabulary: elements %d to %d of %d", lo, hi, m.Len()))
	}
	p, c := m.pool, m.pool.columns
	out := kernel.View{DType: p.dtype}
	for at := lo; at < hi; {
		first := at / c
		end := min(hi, (first+m.run(first, (hi+c-1)/c))*c)
		piece := m.piece(m.rows[first], at-first*c, end-first*c)
		if at == lo && end == hi {
			return piece
		}
		if out.Data == nil {
			out.Data = make([]byte, 0, (hi-lo)*p.dtype.Size())
		}
		out.Data = append(out.Data, piece.Data...)
		at = end
	}
	return out
}

// run counts the rows from first on, before end, that lie one after the other in
// one source.
func (m *matrix) run(first, end int) int {
	r, n := m.rows[first], 1
	for r.source >= 0 && first+n < end && m.rows[first+n] == (ref{r.source, r.row + int32(n)}) {
		n++
	}
	return n
}

// piece returns elements counted from the beginning of a row.
func (m *matrix) piece(r ref, lo, hi int) kernel.View {
	p := m.pool
	switch r.source {
	case zeros:
		return kernel.View{DType: p.dtype, Data: make([]byte, (hi-lo)*p.dtype.Size())}
	case mean:
		return p.mean(int(r.row), lo, hi)
	case padding:
		m.once.Do(m.pad)
		return kernel.View{DType: p.dtype, Data: m.padded}.Slice(lo, hi)
	}
	at := int(r.row) * p.columns
	return p.convert(p.sources[r.source].Slice(at+lo, at+hi))
}

// convert widens elements to the type of the result.
func (p *pool) convert(v kernel.View) kernel.View {
	if v.DType == p.dtype {
		return v
	}
	return p.store(kernel.Load(v))
}

// store rounds numbers to the type of the result.
func (p *pool) store(x []float32) kernel.View {
	out := kernel.View{DType: p.dtype, Data: make([]byte, len(x)*p.dtype.Size())}
	if p.dtype != mergesearch.F64 {
		kernel.Store(out, x)
		return out
	}
	for i, f := range x {
		binary.LittleEndian.PutUint64(out.Data[8*i:], math.Float64bits(float64(f)))
	}
	return out
}

// mean is over the models that have the token, added in their order.
func (p *pool) mean(id, lo, hi int) kernel.View {
	sum := make([]float32, hi-lo)
	n := float32(0)
	for i, m := range p.models {
		row := p.alignment.own[m][id]
		if row < 0 {
			continue
		}
		at := int(row) * p.columns
		for j, x := range kernel.Load(p.convert(p.sources[i].Slice(at+lo, at+hi))) {
			sum[j] += x
		}
		if p.stepwise {
			sum = kernel.Load(p.store(sum))
		}
		n++
	}
	for j := range sum {
		sum[j] /= n
	}
	return p.store(sum)
}

// meanBlocks is into how many runs of rows a matrix is cut for its mean. It is
// fixed, because it decides the order of sums.
const meanBlocks = 64

// pad computes the row of padding: sums in float64, row after row within a block,
// and block after block.
func (m *matrix) pad() {
	c, real := m.pool.columns, len(m.pool.alignment.tokens)
	sums := make([][]float64, meanBlocks)
	var next atomic.Int32
	var workers sync.WaitGroup
	for range min(meanBlocks, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for b := int(next.Add(1)) - 1; b < meanBlocks; b = int(next.Add(1)) - 1 {
				sums[b] = make([]float64, c)
				for i := b * real / meanBlocks; i < (b+1)*real/meanBlocks; i++ {
					addTo(sums[b], m.Slice(i*c, (i+1)*c))
				}
			}
		})
	}
	workers.Wait()
	row := make([]float32, c)
	for j := range row {
		sum := 0.0
		for b := range sums {
			sum += sums[b][j]
		}
		row[j] = float32(sum / float64(real))
	}
	m.padded = m.pool.store(row).Data
}

// addTo adds elements to sums. The two usual types are not widened first.
func addTo(sums []float64, v kernel.View) {
	switch v.DType {
	case mergesearch.BF16:
		for j := range sums {
			sums[j] += float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(v.Data[2*j:])) << 16))
		}
	case mergesearch.F32:
		for j := range sums {
			sums[j] += float64(math.Float32frombits(binary.LittleEndian.Uint32(v.Data[4*j:])))
		}
	default:
		for j, x := range kernel.Load(v) {
			sums[j] += float64(x)
		}
	}
}
