package mergesearch

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// RecipeID is the first 16 hexadecimal digits of the SHA-256 of a recipe's
// canonical form.
type RecipeID string

// Recipe is a full, readable merge instruction in mergekit's terms: one method
// over whole models, over slices of their layers or over their modules, with
// parameters that may differ by model and by tensor. Exactly one of Models,
// Slices and Modules is set.
type Recipe struct {
	Method  string
	Base    string  // base model; empty when the method has none
	Models  []Input // what is merged, in the order written
	Slices  []Slice
	Modules []Module

	// Parameters holds what applies to all models (t, lambda, normalize, and
	// defaults for per-model parameters).
	Parameters map[string]Setting

	DType    string // dtype in which mergekit loads; here the type of the output when OutDType is empty
	OutDType string // type of the output; empty: DType, else that of the base model
	Seed     uint64 // seed of random masks (dare_*, della*); mergekit has no word for it

	// Compat is "mergekit" for a merge with mergekit's observable numbers: its
	// rounding after every operation, its defects. Empty: the corrected arithmetic.
	Compat string

	Tokenizer    *Tokenizer // nil: the donor's, and all vocabularies must agree
	ChatTemplate string     // "auto", the name of a built-in one, or a Jinja template; empty: the donor's

	// Stages are recipes whose results this one, or a later stage, names as models.
	// A stage stands after those that it names.
	Stages []Stage
}

// Stage is a recipe whose result other recipes name.
type Stage struct {
	Name   string
	Recipe Recipe // has no stages of its own
}

// Slice is a run of output layers, made of as many layers of each source. The
// layers of the output are those of all slices, one after the other.
type Slice struct {
	Sources    []Source
	Base       string // instead of that of the recipe; empty: the recipe's
	Parameters map[string]Setting
}

// Source is a run of one model's layers.
type Source struct {
	Input
	First, End int // layers First up to End, without End
}

// Module is a part of a model of several, such as a vision tower or a text
// decoder. Exactly one of Models and Slices is set.
type Module struct {
	Name       string
	Models     []Input
	Slices     []Slice
	Parameters map[string]Setting
}

// Tokenizer says which vocabulary the result has and where the embeddings of its
// tokens come from.
type Tokenizer struct {
	Source          string      // "union", "base", or the name of a model
	Tokens          []TokenRule // in the order written; no token twice
	PadToMultipleOf int         // rows of the embeddings; 0 for no padding
}

// TokenRule says where the embedding of one token comes from.
type TokenRule struct {
	Token  string
	Source TokenSource
	Force  bool // also for models that have an embedding of their own
}

// TokenSource is a row of an embedding: a model's row for the same token, its row
// for another token, or zeros.
type TokenSource struct {
	Zero  bool
	Model string // empty: no source is named
	Token string // of Model; empty: the rule's own, or TokenID
	ID    *int   // of Model, instead of Token
}

// Input is one model of a recipe with the parameters that are its own.
type Input struct {
	Model      string
	Parameters map[string]Setting
}

// Setting is the value of one parameter: conditions in order of precedence, of
// which the first whose filter matches the tensor's name applies. A plain number
// is one condition without filter.
type Setting []Condition

// Condition gives the value for tensors whose name contains Filter.
type Condition struct {
	Filter string    // substring of the tensor name; empty or "*" matches all
	Values []float64 // one number, or a gradient over the layers, first to last
}

func (c Condition) matches(tensor string) bool {
	return c.Filter == "" || c.Filter == "*" || strings.Contains(tensor, c.Filter)
}

// Number returns the setting that is x for every tensor.
func Number(x float64) Setting { return Setting{{Values: []float64{x}}} }

// At returns the value for a tensor, and false when no filter matches. Position
// is that of the tensor's layer, 0 for the first layer and for tensors outside
// the layers, 1 for the last; a gradient is interpolated there linearly, as
// mergekit does.
func (s Setting) At(tensor string, position float64) (float64, bool) {
	for _, c := range s {
		if !c.matches(tensor) {
			continue
		}
		if len(c.Values) == 1 {
			return c.Values[0], true
		}
		x := position * float64(len(c.Values)-1)
		i := int(x)
		j := min(len(c.Values)-1, i+1)
		f := x - float64(i)
		return (1-f)*c.Values[i] + f*c.Values[j], true
	}
	return 0, false
}

// Value returns parameter name for a model's tensor with mergekit's precedence:
// the model's own parameters, then those of the recipe. It returns false when
// neither gives one; the method's default applies then.
func (r Recipe) Value(name, model, tensor string, position float64) (float64, bool) {
	for _, in := range r.Models {
		if in.Model == model {
			if v, ok := in.Parameters[name].At(tensor, position); ok {
				return v, true
			}
			break
		}
	}
	return r.Parameters[name].At(tensor, position)
}

