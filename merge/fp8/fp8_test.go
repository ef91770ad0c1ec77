package fp8

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/merge/attacktest"
	"mergesearch/merge/kernel"
)

// scaleAt is the scale of an element, said as the formats say it.
func scaleAt(scale []float32, shape, scaleShape []int, block [2]int, element int) float32 {
	rows, columns := shape[len(shape)-2], shape[len(shape)-1]
	matrix, row, column := element/(rows*columns), element/columns%rows, element%columns
	switch {
	case len(scale) == 1:
		return scale[0]
	case len(scaleShape) == 1 || scaleShape[len(scaleShape)-2] == rows && scaleShape[len(scaleShape)-1] == 1:
		return scale[matrix*rows+row]
	case scaleShape[len(scaleShape)-2] == 1 && scaleShape[len(scaleShape)-1] == 1:
		return scale[matrix]
	}
	down, across := scaleShape[len(scaleShape)-2], scaleShape[len(scaleShape)-1]
	return scale[matrix*down*across+row/block[0]*across+column/block[1]]
}

func TestReference(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rows, columns := rapid.IntRange(1, 40).Draw(r, "rows"), rapid.IntRange(1, 600).Draw(r, "columns")
		block := [2]int{rapid.IntRange(2, 20).Draw(r, "height"), rapid.IntRange(2, 300).Draw(r, "width")}
		blocks := []int{ceil(rows, block[0]), ceil(columns, block[1])}
		shape, scaleShape := []int{rows, columns}, rapid.SampledFrom([][]int{{}, {1}, {rows}, {rows, 1}, blocks}).Draw(r, "scales")
		if stack := rapid.IntRange(1, 3).Draw(r, "stack"); stack > 1 {
			shape = append([]int{stack}, shape...)
			scaleShape = append([]int{stack}, rapid.SampledFrom([][]int{{1, 1}, {rows, 1}, blocks}).Draw(r, "scales of matrices")...)
		}
		dtype := rapid.SampledFrom([]mergesearch.DType{mergesearch.F8E4M3, mergesearch.F8E5M2}).Draw(r, "type")
		scaleType := rapid.SampledFrom([]mergesearch.DType{mergesearch.F32, mergesearch.BF16}).Draw(r, "scale type")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		x := kernel.View{DType: dtype, Data: make([]byte, mergesearch.Tensor{Shape: shape}.Elements())}
		for i := range x.Data {
			x.Data[i] = byte(random.UintN(256)) // NaN and infinities too
		}
		s := make([]float32, mergesearch.Tensor{Shape: scaleShape}.Elements())
		for i := range s {
			s[i] = float32(random.ExpFloat64())
		}
		scale := kernel.View{DType: scaleType, Data: make([]byte, len(s)*scaleType.Size())}
		kernel.Store(scale, s)
		s = kernel.Load(scale)

		d, err := Dequantise("w", x, shape, scale, scaleShape, block)
		if err != nil {
			r.Fatal(err)
		}
		codes := kernel.Load(x)
		lo := rapid.IntRange(0, d.Len()).Draw(r, "lo")
		hi := rapid.IntRange(lo, d.Len()).Draw(r, "hi")
		for i, got := range kernel.Load(d.Slice(lo, hi)) {
			want := codes[lo+i] * scaleAt(s, shape, scaleShape, block, lo+i)
			if math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
				r.Fatalf("element %d is %v, want %v", lo+i, got, want)
			}
		}
	})
}

// DeepSeek's blocks are 128 by 128 where nobody says otherwise.
func TestDefaultBlock(t *testing.T) {
	shape := []int{130, 129}
	x := kernel.View{DType: mergesearch.F8E4M3, Data: make([]byte, 130*129)}
	for i := range x.Data {
		x.Data[i] = 0x38 // 1
	}
	scale := kernel.View{DType: mergesearch.F32, Data: make([]byte, 16)}
	kernel.Store(scale, []float32{1, 2, 3, 4})
	d, err := Dequantise("w", x, shape, scale, []int{2, 2}, [2]int{})
	if err != nil {
		t.Fatal(err)
	}
	got := kernel.Load(d.Slice(0, d.Len()))
	for place, want := range map[[2]int]float32{{0, 0}: 1, {127, 127}: 1, {0, 128}: 2, {128, 127}: 3, {129, 128}: 4} {
		if v := got[place[0]*129+place[1]]; v != want {
			t.Errorf("%v is %v, want %v", place, v, want)
		}
	}
}

