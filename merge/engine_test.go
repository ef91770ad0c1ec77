package merge_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/kernel/cuda/cudatest"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// family opens a small family of a base and three experts.
func family(t testing.TB, base mergetest.Checkpoint, o merge.Options) *merge.Engine {
	t.Helper()
	dirs, err := mergetest.Family(t.TempDir(), base, 3)
	if err != nil {
		t.Fatal(err)
	}
	o.Models, o.Base, o.Device = dirs, "base", cmp.Or(o.Device, gpuIfAsked(t))
	e, err := merge.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// gpuIfAsked is the GPU when tests run there (-cuda), so that what they want of the CPU is
// wanted of it.
func gpuIfAsked(t testing.TB) *kernel.Device {
	if !cudatest.OnGPU() {
		return nil
	}
	return gpu(t)
}

func recipe(method, base string, models ...string) mergesearch.Recipe {
	r := mergesearch.Recipe{Method: method, Base: base, Parameters: map[string]mergesearch.Setting{}}
	for _, m := range models {
		r.Models = append(r.Models, mergesearch.Input{Model: m, Parameters: map[string]mergesearch.Setting{}})
	}
	return r
}

// writeTensors writes a model directory with these float32 tensors.
func writeTensors(t *testing.T, dir string, tensors map[string][]float32, shape ...int) {
	t.Helper()
	var specs []mergesearch.Tensor
	for name, x := range tensors {
		s := mergesearch.Tensor{Name: name, DType: mergesearch.F32, Shape: shape}
		for _, v := range x {
			s.Data = binary.LittleEndian.AppendUint32(s.Data, math.Float32bits(v))
		}
		specs = append(specs, s)
	}
	w, err := safetensors.Create(dir, specs, safetensors.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, s := range specs {
		if _, err := w.Write(s.Data); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func floats(t *testing.T, c mergesearch.Candidate, name string) []float32 {
	t.Helper()
	x, err := c.Tensors.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, x.Elements())
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(x.Data[4*i:]))
	}
	return out
}

// The vectors were produced by running mergekit in float32 on these tensors
// (linear, task_arithmetic, ties and dare_ties, of the commit a6e40288).
func TestGoldenVectors(t *testing.T) {
	base := []float32{1, -1, .5, 2, 0, .25, -.75, 1.5, -2, 3}
	add := func(d []float32) []float32 {
		x := make([]float32, len(d))
		for i := range d {
			x[i] = base[i] + d[i]
		}
		return x
	}
	dir := t.TempDir()
	models := map[string]string{}
	for name, x := range map[string][]float32{
		"base": base,
		"A":    add([]float32{.10, -.20, .30, -.40, .50, -.05, .15, -.25, .35, -.45}),
		"B":    add([]float32{-.30, .10, .20, .60, -.40, .25, -.05, .45, .15, .55}),
	} {
		models[name] = filepath.Join(dir, name)
		writeTensors(t, models[name], map[string][]float32{"w": x}, 2, 5)
	}
	e, err := merge.Open(merge.Options{Models: models, Base: "base"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		name, method string
		global       map[string]float64
		density      float64
		want         []float32
	}{
		{"linear", "linear", nil, 0, []float32{.933333278, -1.07499993, .758333266, 2.01666665, .124999985, .324999988, -.683333337, 1.54166663, -1.73333323, 2.96666646}},
		{"linear not normalized", "linear", map[string]float64{"normalize": 0}, 0, []float32{1.12, -1.28999996, .909999967, 2.42000008, .149999991, .389999986, -.820000052, 1.85000002, -2.07999992, 3.55999994}},
		{"task arithmetic", "task_arithmetic", map[string]float64{"lambda": .8}, 0, []float32{.936, -1.07200003, .748000026, 2.01600003, .119999997, .321999997, -.685999990, 1.53999996, -1.74399996, 2.96799994}},
		{"ties", "ties", nil, .6, []float32{.7, -1, .8, 2.6, .5, .5, -.75, 1.95, -1.65, 2.55}},
		{"dare_ties with density 1", "dare_ties", nil, 1, []float32{.85, -1.14, .81, 2.3, .35, .375, -.645, 1.725, -1.68, 2.685}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := recipe(c.method, "base", "A", "B")
			if c.method == "linear" {
				r.Base = ""
			}
			for i, w := range []float64{.7, .5} {
				r.Models[i].Parameters["weight"] = mergesearch.Number(w)
				if c.density > 0 {
					r.Models[i].Parameters["density"] = mergesearch.Number(c.density)
				}
			}
			for name, v := range c.global {
				r.Parameters[name] = mergesearch.Number(v)
			}
			got, err := e.Build(context.Background(), "c0000", r)
			if err != nil {
				t.Fatal(err)
			}
			defer got.Release()
			for i, g := range floats(t, got, "w") {
				if math.Abs(float64(g-c.want[i])) > 1e-6*math.Max(1, math.Abs(float64(c.want[i]))) {
					t.Errorf("element %d: got %v, want %v", i, g, c.want[i])
				}
			}
		})
	}
}

func TestWriteGivesACompleteDirectory(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 3, Untied: true, Buffer: true}, merge.Options{})
	r := recipe("ties", "base", "expert-a", "expert-b", "expert-c")
	r.Parameters["density"] = mergesearch.Number(0.3)
	r.Parameters["weight"] = mergesearch.Number(0.9)
	r.DType = "float16"
	out := filepath.Join(t.TempDir(), "out")
	report, err := e.Write(context.Background(), r, out, merge.WriteOptions{ShardBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	built, err := e.Build(context.Background(), "c0001", r)
	if err != nil {
		t.Fatal(err)
	}
	defer built.Release()
	c, err := safetensors.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if report.SHA256 != built.Fingerprint || c.Digest() != built.Fingerprint {
		t.Errorf("written %s, read %s, built %s", report.SHA256, c.Digest(), built.Fingerprint)
	}
	for _, name := range []string{"config.json", "recipe.yaml", "README.md", "COMPLETE", "model.safetensors.index.json"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(files["config.json"], []byte(`"torch_dtype": "float16"`)) || !bytes.Equal(files["config.json"], built.Files["config.json"]) {
		t.Errorf("config.json:\n%s", files["config.json"])
	}
	again, err := merge.ReadRecipe(filepath.Join(out, "recipe.yaml"))
	if err != nil || again.ID() != r.ID() {
		t.Errorf("recipe.yaml gives recipe %s, %v, want %s", again.ID(), err, r.ID())
	}
	var in *mergesearch.InputError
	if _, err := e.Write(context.Background(), r, out, merge.WriteOptions{}); !errors.As(err, &in) {
		t.Errorf("writing over a model gives %v, want an input error", err)
	}
}

// A recipe in which models are named by directory draws the masks of one in which
// they are named by folder, and adds in the same order.
func TestDirectoriesAndFoldersNameTheSameModels(t *testing.T) {
	dir := t.TempDir()
	names := []string{"base", "zebra", "apple"}
	byName, byPath := map[string]string{}, map[string]string{}
	for i, name := range names {
		path := filepath.Join(dir, []string{"x", "a", "m"}[i], name) // directories sort otherwise than folders
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := (mergetest.Checkpoint{Seed: uint64(i)}).Write(path); err != nil {
			t.Fatal(err)
		}
		byName[name], byPath[path] = path, path
	}
	recipe := mergesearch.Recipe{
		Method: "dare_linear", Base: "base", Seed: 9, DType: "bfloat16",
		Models: []mergesearch.Input{
			{Model: "zebra", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(0.7), "density": mergesearch.Number(0.5)}},
			{Model: "apple", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(0.4), "density": mergesearch.Number(0.5)}},
		},
	}
	var fingerprints []string
	for _, c := range []struct {
		models map[string]string
		recipe mergesearch.Recipe
	}{{byName, recipe}, {byPath, recipe.Renamed(func(name string) string { return byName[name] })}} {
		e, err := merge.Open(merge.Options{Models: c.models})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		built, err := e.Build(t.Context(), "c0000", c.recipe)
		if err != nil {
			t.Fatal(err)
		}
		defer built.Release()
		fingerprints = append(fingerprints, built.Fingerprint)
	}
	if fingerprints[0] != fingerprints[1] {
		t.Errorf("named by folder %s, by directory %s", fingerprints[0], fingerprints[1])
	}
}
