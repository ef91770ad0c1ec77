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
// over whole models, with parameters that may differ by model and by tensor.
type Recipe struct {
	Method string
	Base   string  // base model; empty when the method has none
	Models []Input // what is merged, in the order written

	// Parameters holds what applies to all models (t, lambda, normalize, and
	// defaults for per-model parameters).
	Parameters map[string]Setting

	DType    string // dtype in which mergekit loads; here the type of the output when OutDType is empty
	OutDType string // type of the output; empty: DType, else that of the base model
	Seed     uint64 // seed of random masks (dare_*); mergekit has no word for it
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

// Number returns the setting that is x for every tensor.
func Number(x float64) Setting { return Setting{{Values: []float64{x}}} }

// At returns the value for a tensor, and false when no filter matches. Position
// is that of the tensor's layer, 0 for the first layer and for tensors outside
// the layers, 1 for the last; a gradient is interpolated there linearly, as
// mergekit does.
func (s Setting) At(tensor string, position float64) (float64, bool) {
	for _, c := range s {
		if c.Filter != "" && c.Filter != "*" && !strings.Contains(tensor, c.Filter) {
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

// Canonical returns the recipe as JSON with models sorted by name (their order
// never matters to the arithmetic), empty parts left out and map keys sorted.
// Equal recipes have equal canonical forms.
func (r Recipe) Canonical() []byte {
	r.Models = slices.Clone(r.Models)
	slices.SortStableFunc(r.Models, func(a, b Input) int { return cmp.Compare(a.Model, b.Model) })
	type input struct {
		Model      string             `json:"model"`
		Parameters map[string]Setting `json:"parameters,omitempty"`
	}
	canonical := struct {
		Method     string             `json:"method"`
		Base       string             `json:"base,omitempty"`
		Models     []input            `json:"models"`
		Parameters map[string]Setting `json:"parameters,omitempty"`
		DType      string             `json:"dtype,omitempty"`
		OutDType   string             `json:"out_dtype,omitempty"`
		Seed       uint64             `json:"seed,omitempty"`
	}{Method: r.Method, Base: r.Base, Parameters: r.Parameters, DType: r.DType, OutDType: r.OutDType, Seed: r.Seed}
	for _, in := range r.Models {
		canonical.Models = append(canonical.Models, input(in))
	}
	b, err := json.Marshal(canonical)
	if err != nil { // only NaN or Inf can do this, and Space and recipe readers refuse both
		panic("mergesearch: recipe with a value that is not a number: " + err.Error())
	}
	return b
}

// ID identifies the recipe by its canonical form.
func (r Recipe) ID() RecipeID {
	sum := sha256.Sum256(r.Canonical())
	return RecipeID(hex.EncodeToString(sum[:8]))
}

// Renamed returns the recipe with every model name replaced by rename(name).
func (r Recipe) Renamed(rename func(string) string) Recipe {
	if r.Base != "" {
		r.Base = rename(r.Base)
	}
	r.Models = slices.Clone(r.Models)
	for i := range r.Models {
		r.Models[i].Model = rename(r.Models[i].Model)
	}
	return r
}

// finite reports whether x is a number that a recipe may hold.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