func TestDequantiseRefuses(t *testing.T) {
	x := kernel.View{DType: mergesearch.F8E4M3, Data: make([]byte, 12)}
	scale := kernel.View{DType: mergesearch.F32, Data: make([]byte, 8)}
	for what, err := range map[string]error{
		"16 bits":     second(Dequantise("w", scale, []int{2}, scale, []int{2}, [2]int{})),
		"scale type":  second(Dequantise("w", x, []int{3, 4}, kernel.View{DType: mergesearch.I8, Data: []byte{1}}, nil, [2]int{})),
		"two of rows": second(Dequantise("w", x, []int{3, 4}, scale, []int{2}, [2]int{})),
		"no blocks":   second(Dequantise("w", x, []int{3, 4}, scale, []int{1, 2}, [2]int{})),
		"scalar":      second(Dequantise("w", x.Slice(0, 1), nil, scale, []int{1}, [2]int{})),
	} {
		var in *mergesearch.InputError
		if !errors.As(err, &in) || in.Field != "w" {
			t.Errorf("%s: error %v, want one that names w", what, err)
		}
	}
	if err := second(Dequantise("w", x, []int{3, 4}, scale, []int{1, 2}, [2]int{3, 2})); err != nil {
		t.Errorf("blocks of 3 by 2: %v", err)
	}
}

func second(_ kernel.Source, err error) error { return err }

func TestCompanions(t *testing.T) {
	types := map[string]mergesearch.DType{
		"a.weight": mergesearch.F8E4M3, "a.weight_scale_inv": mergesearch.F32,
		"b.weight": mergesearch.F8E5M2, "b.weight_scale": mergesearch.BF16, "b.input_scale": mergesearch.F32,
		"c.weight": mergesearch.F8E4M3,
		"d.weight": mergesearch.BF16, "d.weight_scale": mergesearch.F32, // not of 8 bits: a tensor like any other
	}
	var names []string
	for n := range types {
		names = append(names, n)
	}
	got := Companions(names, func(n string) (mergesearch.DType, []int) { return types[n], nil })
	if want := map[string]string{"a.weight": "a.weight_scale_inv", "b.weight": "b.weight_scale"}; !maps.Equal(got, want) {
		t.Errorf("companions %v, want %v", got, want)
	}
	consumed := Consumed(names, got)
	if want := map[string]bool{"a.weight_scale_inv": true, "b.weight_scale": true, "b.input_scale": true}; !maps.Equal(consumed, want) {
		t.Errorf("consumed %v, want %v", consumed, want)
	}
	if n := len(Consumed(names, nil)); n != 0 {
		t.Errorf("%d consumed without companions", n)
	}
}

func TestRefuse(t *testing.T) {
	for name, format := range map[string]string{
		"model.layers.0.mlp.up_proj.qweight":                              "GPTQ or AWQ",
		"model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4": "bitsandbytes 4-bit",
		"model.layers.0.mlp.up_proj.weight.absmax":                        "bitsandbytes 4-bit",
		"model.layers.0.mlp.up_proj.SCB":                                  "bitsandbytes 8-bit",
		"model.layers.0.mlp.experts.gate_up_proj_blocks":                  "MXFP4",
		"model.layers.0.mlp.up_proj.weight":                               "",
		"model.layers.0.mlp.up_proj.weight_scale":                         "",
		"model.layers.0.mlp.up_proj.weight_packed":                        "compressed-tensors",
		"transformer.h.0.attn.bias":                                       "",
	} {
		err := Refuse([]string{"model.norm.weight", name})
		var in *mergesearch.InputError
		if format == "" && err != nil || format != "" && (!errors.As(err, &in) || in.Field != name || !strings.Contains(in.Problem, format)) {
			t.Errorf("%s: %v, want %q", name, err, format)
		}
	}
}

func TestReadConfig(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "[0 0]",
		`{"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 64]}}`: "[128 64]",
		`{"quantization_config": {"quant_method": "fbgemm_fp8"}}`:                          "[0 0]",
		`{"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights":
			{"type": "float", "num_bits": 8, "block_structure": [16, 32]}}}}}`: "[16 32]",
		`{"quantization_config": {"quant_method": "gptq", "bits": 4}}`:                                                                               "gptq",
		`{"quantization_config": {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 4}}}}}`: "int",
		`{"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 1]}}`:                                                              "blocks",
		`{"quantization_config": 3}`: "cannot be read",
	} {
		block, err := ReadConfig([]byte(text))
		got := fmt.Sprint(block)
		var in *mergesearch.InputError
		if errors.As(err, &in) {
			attacktest.Config(t, want, []byte(text))
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestWithoutQuantisation(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": 1, "quantization_config": {"b": [2]}, "c": 3}`: `{"a": 1, "c": 3}`,
		`{"quantization_config": {} , "c": 3}`:                `{ "c": 3}`,
		`{"quantization_config": null}`:                       `{}`,
		`{"a": 1, "quantization_config": {}}`:                 `{"a": 1}`,
		`{"a": {"quantization_config": 1}}`:                   `{"a": {"quantization_config": 1}}`,
		`no object`:                                           `no object`,
	} {
		if got := string(WithoutQuantisation([]byte(text))); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}
