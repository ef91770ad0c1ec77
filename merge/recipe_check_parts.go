package merge

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"mergesearch"
)

// withoutBase returns the field of a base model that is missing although neither
// the recipe nor the slice gives one, or "".
func withoutBase(r mergesearch.Recipe) string {
	all := r.Slices
	for _, m := range r.Modules {
		if len(m.Models) > 0 {
			return "base_model"
		}
		all = append(all[:len(all):len(all)], m.Slices...)
	}
	for _, s := range all {
		if s.Base == "" {
			return "base_model"
		}
	}
	if len(all) == 0 {
		return "base_model"
	}
	return ""
}

// checkParts checks the models, slices or modules of a recipe.
func (m *method) checkParts(r mergesearch.Recipe) error {
	given := map[string]int{"models": len(r.Models), "slices": len(r.Slices), "modules": len(r.Modules)}
	if err := onlyOne("", given, "models", "slices", "modules"); err != nil {
		return err
	}
	if err := m.checkModels(r.Models, "models"); err != nil {
		return err
	}
	if err := m.checkSlices(r.Slices, "slices"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, part := range r.Modules {
		field := join("modules", part.Name)
		switch {
		case part.Name == "" || !printable(part.Name):
			return &mergesearch.InputError{Field: "modules", Problem: "a module without a printable name"}
		case seen[part.Name]:
			return &mergesearch.InputError{Field: field, Problem: "listed twice"}
		}
		seen[part.Name] = true
		given := map[string]int{"models": len(part.Models), "slices": len(part.Slices)}
		if err := onlyOne(field, given, "models", "slices"); err != nil {
			return err
		}
		if err := m.checkModels(part.Models, field+".models"); err != nil {
			return err
		}
		if err := m.checkSlices(part.Slices, field+".slices"); err != nil {
			return err
		}
		if err := m.checkParameters(part.Parameters, field+".parameters", false); err != nil {
			return err
		}
	}
	return nil
}

// onlyOne demands that one of the keys has entries and no other.
func onlyOne(field string, given map[string]int, keys ...string) error {
	var have []string
	for _, k := range keys {
		if given[k] > 0 {
			have = append(have, k)
		}
	}
	switch len(have) {
	case 0:
		return &mergesearch.InputError{Field: join(field, keys[0]), Problem: "missing", Hint: "one of " + strings.Join(keys, ", ") + " says what is merged"}
	case 1:
		return nil
	}
	return &mergesearch.InputError{Field: join(field, have[1]), Problem: "stands beside " + have[0], Hint: "only one of " + strings.Join(keys, ", ") + " can say what is merged"}
}

// checkModel checks the text of a reference to a model.
func checkModel(name, field string) error {
	if name == "" || !printable(name) {
		return &mergesearch.InputError{Field: field, Problem: "missing, or with unprintable characters", Hint: modelRefHint}
	}
	_, err := ParseModelRef(name)
	var in *mergesearch.InputError
	if errors.As(err, &in) {
		in.Field = field
		return in
	}
	return nil
}

func (m *method) checkModels(models []mergesearch.Input, field string) error {
	seen := map[string]bool{}
	for i, in := range models {
		field := fmt.Sprintf("%s[%d]", field, i)
		if err := checkModel(in.Model, field+".model"); err != nil {
			return err
		}
		if seen[in.Model] {
			return &mergesearch.InputError{Field: field + ".model", Problem: fmt.Sprintf("%q is listed twice", in.Model), Hint: "list it once, with the sum of the weights"}
		}
		seen[in.Model] = true
		if err := m.checkParameters(in.Parameters, field+".parameters", true); err != nil {
			return err
		}
	}
	return nil
}

// checkSlices checks slices, which together make no more than maxLayers layers.
func (m *method) checkSlices(of []mergesearch.Slice, field string) error {
	layers := 0
	for i, s := range of {
		field := fmt.Sprintf("%s[%d]", field, i)
		if s.Base != "" {
			if err := checkModel(s.Base, field+".base_model"); err != nil {
				return err
			}
		}
		if err := m.checkSources(s.Sources, field+".sources"); err != nil {
			return err
		}
		if err := m.checkParameters(s.Parameters, field+".parameters", false); err != nil {
			return err
		}
		if layers += s.Sources[0].End - s.Sources[0].First; layers > maxLayers {
			return &mergesearch.InputError{Field: field, Problem: fmt.Sprintf("the result would have more than %d layers", maxLayers)}
		}
	}
	return nil
}

// checkSources checks the sources of a slice. A model may stand there twice with
// different layers.
func (m *method) checkSources(sources []mergesearch.Source, field string) error {
	type run struct {
		model      string
		first, end int
	}
	seen := map[run]bool{}
	if len(sources) == 0 {
		return &mergesearch.InputError{Field: field, Problem: "missing", Hint: "a slice needs a model and a layer_range at least"}
	}
	length := sources[0].End - sources[0].First
	for i, s := range sources {
		field := fmt.Sprintf("%s[%d]", field, i)
		if err := checkModel(s.Model, field+".model"); err != nil {
			return err
		}
		this := run{s.Model, s.First, s.End}
		switch {
		case s.First < 0 || s.End < s.First || s.End > maxLayers:
			return &mergesearch.InputError{
				Field: field + ".layer_range", Problem: fmt.Sprintf("[%d, %d] is no run of layers", s.First, s.End),
				Hint: "the first layer comes first, and the second number is that after the last",
			}
		case s.End-s.First != length:
			return &mergesearch.InputError{
				Field: field + ".layer_range", Problem: fmt.Sprintf("%d layers, but %d of the first source", s.End-s.First, length),
				Hint: "all sources of a slice have as many layers as the slice",
			}
		case seen[this]:
			return &mergesearch.InputError{Field: field + ".model", Problem: fmt.Sprintf("%q is listed twice with the same layers", s.Model)}
		}
		seen[this] = true
		if err := m.checkParameters(s.Parameters, field+".parameters", true); err != nil {
			return err
		}
	}
	return nil
}

// checkTokenizer checks what a recipe says of the vocabulary; nil says nothing.
func checkTokenizer(t *mergesearch.Tokenizer) error {
	if t == nil {
		return nil
	}
	if t.Source != "union" && t.Source != "base" {
		if err := checkModel(t.Source, "tokenizer.source"); err != nil {
			return err
		}
	}
	if t.PadToMultipleOf < 0 || t.PadToMultipleOf > maxPadding {
		return &mergesearch.InputError{Field: "tokenizer.pad_to_multiple_of", Problem: fmt.Sprintf("%d is no number of rows", t.PadToMultipleOf)}
	}
	seen := map[string]bool{}
	for _, r := range t.Tokens {
		field := tokenField(r.Token)
		if r.Token == "" || !printableLines(r.Token) || seen[r.Token] {
			return &mergesearch.InputError{Field: field, Problem: "empty, listed twice, or with unprintable characters"}
		}
		seen[r.Token] = true
		if err := checkTokenSource(r.Source, field+".source"); err != nil {
			return err
		}
		if r.Force && r.Source == (mergesearch.TokenSource{}) {
			return &mergesearch.InputError{Field: field + ".force", Problem: "no source to force on the models", Hint: "give a source, or leave out force"}
		}
	}
	return nil
}

func checkTokenSource(s mergesearch.TokenSource, field string) error {
	switch {
	case s == mergesearch.TokenSource{}:
		return nil
	case s.Zero && s != mergesearch.TokenSource{Zero: true}:
		return &mergesearch.InputError{Field: field, Problem: "a zero embedding has neither model nor token"}
	case s.Zero:
		return nil
	case s.Token != "" && s.ID != nil, s.ID != nil && (*s.ID < 0 || *s.ID > maxTokenID), !printableLines(s.Token):
		return &mergesearch.InputError{Field: field, Problem: "want one of token and token_id, and neither negative nor unprintable"}
	}
	return checkModel(s.Model, field+".model")
}

// chatTemplates are the names that chat_template takes.
var chatTemplates = []string{"auto", "alpaca", "chatml", "exaone", "llama3", "mistral"}

// checkChatTemplate tells a name from a template as mergekit does.
func checkChatTemplate(text string) error {
	if text == "" {
		return nil
	}
	for _, name := range chatTemplates {
		if text == name {
			return nil
		}
	}
	const literal = 20 // characters of the shortest template that is not taken for a name
	switch {
	case !printableLines(text):
		return &mergesearch.InputError{Field: "chat_template", Problem: "unprintable character"}
	case utf8.RuneCountInString(text) >= literal && strings.Contains(text, "{"):
		return nil
	case strings.Contains(text, "{"):
		return &mergesearch.InputError{Field: "chat_template", Problem: "neither a known name nor a template", Hint: fmt.Sprintf("a template has %d characters or more", literal)}
	case utf8.RuneCountInString(text) > literal:
		return &mergesearch.InputError{Field: "chat_template", Problem: "a template without an expression", Hint: "known names: " + strings.Join(chatTemplates, ", ")}
	}
	err := mergesearch.UnknownWord("chat template", text, chatTemplates)
	err.Field, err.Problem = "chat_template", fmt.Sprintf("unknown chat template %q", text)
	return err
}
