package archtest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mergesearch"
	"mergesearch/merge/safetensors"
)

//go:embed testdata/miniatures.json
var text []byte

// Miniature is what transformers stores for a tiny model.
type Miniature struct {
	Name    string // family, or family+variant
	Config  []byte // config.json
	Tensors []mergesearch.Tensor
}

// Family returns the name of the family without that of the variant.
func (m Miniature) Family() string {
	family, _, _ := strings.Cut(m.Name, "+")
	return family
}

// TensorNames returns the names of the tensors, in the order of use.
func (m Miniature) TensorNames() []string {
	var out []string
	for _, t := range m.Tensors {
		out = append(out, t.Name)
	}
	return out
}

// Version returns the release of transformers that wrote the data.
func Version() string { return all().version }

// Names returns the names of all miniatures, sorted.
func Names() []string {
	var out []string
	for _, m := range all().miniatures {
		out = append(out, m.Name)
	}
	slices.Sort(out)
	return out
}

// Get returns the miniature of a name, tensors in the order of use and without
// data.
func Get(name string) (Miniature, error) {
	for _, m := range all().miniatures {
		if m.Name == name {
			m.Config, m.Tensors = slices.Clone(m.Config), slices.Clone(m.Tensors)
			return m, nil
		}
	}
	return Miniature{}, fmt.Errorf("no miniature %q, there are %s", name, strings.Join(Names(), ", "))
}

type data struct {
	version    string
	miniatures []Miniature
}

var all = sync.OnceValue(func() data {
	d, err := parse(text)
	if err != nil {
		panic("archtest: " + err.Error())
	}
	return d
})

func parse(text []byte) (data, error) {
	var file struct {
		Transformers string
		Miniatures   []struct {
			Family  string
			Config  json.RawMessage
			Tensors [][]json.RawMessage // each a name with ranges, a type and a shape
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return data{}, err
	}
	d := data{version: file.Transformers}
	for _, f := range file.Miniatures {
		m := Miniature{Name: f.Family, Config: f.Config}
		byName := map[string]mergesearch.Tensor{}
		for _, line := range f.Tensors {
			t, err := parseTensor(line)
			if err != nil {
				return data{}, fmt.Errorf("%s: %w", f.Family, err)
			}
			for _, name := range unfold(t.Name) {
				t.Name = name
				byName[name] = t
				m.Tensors = append(m.Tensors, t)
			}
		}
		if len(byName) != len(m.Tensors) {
			return data{}, fmt.Errorf("%s: a tensor comes twice", f.Family)
		}
		names := m.TensorNames()
		safetensors.SortNames(names)
		for i, name := range names {
			m.Tensors[i] = byName[name]
		}
		d.miniatures = append(d.miniatures, m)
	}
	return d, nil
}

func parseTensor(line []json.RawMessage) (t mergesearch.Tensor, err error) {
	if len(line) != 3 {
		return t, fmt.Errorf("a tensor has a name, a type and a shape, not %d items", len(line))
	}
	for i, into := range []any{&t.Name, &t.DType, &t.Shape} {
		if err := json.Unmarshal(line[i], into); err != nil {
			return t, err
		}
	}
	return t, nil
}

// unfold writes out the ranges of a name: "h.{0-2}.w" gives "h.0.w", "h.1.w" and
// "h.2.w".
func unfold(name string) []string {
	head, tail, ok := strings.Cut(name, "{")
	if !ok {
		return []string{name}
	}
	numbers, tail, _ := strings.Cut(tail, "}")
	from, to, _ := strings.Cut(numbers, "-")
	lo, errLo := strconv.Atoi(from)
	hi, errHi := strconv.Atoi(to)
	if errLo != nil || errHi != nil || lo > hi {
		panic("archtest: bad range in " + name)
	}
	var out []string
	for n := lo; n <= hi; n++ {
		for _, rest := range unfold(tail) {
			out = append(out, head+strconv.Itoa(n)+rest)
		}
	}
	return out
}
