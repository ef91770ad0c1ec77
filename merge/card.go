package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
)

// Section is a part of a model card that the caller knows more of: how good the model
// is and how that is known. It is plain text: nothing in it is read as Markdown.
type Section struct {
	Title  string
	Text   []string // a paragraph each, plain text
	Header []string // of a table; nil for none
	Rows   [][]string
}

// modelCard returns README.md of a merged model: front matter for the Hugging
// Face Hub, the models, the licence, sections, the recipe.
func modelCard(p *Plan, recipe []byte, o WriteOptions) []byte {
	tool := cmp.Or(o.Tool, "mergesearch")
	var b bytes.Buffer
	names := sourceNames(p.Recipe)
	licence := CommonLicence(p.licences())
	b.WriteString("---\nlibrary_name: transformers\ntags:\n- mergesearch\n- merge\n")
	if strings.HasPrefix(p.Method.Name, "dare_") || slices.Contains([]string{"linear", "slerp", "task_arithmetic", "ties"}, p.Method.Name) {
		fmt.Fprintf(&b, "- %s\n", yamlString(p.Method.Name))
	}
	b.WriteString("base_model:\n")
	for _, n := range names {
		fmt.Fprintf(&b, "- %s\n", yamlString(hubName(cmp.Or(o.Paths[n], n), n)))
	}
	b.WriteString("base_model_relation: merge\n")
	b.WriteString(licence.front())
	b.WriteString("---\n\n# Merged model\n\n")
	fmt.Fprintf(&b, "Built by %s with the method %s from:\n\n", code(tool), code(p.Method.Name))
	for _, n := range names {
		role := ""
		if n == p.Recipe.Base {
			role = " (base model)"
		}
		fmt.Fprintf(&b, "- %s%s\n", code(n), role)
	}
	b.WriteString(licence.note())
	fmt.Fprintf(&b, "\nConfiguration and tokenizer are those of %s.\n", code(p.Donor))
	for _, s := range o.Sections {
		s.write(&b)
	}
	fmt.Fprintf(&b, "\n## Recipe\n\nRecipe %s, readable by mergekit but for the `mergesearch` block, also in `recipe.yaml`:\n\n", code(string(p.Recipe.ID())))
	for line := range strings.Lines(string(recipe)) {
		b.WriteString("    " + line)
	}
	return b.Bytes()
}

// write adds a section to a card.
func (s Section) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## %s\n", prose(s.Title))
	for _, t := range s.Text {
		fmt.Fprintf(b, "\n%s\n", prose(t))
	}
	if s.Header == nil {
		return
	}
	b.WriteByte('\n')
	row := func(cells []string, write func(string) string) {
		for _, c := range cells {
			b.WriteString("| " + write(c) + " ")
		}
		b.WriteString("|\n")
	}
	row(s.Header, prose)
	row(slices.Repeat([]string{"---"}, len(s.Header)), func(c string) string { return c })
	for _, r := range s.Rows {
		row(r, prose)
	}
}

// prose escapes what Markdown or HTML would take for its own, and keeps it on one line.
func prose(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x20 || r == 0x7f:
			r = ' '
		case strings.ContainsRune("\\`*_[]<>#!|~&$", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// hubName returns the name of a repository whose snapshot in the cache of the Hugging
// Face Hub a path leads to, else the name given.
func hubName(path, name string) string {
	for _, part := range strings.Split(filepath.ToSlash(path), "/") {
		if owner, rest, ok := strings.Cut(strings.TrimPrefix(part, "models--"), "--"); ok && strings.HasPrefix(part, "models--") {
			return owner + "/" + rest
		}
	}
	return name
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

// licences returns what the cards of the plan's models say, by model.
func (p *Plan) licences() map[string]string { return licencesOf(p.models) }

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
