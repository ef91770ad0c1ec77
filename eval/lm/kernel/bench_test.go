package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"mergesearch/eval/lm/kernel"
)

// BenchmarkMatMul compares the shapes of the quickstart's engine (hidden 128,
// intermediate 320, vocabulary 355) with a large product, which is the best that
// the kernel reaches, on one thread.
//
//	go test ./eval/lm/kernel -run - -bench MatMul
func BenchmarkMatMul(b *testing.B) {
	shapes := []struct {
		name string
		n, k int
	}{{"qkv", 256, 128}, {"out", 128, 128}, {"gate_up", 640, 128}, {"down", 128, 320}, {"head", 355, 128}}
	large := benchProduct(b, "large", 1024, 1024, 1024, 0)
	for _, s := range shapes {
		for _, m := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} {
			benchProduct(b, s.name, m, s.n, s.k, large)
		}
	}
}

// benchProduct reports the rate and, if large is known, its ratio to it.
func benchProduct(b *testing.B, name string, m, n, k int, large float64) (rate float64) {
	b.Run(fmt.Sprintf("%s/m=%d", name, m), func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 2))
		w := randomPacked(r, n, k)
		x, out := randomFloats(r, m*k), make([]float32, m*n)
		for b.Loop() {
			kernel.MatMul(out, x, w, nil, false, m)
		}
		rate = 2 * float64(m) * float64(n) * float64(k) * float64(b.N) / b.Elapsed().Seconds() / 1e9
		b.ReportMetric(rate, "GFLOP/s")
		if large > 0 {
			b.ReportMetric(rate/large, "of-large")
		}
	})
	return rate
}

// BenchmarkGonum is the reference: gonum's float32 product, which uses all cores.
func BenchmarkGonum(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 1024
	x, y, out := randomFloats(r, n*n), randomFloats(r, n*n), make([]float32, n*n)
	general := func(d []float32) blas32.General { return blas32.General{Rows: n, Cols: n, Stride: n, Data: d} }
	for b.Loop() {
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, general(x), general(y), 0, general(out))
	}
	b.ReportMetric(2*n*n*n*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}
