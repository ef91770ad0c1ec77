package safetensors

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// TensorDigest is one line of a manifest.
type TensorDigest struct {
	Name  string            `json:"name"`
	DType mergesearch.DType `json:"dtype"`
	Shape []int             `json:"shape"`
	XXH3  string            `json:"xxh3"` // of the data: xxh3-128, 32 hexadecimal digits
}

// Digests collects the manifest of a set of tensors.
type Digests struct{ entries []TensorDigest }

// Add hashes a tensor's data and adds it.
func (d *Digests) Add(t mergesearch.Tensor) {
	d.AddHashed(t.Name, t.DType, t.Shape, xxh3.Hash128(t.Data))
}

// AddHashed adds a tensor whose data was hashed elsewhere.
func (d *Digests) AddHashed(name string, dtype mergesearch.DType, shape []int, sum xxh3.Uint128) {
	b := sum.Bytes()
	d.entries = append(d.entries, TensorDigest{Name: name, DType: dtype, Shape: shape, XXH3: hex.EncodeToString(b[:])})
}

// Sorted returns the manifest, sorted by name.
func (d *Digests) Sorted() []TensorDigest {
	slices.SortFunc(d.entries, func(a, b TensorDigest) int { return cmp.Compare(a.Name, b.Name) })
	return d.entries
}

// Digest returns the SHA-256, in hexadecimal, of the sorted manifest: for each
// tensor a line of name, type, shape and xxh3-128 digest, quoted and separated so
// that no two manifests share a text. It depends on the contents alone, not on
// order or shards.
func (d *Digests) Digest() string {
	h := sha256.New()
	for _, e := range d.Sorted() {
		shape := e.Shape
		if shape == nil {
			shape = []int{}
		}
		_, _ = io.WriteString(h, fmt.Sprintf("%q %s %v %s\n", e.Name, e.DType, shape, e.XXH3)) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}
