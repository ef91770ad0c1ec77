package merge

import (
	"errors"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge/safetensors"
)

func TestStoredNumbersThatAreNoWeights(t *testing.T) {
	eight, float := mergesearch.F8E4M3, mergesearch.F32
	for what, c := range map[string]struct {
		tensors map[string]mergesearch.DType
		field   string // of the refusal; empty for none
	}{
		"8 bits as they are": {map[string]mergesearch.DType{"a.weight": eight}, ""},
		"with a scale":       {map[string]mergesearch.DType{"a.weight": eight, "a.weight_scale_inv": float}, "a.weight"},
		"GPTQ":               {map[string]mergesearch.DType{"a.qweight": mergesearch.I32, "a.scales": float}, "a.qweight"},
	} {
		var specs []mergesearch.Tensor
		for name, dtype := range c.tensors {
			specs = append(specs, mergesearch.Tensor{Name: name, DType: dtype, Shape: []int{1}})
		}
		dir := filepath.Join(t.TempDir(), "m")
		w, err := safetensors.Create(dir, specs, safetensors.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range specs {
			if _, err := w.Write(make([]byte, s.DType.Size())); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		e, err := Open(Options{Models: map[string]string{"m": dir}, Base: "m"})
		if e != nil {
			e.Close()
		}
		var in *mergesearch.InputError
		if c.field == "" && err != nil || c.field != "" && (!errors.As(err, &in) || in.Field != c.field || in.File == "") {
			t.Errorf("%s: error %v, want one about %q", what, err, c.field)
		}
	}
}
