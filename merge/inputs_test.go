package merge_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// writeModel writes a directory with these tensors and files.
func writeModel(t *testing.T, dir string, tensors []mergesearch.Tensor, files map[string]string) {
	t.Helper()
	w, err := safetensors.Create(dir, tensors, safetensors.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, x := range tensors {
		if _, err := w.Write(x.Data); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if err := w.AddFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func float32s(name string, shape []int, x ...float32) mergesearch.Tensor {
	v := kernel.View{DType: mergesearch.F32, Data: make([]byte, 4*len(x))}
	kernel.Store(v, x)
	return mergesearch.Tensor{Name: name, DType: mergesearch.F32, Shape: shape, Data: v.Data}
}

// Weights of 8 bits are multiplied by their scales while they are read; the result
// is bfloat16 and has no scales.
func TestScaledWeightsOfEightBits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	weight := mergesearch.Tensor{Name: "a.weight", DType: mergesearch.F8E4M3, Shape: []int{2, 2}, Data: []byte{0x38, 0x40, 0xb8, 0x30}} // 1, 2, -1, 0.5
	config := `{"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}, "torch_dtype": "bfloat16"}`
	writeModel(t, dir, []mergesearch.Tensor{weight, float32s("a.weight_scale_inv", []int{1, 1}, 3)}, map[string]string{"config.json": config})
	e := open(t, map[string]string{"m": dir})
	c := build(t, e, mergesearch.Passthrough("m", ""))
	x, err := c.Tensors.Tensor("a.weight")
	if err != nil || x.DType != mergesearch.BF16 || len(c.Tensors.Names()) != 1 {
		t.Fatalf("%v of %v, %v", x, c.Tensors.Names(), err)
	}
	for i, got := range values(t, c, "a.weight") {
		if want := []float32{3, 6, -3, 1.5}[i]; got != want {
			t.Errorf("element %d: %v, want %v", i, got, want)
		}
	}
	if bytes.Contains(c.Files["config.json"], []byte("quantization_config")) {
		t.Errorf("config.json %s", c.Files["config.json"])
	}
}

// Checkpoints whose stored numbers are not weights are refused by name.
func TestQuantisedCheckpointsAreRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	packed := mergesearch.Tensor{Name: "a.qweight", DType: mergesearch.I32, Shape: []int{1}, Data: make([]byte, 4)}
	writeModel(t, dir, []mergesearch.Tensor{packed, float32s("a.scales", []int{1}, 1)}, nil)
	_, err := merge.Open(merge.Options{Models: map[string]string{"m": dir}})
	wantInputError(t, err, dir, "a.qweight")
}

// writeLora writes an adapter of rank 2 and scale 2 for the queries of layer 1, and
// returns its directory and matrices.
func writeLora(t *testing.T) (dir string, a, b []float32) {
	t.Helper()
	const rank = 2
	a, b = make([]float32, rank*32), make([]float32, 32*rank)
	for i := range a {
		a[i], b[i] = float32(i%7)/8, float32(i%5)/16
	}
	dir = filepath.Join(t.TempDir(), "lora")
	prefix := "base_model.model.model.layers.1.self_attn.q_proj."
	writeModel(t, dir, []mergesearch.Tensor{float32s(prefix+"lora_A.weight", []int{rank, 32}, a...), float32s(prefix+"lora_B.weight", []int{32, rank}, b...)}, nil)
	config := `{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"]}`
	if err := os.Rename(filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "adapter_model.safetensors")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	return dir, a, b
}

// An adapter is applied to the result of a stage as to the checkpoint that it would
// be, and the result without it stays.
func TestAdapterOnAStage(t *testing.T) {
	lora, _, _ := writeLora(t)
	dirs, err := mergetest.Family(t.TempDir(), mergetest.Checkpoint{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	e, err := merge.Open(merge.Options{Models: dirs, Adapters: map[string]string{"first+" + lora: lora, "expert-a+" + lora: lora}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	first := weighted("ties", "base", "expert-a", "expert-b")
	first.Parameters["density"] = mergesearch.Number(0.4)
	last := weighted("linear", "", "first+"+lora, "first", "expert-b")
	last.Stages = []mergesearch.Stage{{Name: "first", Recipe: first}}
	got := build(t, e, last).Fingerprint

	by := map[string]string{"first": filepath.Join(t.TempDir(), "first"), "expert-b": dirs["expert-b"]}
	if _, err := e.Write(t.Context(), first, by["first"], merge.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	by["first+"+lora] = by["first"]
	other, err := merge.Open(merge.Options{Models: by, Adapters: map[string]string{"first+" + lora: lora}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	last.Stages = nil
	if want := build(t, other, last).Fingerprint; got != want {
		t.Errorf("in one go %s, through a checkpoint %s", got, want)
	}
	if build(t, other, weighted("linear", "", "first", "expert-b")).Fingerprint == build(t, other, weighted("linear", "", "first+"+lora, "expert-b")).Fingerprint {
		t.Error("the adapter changes nothing")
	}

	small, err := mergetest.Family(t.TempDir(), mergetest.Checkpoint{Layers: 1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if e, err = merge.Open(merge.Options{Models: small, Adapters: map[string]string{"first+" + lora: lora}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	last.Stages = []mergesearch.Stage{{Name: "first", Recipe: first}}
	wantInputError(t, e.Check(last), "adapter_model.safetensors", "model.layers.1.self_attn.q_proj")
}

// An adapter is applied while its model is read, also under a merge.
func TestAdapterIsAppliedWhileReading(t *testing.T) {
	const name, rank, scale = "model.layers.1.self_attn.q_proj.weight", 2, 4 / 2.0
	dirs := map[string]string{"plain": filepath.Join(t.TempDir(), "m"), "tuned": filepath.Join(t.TempDir(), "n")}
	for _, dir := range dirs {
		if err := (mergetest.Checkpoint{Seed: 3, DType: mergesearch.F32}).Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	lora, a, b := writeLora(t)
	e, err := merge.Open(merge.Options{Models: dirs, Adapters: map[string]string{"tuned": lora}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	plain, tuned := values(t, build(t, e, mergesearch.Passthrough("plain", "")), name), values(t, build(t, e, mergesearch.Passthrough("tuned", "")), name)
	r := weighted("linear", "", "plain", "tuned")
	middle := values(t, build(t, e, r), name)
	for i := range plain {
		row, column := i/32, i%32
		want := float64(plain[i])
		for k := range rank {
			want += scale * float64(b[row*rank+k]) * float64(a[k*32+column])
		}
		if math.Abs(float64(tuned[i])-want) > 1e-6 {
			t.Fatalf("element %d: %v, want %v", i, tuned[i], want)
		}
		if math.Abs(float64(middle[i])-(want+float64(plain[i]))/2) > 1e-6 {
			t.Fatalf("element %d of the merge: %v, want %v", i, middle[i], (want+float64(plain[i]))/2)
		}
	}
	if other := "model.layers.0.self_attn.q_proj.weight"; !bytes.Equal(data(t, build(t, e, mergesearch.Passthrough("tuned", "")).Tensors, other), data(t, build(t, e, mergesearch.Passthrough("plain", "")).Tensors, other)) {
		t.Error("a tensor that the adapter does not touch has changed")
	}
}
