package adapter

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// The files of an adapter.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
)

// Adapter is an opened adapter. It is safe for concurrent use.
type Adapter struct {
	dir     string
	text    []byte // adapter_config.json
	config  *config
	weights *safetensors.Checkpoint
	targets map[string]*target // by the bare name of the model's tensor
	digest  string
}

// target is what an adapter does to one tensor of the model.
type target struct {
	tensor string // as the adapter would name it
	module string

	whole *mergesearch.Tensor // takes the tensor's place, before all else
	a, b  *mergesearch.Tensor // [rank][in] and [out][rank]
	bias  *mergesearch.Tensor // scale times it is added; excludes a and b
	scale float32

	embedding bool
	magnitude *mergesearch.Tensor // DoRA: [out]
}

// Open opens an adapter's directory and checks all of it. Errors are
// *mergesearch.InputError.
func Open(dir string) (*Adapter, error) {
	text, err := safetensors.ReadFile(dir, ConfigFile, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, mergesearch.InFile(err, filepath.Join(dir, ConfigFile))
	}
	weights, err := safetensors.OpenFile(dir, WeightsFile)
	if err != nil {
		return nil, err
	}
	a := &Adapter{dir: dir, text: text, config: c, weights: weights, targets: map[string]*target{}}
	if err := a.read(); err != nil {
		weights.Release()
		return nil, mergesearch.InFile(err, filepath.Join(dir, WeightsFile))
	}
	h := sha256.New()
	_, _ = io.WriteString(h, weights.Digest()+"\n") // a hash never fails
	_, _ = h.Write(text)
	a.digest = hex.EncodeToString(h.Sum(nil))
	return a, nil
}

// Dir returns the directory as it was given to Open.
func (a *Adapter) Dir() string { return a.dir }

// Digest identifies the adapter: a hash of its tensors and its configuration.
func (a *Adapter) Digest() string { return a.digest }

// Files returns the configuration and what lies beside the weights that a model
// directory has too (a tokenizer with added tokens, say), by base name.
func (a *Adapter) Files() (map[string][]byte, error) {
	files, err := a.weights.Files()
	if err != nil {
		return nil, err
	}
	files = maps.Clone(files)
	files[ConfigFile] = a.text
	return files, nil
}

// Release unmaps the weights. Sources of Apply must not be used afterwards.
func (a *Adapter) Release() { a.weights.Release() }

// roles are the ends of the names of an adapter's tensors.
var roles = []struct {
	suffix string
	tensor string // of the module, to which it belongs
	take   func(*target) **mergesearch.Tensor
}{
	{".lora_A.weight", ".weight", func(t *target) **mergesearch.Tensor { return &t.a }},
	{".lora_B.weight", ".weight", func(t *target) **mergesearch.Tensor { return &t.b }},
	{".lora_B.bias", ".bias", func(t *target) **mergesearch.Tensor { return &t.bias }},
	{".lora_embedding_A", ".weight", func(t *target) **mergesearch.Tensor { t.embedding = true; return &t.a }},
	{".lora_embedding_B", ".weight", func(t *target) **mergesearch.Tensor { t.embedding = true; return &t.b }},
	{".lora_magnitude_vector", ".weight", func(t *target) **mergesearch.Tensor { return &t.magnitude }},
	{".lora_magnitude_vector.weight", ".weight", func(t *target) **mergesearch.Tensor { return &t.magnitude }},
	{"", "", func(t *target) **mergesearch.Tensor { return &t.whole }},
}

// read sorts the tensors by what they do to which tensor of the model.
func (a *Adapter) read() error {
	if len(a.weights.Names()) == 0 {
		return problem("", "the adapter has no tensors")
	}
	for _, name := range a.weights.Names() {
		t, err := a.weights.Tensor(name)
		if err != nil {
			return err
		}
		if _, err := viewOf(&t); err != nil {
			return err
		}
		if err := a.place(name, &t); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.targets)) {
		if err := a.targets[key].complete(a.config); err != nil {
			return err
		}
	}
	return nil
}

