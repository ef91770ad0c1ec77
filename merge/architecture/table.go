package architecture

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed table.yaml
var tableText []byte

// family is one entry of the table; its head describes the fields' patterns.
type family struct {
	Name    string   `yaml:"name"`
	Like    string   `yaml:"like"`    // the family that lends the fields below that are not given
	Classes []string `yaml:"classes"` // values of architectures[0]
	Types   []string `yaml:"types"`   // values of model_type

	Layers     []layers   `yaml:"layers"`
	Vocabulary []string   `yaml:"vocabulary"`  // keys of the number of tokens
	Tie        []string   `yaml:"tie"`         // keys that say whether head and embedding are one
	Experts    []string   `yaml:"experts"`     // keys of the number of routed experts
	Tied       [][]string `yaml:"tied"`        // tensors that may be one
	Embeddings []string   `yaml:"embeddings"`  // matrices with a row for each token
	HeadBiases []string   `yaml:"head_biases"` // vectors with an element for each token
	Before     []string   `yaml:"before"`      // used before the layers
	After      []string   `yaml:"after"`       // used after the layers
	Optional   []string   `yaml:"optional"`    // absent from some models
	Spellings  [][]string `yaml:"spellings"`   // beginnings of names that mean the same, the first as in the table
	Endings    [][]string `yaml:"endings"`     // ends of names that mean the same
	Modules    []module   `yaml:"modules"`
}

// layers is one stack of layers.
type layers struct {
	Stack string   `yaml:"stack"` // what stands before the number in a name
	Count []string `yaml:"count"` // keys of the number of layers
	Extra []string `yaml:"extra"` // keys of the number of layers that may be stored behind them
	Lists []string `yaml:"lists"` // keys of lists with an item for each layer
}

// module is a part of a model of several.
type module struct {
	Name    string   `yaml:"name"`
	Tensors []string `yaml:"tensors"`
}

// table finds families by class and by model type.
type table struct {
	families []*family
	classes  map[string]*family
	types    map[string]*family
}

// theTable is the embedded table. A broken one is a bug.
var theTable = sync.OnceValue(func() *table {
	t, err := parseTable(tableText)
	if err != nil {
		panic("architecture: " + err.Error())
	}
	return t
})

func parseTable(text []byte) (*table, error) {
	t := &table{classes: map[string]*family{}, types: map[string]*family{}}
	if err := yaml.UnmarshalWithOptions(text, &t.families, yaml.Strict()); err != nil {
		return nil, err
	}
	named := map[string]*family{}
	for i, f := range t.families {
		if f == nil || f.Name == "" {
			return nil, fmt.Errorf("entry %d has no name", i)
		}
		if named[f.Name] != nil {
			return nil, fmt.Errorf("%s: named twice", f.Name)
		}
		if f.Like != "" {
			lender := named[f.Like]
			if lender == nil {
				return nil, fmt.Errorf("%s: like %q, which does not stand before it", f.Name, f.Like)
			}
			f.borrow(lender)
		}
		if err := f.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		named[f.Name] = f
		if err := t.add(f); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *table) add(f *family) error {
	for _, list := range []struct {
		index map[string]*family
		words []string
	}{{t.classes, f.Classes}, {t.types, f.Types}} {
		for _, w := range list.words {
			if other := list.index[w]; other != nil {
				return fmt.Errorf("%s: %s belongs to %s", f.Name, w, other.Name)
			}
			list.index[w] = f
		}
	}
	return nil
}

// borrow takes from another family what f does not give.
func (f *family) borrow(from *family) {
	for _, field := range []struct{ to, from *[]string }{
		{&f.Vocabulary, &from.Vocabulary},
		{&f.Tie, &from.Tie},
		{&f.Experts, &from.Experts},
		{&f.Embeddings, &from.Embeddings},
		{&f.HeadBiases, &from.HeadBiases},
		{&f.Before, &from.Before},
		{&f.After, &from.After},
		{&f.Optional, &from.Optional},
	} {
		if *field.to == nil {
			*field.to = *field.from
		}
	}
	for _, field := range []struct{ to, from *[][]string }{
		{&f.Tied, &from.Tied},
		{&f.Spellings, &from.Spellings},
		{&f.Endings, &from.Endings},
	} {
		if *field.to == nil {
			*field.to = *field.from
		}
	}
	if f.Layers == nil {
		f.Layers = from.Layers
	}
	if f.Modules == nil {
		f.Modules = from.Modules
	}
}

// check refuses an entry that says too little, or contradicts itself.
func (f *family) check() error {
	switch {
	case len(f.Classes) == 0 || len(f.Types) == 0:
		return fmt.Errorf("needs classes and types")
	case len(f.Layers) == 0 || len(f.Vocabulary) == 0 || len(f.Embeddings) == 0:
		return fmt.Errorf("needs layers, vocabulary and embeddings")
	}
	for _, l := range f.Layers {
		if l.Stack == "" || len(l.Count) == 0 {
			return fmt.Errorf("layers need a stack and a count")
		}
	}
	for _, m := range f.Modules {
		if m.Name == "" || len(m.Tensors) == 0 {
			return fmt.Errorf("modules need a name and tensors")
		}
	}
	for _, group := range slices.Concat(f.Tied, f.Spellings, f.Endings) {
		if len(group) < 2 {
			return fmt.Errorf("%v: needs two names that mean the same", group)
		}
	}
	for _, name := range f.patterns() {
		if name == "" || slices.Contains(strings.Split(name, "."), "") {
			return fmt.Errorf("%q: a name with an empty part", name)
		}
		if first := f.first(name); first != name {
			return fmt.Errorf("%s: write %s, its first spelling", name, first)
		}
	}
	for _, name := range f.Before {
		if slices.Contains(f.After, name) {
			return fmt.Errorf("%s: both before and after the layers", name)
		}
	}
	return nil
}

// patterns returns all that must be written in the first spelling.
func (f *family) patterns() []string {
	out := slices.Concat(f.Embeddings, f.HeadBiases, f.Before, f.After, f.Optional)
	for _, group := range f.Tied {
		out = append(out, group...)
	}
	for _, l := range f.Layers {
		out = append(out, l.Stack)
	}
	for _, m := range f.Modules {
		out = append(out, m.Tensors...)
	}
	return out
}
