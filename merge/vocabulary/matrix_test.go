package vocabulary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"mergesearch"
	"mergesearch/merge/kernel"

	"pgregory.net/rapid"
)

// words makes a WordLevel model of these tokens.
func words(name string, rows int, tokens ...string) Model {
	vocab := make([]string, len(tokens))
	for i, tok := range tokens {
		vocab[i] = fmt.Sprintf("%s: %d", quote(tok), i)
	}
	return Model{Name: name, Rows: rows, Files: map[string][]byte{
		tokenizerFile: []byte(`{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {` + strings.Join(vocab, ", ") + `}, "unk_token": null}}`),
	}}
}

// row is the obvious way to a row of an aligned matrix: the rules, one after the
// other, for one token of one model. It is rounded at each step if step says how.
func (a *Alignment) row(model string, token, columns int, inputs map[string]kernel.Source, step func([]float32) []float32) (x []float32, stored bool) {
	of := func(name string, row int32) []float32 {
		return kernel.Load(inputs[name].Slice(int(row)*columns, (int(row)+1)*columns))
	}
	type has struct {
		name string
		row  int32
	}
	var have []has
	for _, v := range a.models {
		if _, ok := inputs[v.model.Name]; ok && v.id(a.tokens[token]) >= 0 {
			have = append(have, has{v.model.Name, v.id(a.tokens[token])})
		}
	}
	r, ruled := a.rules[int32(token)]
	if !ruled || !r.force {
		for _, h := range have {
			if h.name == model {
				return of(h.name, h.row), true
			}
		}
	}
	switch {
	case ruled && r.zero:
		return make([]float32, columns), true
	case ruled && r.model >= 0:
		return of(a.models[r.model].model.Name, r.row), true
	case len(have) == 1:
		return of(have[0].name, have[0].row), true
	case a.named && have[0].name == a.models[0].model.Name:
		return of(have[0].name, have[0].row), true
	}
	sum := make([]float32, columns)
	for _, h := range have {
		for i, x := range of(h.name, h.row) {
			sum[i] += x
		}
		sum = step(sum)
	}
	for i := range sum {
		sum[i] /= float32(len(have))
	}
	return sum, false
}

// typeOf is the type of aligned matrices: that of the inputs, or a wider one where
// some row of some model is computed.
func (a *Alignment) typeOf(columns int, inputs map[string]kernel.Source) mergesearch.DType {
	d := commonTypeOf(inputs)
	if d.Size() > 2 {
		return d
	}
	for name := range inputs {
		for i := range a.tokens {
			if _, stored := a.row(name, i, columns, inputs, exact); !stored {
				return mergesearch.F32
			}
		}
	}
	if a.rows > len(a.tokens) {
		return mergesearch.F32
	}
	return d
}

func exact(x []float32) []float32 { return x }

// reference is the whole aligned matrix in a type.
func (a *Alignment) reference(d mergesearch.DType, model string, columns int, inputs map[string]kernel.Source, step func([]float32) []float32) []float32 {
	var out []float32
	for i := range a.tokens {
		x, _ := a.row(model, i, columns, inputs, step)
		out = append(out, kernel.Load(rounded(d, x))...)
	}
	n := len(a.tokens)
	padding := make([]float32, columns)
	for j := range padding {
		total := 0.0
		for b := range meanBlocks {
			sum := 0.0
			for i := b * n / meanBlocks; i < (b+1)*n/meanBlocks; i++ {
				sum += float64(out[i*columns+j])
			}
			total += sum
		}
		padding[j] = float32(total / float64(n))
	}
	for range a.rows - n {
		out = append(out, padding...)
	}
	return out
}

func rounded(d mergesearch.DType, x []float32) kernel.View { return (&pool{dtype: d}).store(x) }

func commonTypeOf(inputs map[string]kernel.Source) mergesearch.DType {
	var d mergesearch.DType
	for _, in := range inputs {
		v := in.(kernel.View)
		switch {
		case d == "" || d == v.DType:
			d = v.DType
		case d == mergesearch.F64 || v.DType == mergesearch.F64:
			d = mergesearch.F64
		default:
			d = mergesearch.F32
		}
	}
	return d
}

