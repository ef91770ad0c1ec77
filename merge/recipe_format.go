package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"mergesearch"
)

// FormatRecipe writes a recipe as mergekit's YAML, its stages as documents before
// it. What mergekit has no word for stands under mergesearch. ParseRecipe gives an
// equal recipe back.
func FormatRecipe(r mergesearch.Recipe) []byte {
	var w recipeWriter
	for _, s := range r.Stages {
		w.document(s.Name, s.Recipe)
		w.line(0, "---")
	}
	w.document("", r)
	return w.Bytes()
}

type recipeWriter struct{ bytes.Buffer }

func (w *recipeWriter) line(indent int, format string, args ...any) {
	w.WriteString(strings.Repeat("  ", indent))
	fmt.Fprintf(w, format+"\n", args...)
}

// text writes a key with a string, unless it is empty.
func (w *recipeWriter) text(indent int, key, value string) {
	if value != "" {
		w.line(indent, "%s: %s", key, yamlString(value))
	}
}

func (w *recipeWriter) document(name string, r mergesearch.Recipe) {
	w.text(0, "name", name)
	w.line(0, "merge_method: %s", yamlString(r.Method))
	w.text(0, "base_model", r.Base)
	w.models(0, r.Models)
	w.slices(0, r.Slices)
	if len(r.Modules) > 0 {
		w.line(0, "modules:")
	}
	for _, m := range r.Modules {
		w.line(1, "%s:", yamlString(m.Name))
		w.models(2, m.Models)
		w.slices(2, m.Slices)
		w.parameters(2, m.Parameters)
	}
	w.parameters(0, r.Parameters)
	w.text(0, "dtype", r.DType)
	w.text(0, "out_dtype", r.OutDType)
	w.tokenizer(r.Tokenizer)
	w.text(0, "chat_template", r.ChatTemplate)
	if r.Seed != 0 || r.Compat != "" {
		w.line(0, "mergesearch:")
	}
	if r.Seed != 0 {
		w.line(1, "seed: %d", r.Seed)
	}
	w.text(1, "compat", r.Compat)
}

func (w *recipeWriter) models(indent int, models []mergesearch.Input) {
	if len(models) > 0 {
		w.line(indent, "models:")
	}
	for _, in := range models {
		w.line(indent+1, "- model: %s", yamlString(in.Model))
		w.parameters(indent+2, in.Parameters)
	}
}

func (w *recipeWriter) slices(indent int, of []mergesearch.Slice) {
	if len(of) > 0 {
		w.line(indent, "slices:")
	}
	for _, s := range of {
		w.line(indent+1, "- sources:")
		for _, in := range s.Sources {
			w.line(indent+3, "- model: %s", yamlString(in.Model))
			w.line(indent+4, "layer_range: [%d, %d]", in.First, in.End)
			w.parameters(indent+4, in.Parameters)
		}
		w.text(indent+2, "base_model", s.Base)
		w.parameters(indent+2, s.Parameters)
	}
}

func (w *recipeWriter) tokenizer(t *mergesearch.Tokenizer) {
	switch {
	case t == nil:
		return
	case len(t.Tokens) == 0 && t.PadToMultipleOf == 0:
		w.text(0, "tokenizer_source", t.Source)
		return
	}
	w.line(0, "tokenizer:")
	w.text(1, "source", t.Source)
	if len(t.Tokens) > 0 {
		w.line(1, "tokens:")
	}
	for _, r := range t.Tokens {
		if r.Source == (mergesearch.TokenSource{}) && !r.Force {
			w.line(2, "%s: {}", yamlString(r.Token))
			continue
		}
		w.line(2, "%s:", yamlString(r.Token))
		w.tokenSource(3, r.Source)
		if r.Force {
			w.line(3, "force: true")
		}
	}
	if t.PadToMultipleOf > 0 {
		w.line(1, "pad_to_multiple_of: %d", t.PadToMultipleOf)
	}
}

func (w *recipeWriter) tokenSource(indent int, s mergesearch.TokenSource) {
	if !s.Zero && s.Token == "" && s.ID == nil {
		w.text(indent, "source", s.Model)
		return
	}
	w.line(indent, "source:")
	if s.Zero {
		w.line(indent+1, "kind: zero")
		return
	}
	w.line(indent+1, "kind: model_token")
	w.text(indent+1, "model", s.Model)
	w.text(indent+1, "token", s.Token)
	if s.ID != nil {
		w.line(indent+1, "token_id: %d", *s.ID)
	}
}

func (w *recipeWriter) parameters(indent int, set map[string]mergesearch.Setting) {
	if len(set) > 0 {
		w.line(indent, "parameters:")
	}
	indent++
	for _, name := range sortedKeys(set) {
		s := set[name]
		if len(s) == 1 && s[0].Filter == "" {
			w.line(indent, "%s: %s", yamlString(name), yamlValues(name, s[0].Values))
			continue
		}
		w.line(indent, "%s:", yamlString(name))
		for _, c := range s {
			if c.Filter == "" {
				w.line(indent+1, "- value: %s", yamlValues(name, c.Values))
				continue
			}
			w.line(indent+1, "- filter: %s", yamlString(c.Filter))
			w.line(indent+2, "value: %s", yamlValues(name, c.Values))
		}
	}
}

// yamlValues writes one number, true or false for a flag, or a gradient.
func yamlValues(name string, v []float64) string {
	if len(v) == 1 {
		if isFlag(name) && (v[0] == 0 || v[0] == 1) {
			return strconv.FormatBool(v[0] == 1)
		}
		return yamlNumber(v[0])
	}
	parts := make([]string, len(v))
	for i, x := range v {
		parts[i] = yamlNumber(x)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// isFlag reports whether a parameter of that name is true or false.
func isFlag(name string) bool {
	for _, m := range methods {
		if p, ok := m.Parameter(name); ok && p.Step == 1 {
			return true
		}
	}
	return name == "int8_mask"
}

// yamlNumber writes a number so that every YAML reader takes it for one: Python's
// wants a dot before an exponent.
func yamlNumber(x float64) string {
	if x == 0 {
		return "0"
	}
	if a := math.Abs(x); a >= 1e-6 && a < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	s := strconv.FormatFloat(x, 'e', -1, 64)
	if !strings.Contains(s, ".") {
		s = strings.Replace(s, "e", ".0e", 1)
	}
	return s
}

var (
	plainString = regexp.MustCompile(`^(\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./-]*$`)
	notAString  = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null|nan|inf|infinity)$`)
)

// yamlString writes a string plainly where no reader can take it for anything
// else, and in double quotes elsewhere.
func yamlString(s string) string {
	if plainString.MatchString(s) && !notAString.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // JSON's quoted strings are YAML's
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("merge: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
