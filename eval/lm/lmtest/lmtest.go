package lmtest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"mergesearch"
)

// Tensors is a set of tensors in memory.
type Tensors struct {
	All      map[string]mergesearch.Tensor
	released atomic.Int64
}

var _ mergesearch.Tensors = (*Tensors)(nil)

// Names returns the names in alphabetical order.
func (t *Tensors) Names() []string { return slices.Sorted(maps.Keys(t.All)) }

// Tensor returns the named tensor, or an error that names it.
func (t *Tensors) Tensor(name string) (mergesearch.Tensor, error) {
	if x, ok := t.All[name]; ok {
		return x, nil
	}
	return mergesearch.Tensor{}, fmt.Errorf("no tensor %s", name)
}

// Digest hashes names, types, shapes and data.
func (t *Tensors) Digest() string {
	h := sha256.New()
	for _, name := range t.Names() {
		x := t.All[name]
		fmt.Fprintf(h, "%s %s %v\n", name, x.DType, x.Shape)
		h.Write(x.Data)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Release counts its calls.
func (t *Tensors) Release() { t.released.Add(1) }

// Released returns how often Release was called.
func (t *Tensors) Released() int { return int(t.released.Load()) }

// Open reads the model in a directory: every .json file by base name, and the
// tensors of every .safetensors file.
func Open(dir string) (files map[string][]byte, t *Tensors, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	files, t = map[string][]byte{}, &Tensors{All: map[string]mergesearch.Tensor{}}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		switch {
		case err != nil:
			return nil, nil, err
		case strings.HasSuffix(e.Name(), ".json"):
			files[e.Name()] = data
		case strings.HasSuffix(e.Name(), ".safetensors"):
			if err := t.read(data); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", e.Name(), err)
			}
		}
	}
	return files, t, nil
}

func (t *Tensors) read(data []byte) error {
	n := binary.LittleEndian.Uint64(data)
	var header map[string]struct {
		DType   mergesearch.DType
		Shape   []int
		Offsets [2]int `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:8+n], &header); err != nil {
		return err
	}
	body := data[8+n:]
	for name, x := range header {
		if name != "__metadata__" {
			t.All[name] = mergesearch.Tensor{Name: name, DType: x.DType, Shape: x.Shape, Data: body[x.Offsets[0]:x.Offsets[1]]}
		}
	}
	return nil
}