// family draws models over a small alphabet, so that tokens are shared at other
// numbers, and a way to align them.
func family(t *rapid.T) (mergesearch.Tokenizer, string, []Model) {
	alphabet := strings.Split("a b c d e f g h i j k l", " ")
	var models []Model
	for i := range rapid.IntRange(1, 4).Draw(t, "models") {
		tokens := rapid.SliceOfNDistinct(rapid.SampledFrom(alphabet), 1, len(alphabet), rapid.ID[string]).Draw(t, "tokens")
		rows := max(1, len(tokens)+rapid.IntRange(-2, 3).Draw(t, "unused rows"))
		models = append(models, words(string(rune('A'+i)), rows, tokens...))
	}
	name := rapid.SampledFrom(models)
	spec := mergesearch.Tokenizer{
		Source:          rapid.SampledFrom([]string{"", "union", "base", models[0].Name}).Draw(t, "source"),
		PadToMultipleOf: rapid.SampledFrom([]int{0, 1, 4, 64}).Draw(t, "multiple"),
	}
	for _, tok := range rapid.SliceOfNDistinct(rapid.SampledFrom(append(alphabet, "new")), 0, 4, rapid.ID[string]).Draw(t, "rules") {
		rule := mergesearch.TokenRule{Token: tok, Force: rapid.Bool().Draw(t, "force")}
		m := name.Draw(t, "source of "+tok)
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			rule.Source.Zero = true
		case 1:
			id := rapid.IntRange(0, m.Rows-1).Draw(t, "id")
			rule.Source = mergesearch.TokenSource{Model: m.Name, ID: &id}
		case 2:
			rule.Source = mergesearch.TokenSource{Model: m.Name, Token: rapid.SampledFrom(alphabet).Draw(t, "token")}
		}
		spec.Tokens = append(spec.Tokens, rule)
	}
	base := ""
	if rapid.Bool().Draw(t, "base") {
		base = name.Draw(t, "base model").Name
	}
	return spec, base, models
}

// Whatever pieces are read, they are what the rules say, bit for bit.
func TestMatrices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec, base, models := family(t)
		a, err := Align(spec, base, models)
		var in *mergesearch.InputError
		if errors.As(err, &in) && strings.HasPrefix(in.Field, "tokenizer.tokens.") {
			t.Skip("a rule that names a row that is not there")
		}
		if err != nil {
			t.Fatal(err)
		}
		columns := rapid.IntRange(1, 5).Draw(t, "columns")
		inputs := map[string]kernel.Source{}
		for _, m := range models {
			d := rapid.SampledFrom([]mergesearch.DType{"BF16", "BF16", "BF16", "F16", "F32", "F64"}).Draw(t, "dtype")
			x := rapid.SliceOfN(rapid.Float32Range(-100, 100), m.Rows*columns, m.Rows*columns).Draw(t, "matrix")
			inputs[m.Name] = rounded(d, x)
		}
		out, err := a.Matrices(columns, inputs)
		if err != nil {
			t.Fatal(err)
		}
		a.check(t, a.typeOf(columns, inputs), columns, inputs, out, exact)

		d := rapid.SampledFrom([]mergesearch.DType{"BF16", "F16", "F32"}).Draw(t, "mergekit's dtype")
		round := func(x []float32) []float32 { return kernel.Load(rounded(d, x)) }
		if out, err = a.MatricesIn(d, columns, inputs); err != nil {
			t.Fatal(err)
		}
		for name, x := range inputs {
			inputs[name] = rounded(d, kernel.Load(x.Slice(0, x.Len())))
		}
		a.check(t, d, columns, inputs, out, round)
	})
}

// check compares pieces of matrices with the reference.
func (a *Alignment) check(t *rapid.T, d mergesearch.DType, columns int, inputs, out map[string]kernel.Source, step func([]float32) []float32) {
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		got := out[name]
		want := rounded(d, a.reference(d, name, columns, inputs, step))
		if got.Len() != a.Rows()*columns || got.Len() != want.Len() {
			t.Fatalf("%s: %d elements, want %d", name, got.Len(), want.Len())
		}
		lo := rapid.IntRange(0, want.Len()).Draw(t, "lo")
		hi := rapid.IntRange(lo, want.Len()).Draw(t, "hi")
		for _, r := range [][2]int{{lo, hi}, {0, want.Len()}, {hi, want.Len()}} {
			piece := got.Slice(r[0], r[1])
			if piece.DType != want.DType || !bytes.Equal(piece.Data, want.Slice(r[0], r[1]).Data) {
				t.Fatalf("%s %v: %v, want %v", name, r, kernel.Load(piece), kernel.Load(want.Slice(r[0], r[1])))
			}
		}
	}
}

