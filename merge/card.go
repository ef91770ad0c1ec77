package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// modelCard returns README.md of a merged model: front matter for the Hugging
// Face Hub, the models, the recipe.
func modelCard(p *Plan, recipe []byte, tool string) []byte {
	tool = cmp.Or(tool, "mergesearch")
	var b bytes.Buffer
	b.WriteString("---\nlibrary_name: transformers\ntags:\n- mergesearch\n- merge\nbase_model:\n")
	names := p.Recipe.ModelNames()
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
	fmt.Fprintf(&b, "\nConfiguration and tokenizer are those of %s.\n", code(p.Donor))
	fmt.Fprintf(&b, "\n## Recipe\n\nRecipe %s, readable by mergekit but for the `mergesearch` block, also in `recipe.yaml`:\n\n", code(string(p.Recipe.ID())))
	for line := range strings.Lines(string(recipe)) {
		b.WriteString("    " + line)
	}
	return b.Bytes()
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
