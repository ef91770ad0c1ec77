package mergetest

import (
	"math/rand/v2"
	"os"
	"path/filepath"

	"mergesearch"
	"mergesearch/merge/architecture/archtest"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// Families returns the names that Miniature takes: every family of architectures
// that is known, and variants such as "llama+tied".
func Families() []string { return archtest.Names() }

// Miniature writes a tiny model of a family to dir, which must not exist or be
// empty: config.json and tensors in the names, shapes and types that transformers
// stores, with weights drawn from the seed. Norms are near 1, the rest near 0.
// There is no tokenizer.
func Miniature(family string, seed uint64, dir string) error {
	m, err := archtest.Get(family)
	if err != nil {
		return err
	}
	w, err := safetensors.Create(dir, m.Tensors, safetensors.WriterOptions{ShardBytes: 1 << 40})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, t := range m.Tensors {
		if _, err := w.Write(drawn(t, seed)); err != nil {
			return err
		}
	}
	if err := w.AddFile("config.json", m.Config); err != nil {
		return err
	}
	if _, err := w.Commit(); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, safetensors.CompleteFile)) // models from elsewhere have none
}

// drawn returns the bytes of a tensor with random values, zeros where it is not
// floating.
func drawn(t mergesearch.Tensor, seed uint64) []byte {
	v := kernel.View{DType: t.DType, Data: make([]byte, t.Elements()*t.DType.Size())}
	if !t.DType.Float() {
		return v.Data
	}
	mean, spread := 0.0, 0.05
	if len(t.Shape) == 1 {
		mean, spread = 1, 0.1
	}
	r := rand.New(rand.NewPCG(seed, hash(t.Name)))
	x := make([]float32, t.Elements())
	for i := range x {
		x[i] = float32(mean + spread*r.NormFloat64())
	}
	kernel.Store(v, x)
	return v.Data
}