// The order of models in the recipe changes neither files nor rows.
func TestOrderOfModels(t *testing.T) {
	for _, f := range readGolden(t).Families {
		models := f.models(t)
		for _, c := range f.Cases {
			var first *Alignment
			for range models {
				models = append(models[1:], models[0])
				a, err := Align(c.spec(t), f.Base, models)
				if err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = a
				}
				if !bytes.Equal(a.Files()[tokenizerFile], first.Files()[tokenizerFile]) || !slices.Equal(a.tokens, first.tokens) {
					t.Errorf("%s %s: another order, another vocabulary", f.Name, c.Spec)
				}
			}
		}
	}
}

// Pieces that are a source's own rows are its bytes, not a copy.
func TestNoCopy(t *testing.T) {
	a, err := Align(mergesearch.Tokenizer{}, "A", []Model{words("A", 4, "a", "b", "c", "d"), words("B", 5, "x", "a", "b", "c", "d")})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 10)
	inputs := map[string]kernel.Source{"A": floats("F32", x[:8]), "B": floats("F32", x)}
	out, err := a.Matrices(2, inputs)
	if err != nil {
		t.Fatal(err)
	}
	shares := func(name string, lo, hi, from int) bool {
		return &out[name].Slice(lo, hi).Data[0] == &inputs[name].Slice(from, from+1).Data[0]
	}
	if !shares("A", 1, 8, 1) || !shares("B", 1, 7, 3) || shares("B", 7, 10, 9) {
		t.Error("a run of rows is copied, or others are not put together")
	}
}

