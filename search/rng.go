package search

import (
	"math/rand"
	randv2 "math/rand/v2"
)

// stream returns the random numbers of one purpose: a PCG generator whose state
// is derived from the seed, the purpose and the keys (an index, an island, a
// generation). Equal arguments give equal streams, different ones independent
// streams, so no draw depends on how many were made elsewhere. The type is that
// of math/rand because eaopt's operators take it; its derived distributions are
// frozen by Go's compatibility promise.
func stream(seed uint64, purpose string, keys ...uint64) *rand.Rand {
	h := mix(seed)
	for _, b := range []byte(purpose) {
		h = mix(h ^ uint64(b))
	}
	h = mix(h ^ uint64(len(purpose))<<32)
	for _, k := range keys {
		h = mix(h ^ k)
	}
	return rand.New(source{randv2.NewPCG(h, mix(h))})
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast
// splittable pseudorandom number generators"), applied after its increment.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// source lets a generator of math/rand/v2 feed math/rand.
type source struct{ *randv2.PCG }

func (s source) Int63() int64 { return int64(s.Uint64() >> 1) }

// Seed refuses: a stream is derived, never reseeded.
func (s source) Seed(int64) { panic("search: a derived random stream cannot be reseeded") }
