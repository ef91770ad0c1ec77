package kernel_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"mergesearch"
	"mergesearch/eval/lm/kernel"
)

func randomFloats(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func randomPacked(r *rand.Rand, n, k int) *kernel.Packed { return packed(randomFloats(r, n*k), n, k) }

func packed(w []float32, n, k int) *kernel.Packed {
	p := &kernel.Packed{N: n, K: k, Data: make([]float32, kernel.PackedLen(n, k))}
	p.Pack(0, encode(w), mergesearch.F32, n)
	return p
}

func encode(w []float32) []byte {
	b := make([]byte, 0, len(w)*4)
	for _, x := range w {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}
