package evaltest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"
)

// The weights of a Model are three tensors, so that a server can mix those of two
// models up: "first" and "second" make the seed together, "answers" holds the
// answers as JSON, filled up with zeros.
const (
	answerBytes = 4096
	blobBytes   = 8 + 8 + answerBytes
)

// WeightsFile is the file of a directory that WriteWeights writes.
const WeightsFile = "model.safetensors"

func second(first uint64) uint64 { return xxh3.HashStringSeed("second", first) }

// mixed returns the seed of weights of which each half may be another model's.
func mixed(a, b uint64) uint64 {
	if b == second(a) {
		return a
	}
	return xxh3.HashStringSeed("mixed", a^b*3)
}

// flatSeed stands for a Flat model.
const flatSeed = 1<<64 - 1

// blob returns the bytes of the three tensors.
func (m Model) blob() []byte {
	b := make([]byte, blobBytes)
	seed := m.Seed
	if m.Flat {
		seed = flatSeed
	}
	binary.LittleEndian.PutUint64(b, seed)
	binary.LittleEndian.PutUint64(b[8:], second(seed))
	answers, err := json.Marshal(m.Answers)
	if err != nil || len(answers) > answerBytes {
		panic("evaltest: a model that knows too much")
	}
	copy(b[16:], answers)
	return b
}

// modelOf reads the bytes of the three tensors.
func modelOf(b []byte) (Model, error) {
	m := Model{Seed: mixed(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))}
	m.Flat = m.Seed == flatSeed
	answers := bytes.TrimRight(b[16:blobBytes], "\x00")
	if len(answers) == 0 {
		return m, nil
	}
	return m, json.Unmarshal(answers, &m.Answers)
}

// WriteWeights writes a model into a new directory: a small safetensors file,
// config.json and tokenizer.json.
func WriteWeights(dir string, m Model) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	header := fmt.Appendf(nil, `{"first":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"second":{"dtype":"I64","shape":[1],"data_offsets":[8,16]},"answers":{"dtype":"U8","shape":[%d],"data_offsets":[16,%d]}}`, answerBytes, blobBytes)
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	file = append(append(file, header...), m.blob()...)
	for name, data := range map[string][]byte{WeightsFile: file, "config.json": []byte("{}"), "tokenizer.json": TokenizerJSON} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// readBlob reads what WriteWeights wrote. A file that ends early is read as far as
// it goes and filled up with zeros: a careless server's way.
func readBlob(dir string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, WeightsFile))
	if err != nil {
		return nil, err
	}
	if len(data) < 8 || uint64(len(data)-8) < binary.LittleEndian.Uint64(data) {
		return nil, fmt.Errorf("%s: no header", dir)
	}
	b := make([]byte, blobBytes)
	copy(b, data[8+binary.LittleEndian.Uint64(data):])
	return b, nil
}

// WriteGGUF writes a model as a small GGUF file of one tensor.
func WriteGGUF(path string, m Model) error {
	u32, u64 := binary.LittleEndian.AppendUint32, binary.LittleEndian.AppendUint64
	text := func(b []byte, s string) []byte { return append(u64(b, uint64(len(s))), s...) }
	b := u64(u64(u32([]byte("GGUF"), 3), 1), 2) // version, tensors, metadata
	b = text(u32(text(b, "general.architecture"), 8), "llama")
	b = u32(u64(u32(u32(text(b, "tokenizer.ggml.scores"), 9), 6), 1), 0) // an array of one float32
	b = u64(u32(text(b, "weights"), 1), blobBytes)                       // one dimension
	b = u64(u32(b, 24), 0)                                               // type I8 at offset 0
	for len(b)%32 != 0 {
		b = append(b, 0)
	}
	return os.WriteFile(path, append(b, m.blob()...), 0o644)
}
