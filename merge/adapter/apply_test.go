package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/merge/attacktest"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// tensor is one of an adapter or model made from numbers.
func tensor(name string, dtype mergesearch.DType, shape []int, value func(i int) float32) mergesearch.Tensor {
	t := mergesearch.Tensor{Name: name, DType: dtype, Shape: shape}
	x := make([]float32, t.Elements())
	for i := range x {
		x[i] = value(i)
	}
	t.Data = make([]byte, len(x)*dtype.Size())
	kernel.Store(kernel.View{DType: dtype, Data: t.Data}, x)
	return t
}

// file returns the bytes of a safetensors file.
func file(tensors ...mergesearch.Tensor) []byte {
	h := safetensors.Header{}
	var data []byte
	for _, t := range tensors {
		begin := int64(len(data))
		data = append(data, t.Data...)
		h.Tensors = append(h.Tensors, safetensors.Info{Name: t.Name, DType: t.DType, Shape: t.Shape, Begin: begin, End: int64(len(data))})
	}
	return append(h.Append(nil), data...)
}

func configText(settings map[string]any) []byte {
	all := map[string]any{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": []string{"p"}}
	for k, v := range settings {
		all[k] = v
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return text
}

// reference computes a target element by element, in the order that doc.go says.
func reference(w, a, b, magnitude []float32, rank, in, out int, scale float32, transposed bool) []float32 {
	result := make([]float32, in*out)
	squares := make([]float64, out)
	for row := range result {
		o, i := row/in, row%in
		if transposed {
			i, o = row/out, row%out
		}
		sum := float32(b[o*rank] * a[i])
		for k := 1; k < rank; k++ {
			sum += float32(b[o*rank+k] * a[k*in+i])
		}
		result[row] = w[row] + float32(scale*sum)
		squares[o] += float64(result[row]) * float64(result[row])
	}
	if magnitude == nil {
		return result
	}
	for row := range result {
		o := row / in
		if transposed {
			o = row % out
		}
		result[row] *= magnitude[o] / sqrt32(squares[o])
	}
	return result
}

// Whatever the sizes, types and pieces: the bits of the reference.
func TestReference(t *testing.T) {
	types := []mergesearch.DType{mergesearch.F32, mergesearch.BF16, mergesearch.F16, mergesearch.F64}
	rapid.Check(t, func(r *rapid.T) {
		rank := rapid.SampledFrom([]int{1, 2, 3, 16, 63, 64, 65, 130}).Draw(r, "rank")
		in, out := rapid.IntRange(1, 40).Draw(r, "in"), rapid.IntRange(1, 40).Draw(r, "out")
		transposed, dora := rapid.Bool().Draw(r, "transposed"), rapid.Bool().Draw(r, "dora")
		embedding := rapid.Bool().Draw(r, "embedding") && !dora
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		value := func(int) float32 { return float32(random.NormFloat64()) }
		dtype := func(name string) mergesearch.DType { return rapid.SampledFrom(types).Draw(r, name) }

		aName, bName := "base_model.model.model.p.lora_A.weight", "base_model.model.model.p.lora_B.weight"
		if embedding {
			aName, bName, transposed = "base_model.model.model.p.lora_embedding_A", "base_model.model.model.p.lora_embedding_B", true
		}
		a, b := tensor(aName, dtype("a"), []int{rank, in}, value), tensor(bName, dtype("b"), []int{out, rank}, value)
		tensors := []mergesearch.Tensor{a, b}
		var magnitude []float32
		if dora {
			m := tensor("base_model.model.model.p.lora_magnitude_vector", mergesearch.F32, []int{out}, value)
			tensors, magnitude = append(tensors, m), kernel.Load(mustView(&m))
		}
		shape := []int{out, in}
		if transposed {
			shape = []int{in, out}
		}
		w := tensor("model.p.weight", dtype("w"), shape, value)
		ad, err := Open(write(t, map[string][]byte{
			ConfigFile:  configText(map[string]any{"r": rank, "use_dora": dora, "fan_in_fan_out": transposed && !embedding}),
			WeightsFile: file(tensors...),
		}))
		if err != nil {
			r.Fatal(err)
		}
		defer ad.Release()
		x := ad.Apply("model.p.weight", shape, mustView(&w))
		want := newF32(in * out)
		kernel.Store(want, reference(kernel.Load(mustView(&w)), kernel.Load(mustView(&a)), kernel.Load(mustView(&b)), magnitude,
			rank, in, out, float32(4/float64(rank)), transposed))
		for range 4 {
			lo := rapid.IntRange(0, in*out).Draw(r, "lo")
			hi := rapid.IntRange(lo, in*out).Draw(r, "hi")
			if got := x.Slice(lo, hi); got.DType != mergesearch.F32 || !bytes.Equal(got.Data, want.Slice(lo, hi).Data) {
				r.Fatalf("elements %d to %d are %v, want %v", lo, hi, kernel.Load(got), kernel.Load(want.Slice(lo, hi)))
			}
		}
	})
}

// Sources are read by many threads at once, the first time too.
func TestConcurrentPieces(t *testing.T) {
	c := readGolden(t)["gpt2-dora"]
	a := open(t, c.Files)
	for name, base := range c.Base {
		want := a.Apply(name, base.Shape, base.view()).Slice(0, base.view().Len())
		x := a.Apply(name, base.Shape, base.view())
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				lo, hi := i*x.Len()/8, (i+1)*x.Len()/8
				if !bytes.Equal(x.Slice(lo, hi).Data, want.Slice(lo, hi).Data) {
					t.Errorf("%s: piece %d differs", name, i)
				}
			})
		}
		wg.Wait()
	}
}

