package merge

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mergesearch"
)

// Limits of a recipe, far above what any merge needs.
const (
	maxInputs  = 1024 // models of a list, sources of a slice
	maxSlices  = 1024 // of the recipe or of a module
	maxModules = 64
	maxLayers  = 10000 // number of a layer, and layers of the result
	maxTokens  = 10000 // with rules of their own
	maxTokenID = 1<<31 - 1
	maxPadding = 1 << 20 // rows
)

// checkRecipe checks what needs no models: methods, parameters and their values,
// and how the parts of the recipe fit together.
func checkRecipe(r mergesearch.Recipe) (*method, error) {
	m, err := checkDocument(r)
	if err != nil {
		return nil, err
	}
	if err := checkStages(r); err != nil {
		return nil, err
	}
	return m, nil
}

// checkDocument is checkRecipe without the stages.
func checkDocument(r mergesearch.Recipe) (*method, error) {
	if r.Method == "" {
		return nil, &mergesearch.InputError{Field: "merge_method", Problem: "missing", Hint: "known: " + strings.Join(methodNames(), ", ")}
	}
	m := methodNamed(r.Method)
	if m == nil {
		return nil, unknownMethod(r.Method)
	}
	if r.Base != "" {
		if err := checkModel(r.Base, "base_model"); err != nil {
			return nil, err
		}
	} else if m.NeedsBase || m.Pair {
		if field := withoutBase(r); field != "" {
			return nil, &mergesearch.InputError{Field: field, Problem: "missing: " + m.Name + " needs one", Hint: "base_model: PATH names the model that the others were trained from"}
		}
	}
	if err := m.checkParts(r); err != nil {
		return nil, err
	}
	if err := m.checkParameters(r.Parameters, "parameters", false); err != nil {
		return nil, err
	}
	if err := checkTokenizer(r.Tokenizer); err != nil {
		return nil, err
	}
	if err := checkChatTemplate(r.ChatTemplate); err != nil {
		return nil, err
	}
	if err := checkCompat(r.Compat); err != nil {
		return nil, err
	}
	_, err := outputType(r)
	return m, err
}

func checkCompat(name string) error {
	if name != "" && name != "mergekit" {
		return &mergesearch.InputError{Field: "mergesearch.compat", Problem: fmt.Sprintf("unknown %q", name), Hint: "known: mergekit"}
	}
	return nil
}

// outputType returns the type that the recipe asks for, or "" for that of the
// donor.
func outputType(r mergesearch.Recipe) (mergesearch.DType, error) {
	for _, f := range []struct{ field, name string }{{"out_dtype", r.OutDType}, {"dtype", r.DType}} {
		if f.name == "" {
			continue
		}
		d, ok := outputTypes[f.name]
		if !ok {
			return "", unknownType(f.field, f.name)
		}
		return d, nil
	}
	return "", nil
}

// outputTypes are the spellings of dtype and out_dtype.
var outputTypes = map[string]mergesearch.DType{
	"bfloat16": mergesearch.BF16, "float16": mergesearch.F16, "float32": mergesearch.F32,
}

func unknownType(field, name string) *mergesearch.InputError {
	err := mergesearch.UnknownWord("type", name, []string{"bfloat16", "float16", "float32"})
	err.Field, err.Problem = field, fmt.Sprintf("%q is no type that can be written", name)
	return err
}

func unknownMethod(name string) *mergesearch.InputError {
	err := mergesearch.UnknownWord("method", name, methodNames())
	err.Field, err.Problem = "merge_method", fmt.Sprintf("unknown method %q", name)
	return err
}

func (m *method) checkParameters(set map[string]mergesearch.Setting, field string, ofModel bool) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := m.checkParameter(name, set[name], ofModel); err != nil {
			err.Field = field + "." + name
			return err
		}
	}
	return nil
}

// checkParameter checks one parameter; the caller knows the field.
func (m *method) checkParameter(name string, s mergesearch.Setting, ofModel bool) *mergesearch.InputError {
	if slices.Contains(m.ignored, name) {
		return nil
	}
	d, ok := m.Parameter(name)
	if !ok {
		err := mergesearch.UnknownWord("parameter", name, m.known())
		err.Problem = "unknown parameter of " + m.Name
		return err
	}
	if ofModel && !d.PerModel {
		return &mergesearch.InputError{Problem: "belongs to the whole recipe, not to a model", Hint: "move it to the parameters of the recipe"}
	}
	if len(s) == 0 {
		return &mergesearch.InputError{Problem: "no value"}
	}
	for _, c := range s {
		if len(c.Values) == 0 || !printable(c.Filter) {
			return &mergesearch.InputError{Problem: "no value"}
		}
		for _, v := range c.Values {
			if err := CheckValue(d, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckValue refuses a value of a declared parameter that no arithmetic can use;
// the error, nil when there is none, has no file and no field. Beyond that a
// recipe may leave the range that a search explores.
func CheckValue(d mergesearch.Parameter, v float64) *mergesearch.InputError {
	switch {
	case math.IsNaN(v) || math.Abs(v) > math.MaxFloat32:
		return &mergesearch.InputError{Problem: fmt.Sprintf("%v is not a finite float32", v)}
	case d.Name == "density" && (v < 0 || v > 1):
		return &mergesearch.InputError{Problem: fmt.Sprintf("%v is not in [0, 1]", v), Hint: "density is the share that is kept"}
	case d.Step == 1 && v != 0 && v != 1:
		return &mergesearch.InputError{Problem: fmt.Sprintf("%v, want true or false", v)}
	}
	return nil
}