func (a *Adapter) place(name string, t *mergesearch.Tensor) error {
	path := strings.TrimPrefix(name, "base_model.model.")
	path = strings.ReplaceAll(path, ".base_layer.", ".")
	path = strings.ReplaceAll(path, ".modules_to_save.", ".")
	for _, r := range roles {
		module, ok := strings.CutSuffix(path, r.suffix)
		if !ok {
			continue
		}
		if r.suffix == "" && strings.Contains(path, "lora_") || strings.Contains(path, "token_adapter") {
			return &mergesearch.InputError{Field: name, Problem: "a kind of tensor that is not known", Hint: "merge the adapter into its model with PEFT and use the result"}
		}
		tensor := module + r.tensor
		if r.suffix == "" {
			module = module[:max(0, strings.LastIndexByte(module, '.'))]
		}
		x := a.targets[bare(tensor)]
		if x == nil {
			x = &target{tensor: tensor, module: module}
			a.targets[bare(tensor)] = x
		}
		place := r.take(x)
		if *place != nil || x.tensor != tensor {
			return problem(name, "comes twice, under different names")
		}
		*place = t
		return nil
	}
	panic("adapter: the last role takes any name")
}

// complete checks the parts of a target against each other.
func (t *target) complete(c *config) error {
	field := t.module
	if t.a == nil && t.b == nil && t.magnitude == nil && t.bias == nil {
		return nil
	}
	rank, scale, err := c.scale(t.module)
	if err != nil {
		return err
	}
	t.scale = scale
	if !c.targets(t.module) {
		return problem(field, "target_modules does not name this module")
	}
	if t.bias != nil {
		if len(t.bias.Shape) != 1 || t.a != nil || t.b != nil {
			return problem(field, "a bias of shape %v", t.bias.Shape)
		}
		return nil
	}
	switch {
	case t.a == nil || t.b == nil:
		return problem(field, "has only one of lora_A and lora_B")
	case len(t.a.Shape) != 2 || len(t.b.Shape) != 2:
		return problem(field, "lora_A and lora_B of shapes %v and %v; only matrices are supported", t.a.Shape, t.b.Shape)
	case t.a.Shape[0] != rank || t.b.Shape[1] != rank:
		return problem(field, "lora_A and lora_B of shapes %v and %v for rank %d", t.a.Shape, t.b.Shape, rank)
	case c.dora && t.magnitude == nil || !c.dora && t.magnitude != nil:
		return problem(field, "use_dora is %v, but there is a magnitude vector: %v", c.dora, t.magnitude != nil)
	case c.dora && t.embedding:
		return problem(field, "DoRA on an embedding is not supported")
	case c.dora && t.magnitude.Elements() != t.b.Shape[0]:
		return problem(field, "a magnitude vector of shape %v for %d outputs", t.magnitude.Shape, t.b.Shape[0])
	}
	return nil
}

// viewOf returns the elements of a tensor, or an error if they are not floating.
func viewOf(t *mergesearch.Tensor) (kernel.View, error) {
	switch t.DType {
	case mergesearch.BF16, mergesearch.F16, mergesearch.F32, mergesearch.F64:
		return kernel.View{DType: t.DType, Data: t.Data}, nil
	}
	return kernel.View{}, problem(t.Name, "type %s cannot be used in an adapter", t.DType)
}

// mustView is viewOf for what read has checked.
func mustView(t *mergesearch.Tensor) kernel.View {
	v, err := viewOf(t)
	if err != nil {
		panic(fmt.Sprintf("adapter: %v", err))
	}
	return v
}

// bare drops the name of the inner model, which some checkpoints and some
// adapters leave out.
func bare(tensor string) string {
	for _, prefix := range inner {
		if rest, ok := strings.CutPrefix(tensor, prefix); ok {
			return rest
		}
	}
	return tensor
}

var inner = []string{"model.", "transformer."}