// Depth returns the layers of the result, where the models have so many.
func (r Recipe) Depth(layers int) int {
	if len(r.Slices) > 0 {
		n := 0
		for _, s := range r.Slices {
			if len(s.Sources) > 0 { // the others have as many
				n += s.Sources[0].End - s.Sources[0].First
			}
		}
		return n
	}
	for _, s := range r.Stages {
		if r.names(s.Name) {
			return s.Recipe.Depth(layers)
		}
	}
	return layers
}

// values is Value without a position: a number, or the gradient as it is written.
func (r Recipe) values(name, model, tensor string) []float64 {
	var levels []Setting
	for _, in := range r.Models {
		if in.Model == model {
			levels = append(levels, in.Parameters[name])
			break
		}
	}
	for _, set := range append(levels, r.Parameters[name]) {
		for _, c := range set {
			if c.matches(tensor) {
				return c.Values
			}
		}
	}
	return nil
}

// names reports whether a model is among those that are merged.
func (r Recipe) names(model string) bool {
	return slices.ContainsFunc(r.Models, func(in Input) bool { return in.Model == model })
}

// ModelNames returns every model that the recipe and its stages name, sorted, but
// not the stages themselves. The result of a stage with an adapter, STAGE+ADAPTER,
// is a name of its own.
func (r Recipe) ModelNames() []string {
	var names []string
	r.Renamed(func(name string) string {
		names = append(names, name)
		return name
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// Canonical returns the recipe as JSON with models sorted by name (their order
// never matters to the arithmetic), empty parts left out and map keys sorted.
// Equal recipes have equal canonical forms.
func (r Recipe) Canonical() []byte {
	b, err := json.Marshal(r.canonical())
	if err != nil { // only NaN or Inf can do this, and Space and recipe readers refuse both
		panic("mergesearch: recipe with a value that is not a number: " + err.Error())
	}
	return b
}

// The canonical form. Names and order of the fields go into every RecipeID.
type (
	canonicalRecipe struct {
		Method       string             `json:"method"`
		Base         string             `json:"base,omitempty"`
		Models       []canonicalInput   `json:"models,omitempty"`
		Parameters   map[string]Setting `json:"parameters,omitempty"`
		DType        string             `json:"dtype,omitempty"`
		OutDType     string             `json:"out_dtype,omitempty"`
		Seed         uint64             `json:"seed,omitempty"`
		Slices       []canonicalSlice   `json:"slices,omitempty"`
		Modules      []canonicalModule  `json:"modules,omitempty"`
		Compat       string             `json:"compat,omitempty"`
		Tokenizer    *Tokenizer         `json:"tokenizer,omitempty"`
		ChatTemplate string             `json:"chat_template,omitempty"`
		Stages       []canonicalStage   `json:"stages,omitempty"`
	}
	canonicalInput struct {
		Model      string             `json:"model"`
		Layers     *[2]int            `json:"layers,omitempty"`
		Parameters map[string]Setting `json:"parameters,omitempty"`
	}
	canonicalSlice struct {
		Sources    []canonicalInput   `json:"sources"`
		Base       string             `json:"base,omitempty"`
		Parameters map[string]Setting `json:"parameters,omitempty"`
	}
	canonicalModule struct {
		Name       string             `json:"name"`
		Models     []canonicalInput   `json:"models,omitempty"`
		Slices     []canonicalSlice   `json:"slices,omitempty"`
		Parameters map[string]Setting `json:"parameters,omitempty"`
	}
	canonicalStage struct {
		Name   string          `json:"name"`
		Recipe canonicalRecipe `json:"recipe"`
	}
)

// ParseCanonical is the inverse of Canonical, up to the order of models.
func ParseCanonical(text []byte) (Recipe, error) {
	var c canonicalRecipe
	if err := json.Unmarshal(text, &c); err != nil {
		return Recipe{}, err
	}
	return c.recipe(), nil
}

func (c canonicalRecipe) recipe() Recipe {
	r := Recipe{
		Method: c.Method, Base: c.Base, Models: inputsOf(c.Models), Parameters: c.Parameters, DType: c.DType, OutDType: c.OutDType,
		Seed: c.Seed, Slices: slicesOf(c.Slices), Compat: c.Compat, Tokenizer: c.Tokenizer, ChatTemplate: c.ChatTemplate,
	}
	for _, m := range c.Modules {
		r.Modules = append(r.Modules, Module{Name: m.Name, Models: inputsOf(m.Models), Slices: slicesOf(m.Slices), Parameters: m.Parameters})
	}
	for _, s := range c.Stages {
		r.Stages = append(r.Stages, Stage{Name: s.Name, Recipe: s.Recipe.recipe()})
	}
	return r
}

func inputsOf(models []canonicalInput) []Input {
	var out []Input
	for _, in := range models {
		out = append(out, Input{Model: in.Model, Parameters: in.Parameters})
	}
	return out
}

func slicesOf(of []canonicalSlice) []Slice {
	var out []Slice
	for _, c := range of {
		s := Slice{Base: c.Base, Parameters: c.Parameters}
		for _, in := range c.Sources {
			from := Source{Input: Input{Model: in.Model, Parameters: in.Parameters}}
			if in.Layers != nil {
				from.First, from.End = in.Layers[0], in.Layers[1]
			}
			s.Sources = append(s.Sources, from)
		}
		out = append(out, s)
	}
	return out
}

func (r Recipe) canonical() canonicalRecipe {
	c := canonicalRecipe{
		Method: r.Method, Base: r.Base, Models: canonicalInputs(r.Models), Parameters: r.Parameters,
		DType: r.DType, OutDType: r.OutDType, Seed: r.Seed, Slices: canonicalSlices(r.Slices),
		Compat: r.Compat, Tokenizer: r.Tokenizer, ChatTemplate: r.ChatTemplate,
	}
	for _, m := range r.Modules {
		c.Modules = append(c.Modules, canonicalModule{
			Name: m.Name, Models: canonicalInputs(m.Models), Slices: canonicalSlices(m.Slices), Parameters: m.Parameters,
		})
	}
	slices.SortStableFunc(c.Modules, func(a, b canonicalModule) int { return cmp.Compare(a.Name, b.Name) })
	for _, s := range r.Stages {
		c.Stages = append(c.Stages, canonicalStage{Name: s.Name, Recipe: s.Recipe.canonical()})
	}
	return c
}

func canonicalInputs(models []Input) []canonicalInput {
	var out []canonicalInput
	for _, in := range models {
		out = append(out, canonicalInput{Model: in.Model, Parameters: in.Parameters})
	}
	sortInputs(out)
	return out
}

func canonicalSlices(of []Slice) []canonicalSlice {
	var out []canonicalSlice
	for _, s := range of {
		c := canonicalSlice{Base: s.Base, Parameters: s.Parameters}
		for _, in := range s.Sources {
			c.Sources = append(c.Sources, canonicalInput{Model: in.Model, Layers: &[2]int{in.First, in.End}, Parameters: in.Parameters})
		}
		sortInputs(c.Sources)
		out = append(out, c)
	}
	return out
}

func sortInputs(in []canonicalInput) {
	slices.SortStableFunc(in, func(a, b canonicalInput) int { return cmp.Compare(a.Model, b.Model) })
}

// ID identifies the recipe by its canonical form.
func (r Recipe) ID() RecipeID {
	sum := sha256.Sum256(r.Canonical())
	return RecipeID(hex.EncodeToString(sum[:8]))
}

// Renamed returns the recipe with every model name replaced by rename(name).
// Names of stages stay.
func (r Recipe) Renamed(rename func(string) string) Recipe {
	stages := map[string]bool{"": true}
	for _, s := range r.Stages {
		stages[s.Name] = true
	}
	unless := func(name string) string {
		if stages[name] {
			return name
		}
		return rename(name)
	}
	r.Stages = slices.Clone(r.Stages)
	for i := range r.Stages {
		r.Stages[i].Recipe = r.Stages[i].Recipe.renamed(unless)
	}
	return r.renamed(unless)
}

func (r Recipe) renamed(rename func(string) string) Recipe {
	r.Base = rename(r.Base)
	r.Models = renamedInputs(r.Models, rename)
	r.Slices = renamedSlices(r.Slices, rename)
	r.Modules = slices.Clone(r.Modules)
	for i := range r.Modules {
		r.Modules[i].Models = renamedInputs(r.Modules[i].Models, rename)
		r.Modules[i].Slices = renamedSlices(r.Modules[i].Slices, rename)
	}
	if r.Tokenizer != nil {
		t := *r.Tokenizer
		if t.Source != "union" && t.Source != "base" {
			t.Source = rename(t.Source)
		}
		t.Tokens = slices.Clone(t.Tokens)
		for i := range t.Tokens {
			t.Tokens[i].Source.Model = rename(t.Tokens[i].Source.Model)
		}
		r.Tokenizer = &t
	}
	return r
}

func renamedInputs(models []Input, rename func(string) string) []Input {
	models = slices.Clone(models)
	for i := range models {
		models[i].Model = rename(models[i].Model)
	}
	return models
}

func renamedSlices(of []Slice, rename func(string) string) []Slice {
	of = slices.Clone(of)
	for i := range of {
		of[i].Base = rename(of[i].Base)
		of[i].Sources = slices.Clone(of[i].Sources)
		for j := range of[i].Sources {
			of[i].Sources[j].Model = rename(of[i].Sources[j].Model)
		}
	}
	return of
}

// finite reports whether x is a number that a recipe may hold.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