// Readers at the same time, and the row of padding that they wait for.
func TestConcurrentReaders(t *testing.T) {
	a, err := Align(mergesearch.Tokenizer{PadToMultipleOf: 8}, "", []Model{words("A", 2, "a", "b"), words("B", 2, "b", "c")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.Matrices(2, map[string]kernel.Source{"A": floats("BF16", []float32{1, 2, 3, 4}), "B": floats("BF16", []float32{5, 6, 7, 8})})
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{7, 8, 11.0 / 3, 14.0 / 3} // the row of c, and the mean
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if got := kernel.Load(out["A"].Slice(4, 8)); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	wait.Wait()
}

func TestMatricesRefused(t *testing.T) {
	models := []Model{words("A", 2, "a", "b"), words("B", 2, "b", "c")}
	a, err := Align(mergesearch.Tokenizer{Tokens: []mergesearch.TokenRule{{Token: "n", Source: mergesearch.TokenSource{Model: "B", Token: "b"}}}}, "A", models)
	if err != nil {
		t.Fatal(err)
	}
	x := []float32{1, 2, 3, 4}
	refused := func(a *Alignment, inputs map[string]kernel.Source, want string) {
		t.Helper()
		_, err := a.Matrices(2, inputs)
		var in *mergesearch.InputError
		if !errors.As(err, &in) || in.Hint == "" || !strings.Contains(in.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refused(a, map[string]kernel.Source{"A": floats("F32", x[:3]), "B": floats("F32", x)}, "A: vocab_size: 2 rows of 2 columns are 4 elements, but the embedding has 3")
	refused(a, map[string]kernel.Source{"A": floats("F32", x)}, `tokenizer.tokens."c": no model with this tensor has the token`)
	ruled, err := Align(mergesearch.Tokenizer{Source: "base", Tokens: []mergesearch.TokenRule{{Token: "n", Source: mergesearch.TokenSource{Model: "B", Token: "b"}}}}, "A", models)
	if err != nil {
		t.Fatal(err)
	}
	refused(ruled, map[string]kernel.Source{"A": floats("F32", x)}, `tokenizer.tokens."n": B, the source of its row, has no such tensor`)
	// A head that only one model has needs only that model's tokens.
	a, err = Align(mergesearch.Tokenizer{Source: "B"}, "A", models)
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.Matrices(2, map[string]kernel.Source{"B": floats("F32", x)})
	if err != nil || len(out) != 1 || !slices.Equal(kernel.Load(out["B"].Slice(0, 4)), x) {
		t.Errorf("%v, %v", out, err)
	}
	if out, err := a.Matrices(2, nil); err != nil || len(out) != 0 {
		t.Errorf("%v, %v", out, err)
	}
}

func FuzzAlign(f *testing.F) {
	for _, fam := range readGolden(f).Families {
		m := fam.models(f)
		f.Add(m[0].Files[tokenizerFile], m[0].Files[configFile], m[1].Files[tokenizerFile], m[1].Files[configFile], 40)
	}
	one := words("A", 9, "a", "b").Files[tokenizerFile]
	f.Add(one, []byte(`{"added_tokens_decoder": {"2": {"content": "<x>", "special": true}, "3": {"content": "y", "lstrip": true}}, "pad_token": {"content": "<pad>"}, "extra_special_tokens": {"image": "<i>"}}`), one, []byte(`{"eos_token": "<eos>", "additional_special_tokens": ["<p>", {"content": "<q>"}]}`), 3)
	f.Add(one, []byte(`{"<x>": 2, "<y>": 3}`), one, []byte(`{"chat_template": [{"name": "default", "template": "t"}]}`), 9)
	f.Add(one, []byte(`{"added_tokens_decoder": {"x": {}}}`), one, []byte(`{"added_tokens_decoder": {"5": "<x>"}}`), 9)
	f.Fuzz(func(t *testing.T, a, ac, b, bc []byte, rows int) {
		rows = min(max(rows, 1), 1<<12)
		models := []Model{
			{Name: "a", Files: map[string][]byte{tokenizerFile: a, configFile: ac, specialFile: bc}, Rows: rows},
			{Name: "b", Files: map[string][]byte{tokenizerFile: b, configFile: bc, addedFile: ac}, Rows: 1 << 12},
		}
		var in *mergesearch.InputError
		if err := Check(models); err != nil && !errors.As(err, &in) {
			t.Fatalf("refused with %T: %v", err, err)
		}
		if _, err := ChatTemplate("auto", models); err != nil && !errors.As(err, &in) {
			t.Fatalf("refused with %T: %v", err, err)
		}
		plan, err := Align(mergesearch.Tokenizer{}, "a", models)
		if err != nil {
			if !errors.As(err, &in) {
				t.Fatalf("refused with %T: %v", err, err)
			}
			return
		}
		for _, name := range []string{tokenizerFile, configFile} {
			if data, ok := plan.Files()[name]; ok && !json.Valid(data) {
				t.Fatalf("%s is not JSON: %q", name, data)
			}
		}
		again, err := read(Model{Files: plan.Files(), Rows: maxTokens})
		if err != nil {
			t.Fatalf("the result is refused: %v", err)
		}
		for i, text := range plan.tokens {
			if again.id(text) != int32(i) {
				t.Fatalf("token %q is %d, and %d in the file", text, i, again.id(text))
			}
		}
		if again.contiguousSize() != plan.VocabSize() {
			t.Fatalf("%d tokens, %d in the file", plan.VocabSize(), again.contiguousSize())
		}
	})
}

func (v *vocabulary) contiguousSize() int { return len(v.tokens.byID) }

// Reading an aligned matrix in pieces as the engine does: rows as they are, rows
// in another order, and the row of padding.
func BenchmarkMatrix(b *testing.B) {
	const rows, columns, piece = 32_000, 1024, 1 << 16
	same, mixed := make([]string, rows), make([]string, rows)
	for i := range same {
		same[i], mixed[i*7919%rows] = fmt.Sprint(i), fmt.Sprint(i)
	}
	in := kernel.View{DType: "BF16", Data: make([]byte, rows*columns*2)}
	for name, tokens := range map[string][]string{"same": same, "permuted": mixed} {
		a, err := Align(mergesearch.Tokenizer{PadToMultipleOf: 8191}, "A", []Model{words("A", rows, same...), words("B", rows, tokens...)})
		if err != nil {
			b.Fatal(err)
		}
		out, err := a.Matrices(columns, map[string]kernel.Source{"A": in, "B": in})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in.Data)))
			for b.Loop() {
				for lo := 0; lo < rows*columns; lo += piece {
					out["B"].Slice(lo, min(lo+piece, rows*columns))
				}
			}
		})
		b.Run(name+"/padding", func(b *testing.B) {
			b.SetBytes(int64(len(in.Data)))
			for b.Loop() {
				m := &matrix{pool: out["B"].(*matrix).pool, rows: out["B"].(*matrix).rows}
				m.Slice(rows*columns, (rows+1)*columns)
			}
		})
	}
}
