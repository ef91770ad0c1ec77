package port

import (
	"slices"
	"strings"

	"mergesearch/eval/python"
)

// logiqa: LogiQA (Liu et al. 2020, arXiv:2007.08124), task logiqa.
var logiqa = family{
	name:  "logiqa",
	tasks: named("logiqa"),
	functions: []Function{
		{Name: "utils_logiqa.doc_to_text", Value: valued(func(r *row) string {
			return passage(r, "context", "Choices:\n")
		})},
		{Name: "utils_logiqa.doc_to_target", Value: valued(func(r *row) int64 {
			label := python.Strip(r.text("label"))
			i := slices.Index([]string{"a", "b", "c", "d"}, label)
			if i < 0 {
				r.fail("label", "is %q, want a, b, c or d", label)
			}
			return int64(i)
		})},
	},
}

// logiqa2: LogiQA 2.0 (Liu et al. 2023, doi 10.1109/TASLP.2023.3293046), task logiqa2.
var logiqa2 = family{
	name:  "logiqa2",
	tasks: named("logiqa2"),
	functions: []Function{
		{Name: "utils_logiqa2.doc_to_text", Value: valued(func(r *row) string {
			return passage(r, "text", "")
		})},
	},
}

// passage is a text, a question about it and at most four options.
func passage(r *row, column, heading string) string {
	var b strings.Builder
	b.WriteString("Passage: " + r.text(column) + "\nQuestion: " + r.text("question") + "\n" + heading)
	for i, option := range r.list("options") {
		if i < len("ABCD") {
			b.WriteString(string(rune('A'+i)) + ". " + r.printed("options", option) + "\n")
		}
	}
	b.WriteString("Answer:")
	return b.String()
}
