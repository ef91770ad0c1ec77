package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mergesearch"
)

// modelCard returns README.md of a merged model: front matter for the Hugging
// Face Hub, the models, the recipe.
func modelCard(p *Plan, recipe []byte, tool string) []byte {
	tool = cmp.Or(tool, "mergesearch")
	var b bytes.Buffer
	b.WriteString("---\nlibrary_name: transformers\ntags:\n- mergesearch\n- merge\nbase_model:\n")
	names := sourceNames(p.Recipe)
	for _, n := range names {
		fmt.Fprintf(&b, "- %s\n", yamlString(n))
	}
	b.WriteString("---\n\n# Merged model\n\n")
	fmt.Fprintf(&b, "Built by %s with the method %s from:\n\n", code(tool), code(p.Method.Name))
	for _, n := range names {
		role := ""
		if n == p.Recipe.Base {
			role = " (base model)"
		}
		fmt.Fprintf(&b, "- %s%s\n", code(n), role)
	}
	b.Write(p.licences())
	fmt.Fprintf(&b, "\nConfiguration and tokenizer are those of %s.\n", code(p.Donor))
	fmt.Fprintf(&b, "\n## Recipe\n\nRecipe %s, readable by mergekit but for the `mergesearch` block, also in `recipe.yaml`:\n\n", code(string(p.Recipe.ID())))
	for line := range strings.Lines(string(recipe)) {
		b.WriteString("    " + line)
	}
	return b.Bytes()
}

// sourceNames returns what a recipe is made of: its models, and adapters of stages.
func sourceNames(r mergesearch.Recipe) []string {
	stages := map[string]bool{}
	for _, s := range r.Stages {
		stages[s.Name] = true
	}
	var out []string
	for _, name := range r.ModelNames() {
		if ref, err := ParseModelRef(name); err == nil && stages[ref.Path] {
			name = ModelRef{Path: ref.Adapter, Revision: ref.AdapterRevision}.String()
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// licences lists what the models' own cards say of their licences. Whether they
// allow a merge is for the reader to judge.
func (p *Plan) licences() []byte {
	var b bytes.Buffer
	for _, m := range p.models {
		if m.checkpoint == nil {
			continue
		}
		card, err := m.checkpoint.ReadFile("README.md", maxCardBytes)
		if err != nil {
			continue // no card, or none that can be read: nothing is known
		}
		if licence := licenceOf(card); licence != "" {
			fmt.Fprintf(&b, "- %s: %s\n", code(m.name), code(licence))
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return append([]byte("\nLicences, as the models' cards state them:\n\n"), b.Bytes()...)
}

const maxCardBytes = 1 << 20

// licenceOf returns the licence in the front matter of a model card, or "".
func licenceOf(card []byte) string {
	front, ok := strings.CutPrefix(strings.ReplaceAll(string(card), "\r\n", "\n"), "---\n")
	if !ok {
		return ""
	}
	front, _, ok = strings.Cut(front, "\n---")
	if !ok {
		return ""
	}
	found := map[string]string{}
	for line := range strings.Lines(front) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			found[key] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	if found["license"] == "other" && found["license_name"] != "" {
		return found["license_name"]
	}
	return found["license"]
}

// code returns text as a Markdown code span, which nothing in it can end.
func code(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	longest, run := 0, 0
	for _, r := range text {
		if run++; r != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