func TestUntouchedIsItself(t *testing.T) {
	a := open(t, readGolden(t)["plain"].Files)
	x := kernel.View{DType: mergesearch.BF16, Data: make([]byte, 16)}
	got, ok := a.Apply("model.norm.weight", []int{8}, x).(kernel.View)
	if !ok || &got.Data[0] != &x.Data[0] {
		t.Errorf("an untouched tensor became %T", got)
	}
}

func TestDigest(t *testing.T) {
	cases := readGolden(t)
	seen := map[string]string{}
	for name, c := range cases {
		d := open(t, c.Files).Digest()
		if other, twice := seen[d]; twice {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[d] = name
		if d != open(t, c.Files).Digest() {
			t.Errorf("%s has another digest elsewhere", name)
		}
		files, err := open(t, c.Files).Files()
		if err != nil || !bytes.Equal(files[ConfigFile], c.Files[ConfigFile]) {
			t.Errorf("%s: files %v, %v", name, files, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	c := readGolden(t)["saved"]
	a := open(t, c.Files)
	for tensor := range c.Base {
		for what, has := range map[string]func(string) ([]int, bool){
			"missing": func(n string) ([]int, bool) { s, ok := c.has(n); return s, ok && n != tensor },
			"shape": func(n string) ([]int, bool) {
				s, ok := c.has(n)
				if n == tensor {
					s = append([]int{3}, s...)
				}
				return s, ok
			},
		} {
			err := a.Check(has)
			var in *mergesearch.InputError
			if a.targets[bare(tensor)] == nil {
				if err != nil {
					t.Errorf("%s of %s, which the adapter leaves alone: %v", what, tensor, err)
				}
			} else if !errors.As(err, &in) || in.Field != tensor {
				t.Errorf("%s of %s: error %v", what, tensor, err)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	a := tensor("base_model.model.p.lora_A.weight", mergesearch.F32, []int{2, 3}, func(int) float32 { return 1 })
	b := tensor("base_model.model.p.lora_B.weight", mergesearch.F32, []int{4, 2}, func(int) float32 { return 1 })
	named := func(t mergesearch.Tensor, name string) mergesearch.Tensor { t.Name = name; return t }
	good := file(a, b)
	for what, c := range map[string]struct {
		settings map[string]any
		weights  []byte
		want     string
	}{
		"rank":              {map[string]any{"r": 3}, good, "rank 3"},
		"rank of a pattern": {map[string]any{"rank_pattern": map[string]any{"p": 3}}, good, "rank 3"},
		"no rank":           {map[string]any{"r": 0}, good, "r: 0"},
		"pattern":           {map[string]any{"rank_pattern": map[string]any{"(?=p)": 2}}, good, "rank_pattern"},
		"another method":    {map[string]any{"peft_type": "IA3"}, good, "not LORA"},
		"PiSSA":             {map[string]any{"init_lora_weights": "pissa"}, good, "init_lora_weights"},
		"replication":       {map[string]any{"layer_replication": [][]int{{0, 2}}}, good, "layer_replication"},
		"future":            {map[string]any{"use_whatever": true}, good, "use_whatever"},
		"another module":    {map[string]any{"target_modules": []string{"q"}}, good, "target_modules"},
		"another name":      {map[string]any{"target_modules": "q.*"}, good, "target_modules"},
		"DoRA without":      {map[string]any{"use_dora": true}, good, "use_dora"},
		"half":              {nil, file(a), "only one"},
		"swapped":           {nil, file(named(b, a.Name), named(a, b.Name)), "rank 2"},
		"twice":             {nil, file(a, b, named(a, "base_model.model.model.p.lora_A.weight")), "twice"},
		"unknown tensor":    {nil, file(a, b, named(a, "base_model.model.p.lora_X.weight")), "not known"},
		"whole numbers":     {nil, file(mergesearch.Tensor{Name: a.Name, DType: mergesearch.I8, Shape: []int{1}, Data: []byte{1}}), "type I8"},
		"no tensors":        {nil, file(), "no tensors"},
		"no safetensors":    {nil, []byte("pickle"), "header"},
	} {
		dir := write(t, map[string][]byte{ConfigFile: configText(c.settings), WeightsFile: c.weights})
		attacktest.Adapter(t, what, dir)
		_, err := Open(dir)
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !bytes.Contains([]byte(err.Error()), []byte(c.want)) || in.File == "" {
			t.Errorf("%s: error %v, want one with a file about %q", what, err, c.want)
		}
	}
	for what, files := range map[string]map[string][]byte{
		"no configuration": {WeightsFile: good},
		"no weights":       {ConfigFile: configText(nil)},
		"a pickle":         {ConfigFile: configText(nil), "adapter_model.bin": good},
	} {
		dir := write(t, files)
		attacktest.Adapter(t, what, dir)
		_, err := Open(dir)
		var in *mergesearch.InputError
		if !errors.As(err, &in) || in.File == "" {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, c := range readGolden(f) {
		f.Add(c.Files[ConfigFile], "model.layers.1.self_attn.q_proj")
	}
	f.Add(configText(map[string]any{"rank_pattern": map[string]any{"a|b.*": 3}, "alpha_pattern": map[string]any{"p": 1e300}}), "a.p")
	f.Fuzz(func(t *testing.T, text []byte, module string) {
		c, err := parseConfig(text)
		var in *mergesearch.InputError
		if err != nil {
			if !errors.As(err, &in) {
				t.Errorf("%v is no InputError", err)
			}
			return
		}
		rank, _, err := c.scale(module)
		if err != nil && !errors.As(err, &in) || err == nil && (rank < 1 || rank > maxRank) {
			t.Errorf("rank %d, error %v", rank, err)
		}
		_ = c.targets(module)
	})
}

func BenchmarkApply(b *testing.B) {
	for _, rank := range []int{8, 64} {
		b.Run(fmt.Sprintf("rank %d", rank), func(b *testing.B) {
			one := func(int) float32 { return 0.5 }
			const n = 2048
			a, l := tensor("p.lora_A.weight", mergesearch.BF16, []int{rank, n}, one), tensor("p.lora_B.weight", mergesearch.BF16, []int{n, rank}, one)
			ad := open(b, map[string][]byte{ConfigFile: configText(map[string]any{"r": rank}), WeightsFile: file(a, l)})
			w := tensor("p.weight", mergesearch.BF16, []int{n, n}, one)
			x := ad.Apply("p.weight", w.Shape, mustView(&w))
			b.SetBytes(int64(len(w.Data)))
			for b.Loop() {
				for lo := 0; lo < n*n; lo += 1 << 16 {
					x.Slice(lo, lo+1<<16)
				}
			}
		})
	}
}
