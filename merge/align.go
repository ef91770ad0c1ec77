package merge

import (
	"encoding/json"
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/vocabulary"
)

// commonVocabulary is that of a plan whose recipe asks for one.
type commonVocabulary struct {
	*vocabulary.Alignment
	identity string // of what it does to a matrix
}

// align plans the common vocabulary.
func (l *layout) align() error {
	spec := l.Recipe.Tokenizer
	if spec == nil {
		return nil
	}
	models, err := l.vocabulariesWith(spec)
	if err != nil {
		return err
	}
	a, err := vocabulary.Align(*spec, l.Recipe.Base, models)
	if err != nil {
		return err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	l.aligned = &commonVocabulary{Alignment: a, identity: fmt.Sprint(string(text), l.Recipe.Base, l.Recipe.ModelNames())}
	return nil
}

// vocabularies returns what is known of the models' tokenizers.
func (p *Plan) vocabularies() ([]vocabulary.Model, error) {
	var out []vocabulary.Model
	for _, m := range p.models {
		v, err := m.vocabulary()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// vocabulariesWith adds the models that only the tokenizer's rules name.
func (l *layout) vocabulariesWith(spec *mergesearch.Tokenizer) ([]vocabulary.Model, error) {
	out, err := l.vocabularies()
	if err != nil {
		return nil, err
	}
	for _, name := range (mergesearch.Recipe{Tokenizer: spec}).ModelNames() {
		m, err := l.model(name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(l.models, m) {
			continue
		}
		v, err := m.vocabulary()
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (m *model) vocabulary() (vocabulary.Model, error) {
	files, err := m.Files()
	if err != nil {
		return vocabulary.Model{}, err
	}
	v := vocabulary.Model{Name: m.name, Files: files}
	for _, name := range m.Names() {
		if info, _ := m.Info(name); m.architecture.Embedding(name) && len(info.Shape) == 2 {
			v.Rows = info.Shape[0]
			break
		}
	}
	return v, nil
}

// CheckVocabulary refuses a recipe that merges models whose tokens differ without
// saying which vocabulary the result has. Rows of different tokens would be mixed.
func (e *Engine) CheckVocabulary(r mergesearch.Recipe) error {
	p, err := e.Plan(r)
	if err != nil || r.Tokenizer != nil || len(p.models) == 1 {
		return err
	}
	models, err := p.vocabularies()
	if err != nil {
		return err
	}
	return vocabulary.Check(models)
}

// alignedShape returns the shape of a token matrix after alignment.
func (a *commonVocabulary) alignedShape(shape []int) []int { return []int{a.Rows(), shape[1]} }

// alignInputs replaces the views of a tensor's inputs by aligned ones.
func (b *binding) alignInputs(r mergesearch.Recipe, a *commonVocabulary, columns int) error {
	inputs := map[string]kernel.Source{}
	all := make([]*operand, 0, len(b.models)+1)
	for i := range b.models {
		all = append(all, &b.models[i])
	}
	if b.base.model != nil {
		all = append(all, &b.base)
	}
	for _, o := range all {
		inputs[o.model.name] = o.view
	}
	matrices, err := a.Matrices(columns, inputs)
	if r.Compat == "mergekit" {
		matrices, err = a.MatricesIn(b.computeType(r), columns, inputs)
	}
	if err != nil {
		return err
	}
	for _, o := range all {
		o.view = matrices[o.model.name]
		o.identity = b.engine.inputs.of(fmt.Sprintf("%d\x00%s\x00%v", o.identity, a.identity, len(inputs)))
	}
	return nil
}
