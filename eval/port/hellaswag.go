package port

import (
	"regexp"
	"strings"

	"mergesearch/eval/python"
)

// hellaswag: HellaSwag (Zellers et al. 2019, arXiv:1905.07830), task hellaswag. Scenes
// of its WikiHow part hold headings and brackets, which are taken out.
var hellaswag = family{
	name:  "hellaswag",
	tasks: named("hellaswag"),
	functions: []Function{
		{Name: "utils.process_docs", Docs: mapped(func(r *row) Fields {
			scene := r.text("ctx_a") + " " + python.Capitalize(r.text("ctx_b"))
			choices := []any{}
			for _, ending := range r.texts("endings") {
				choices = append(choices, withoutBrackets(ending))
			}
			return Fields{
				"query":   withoutBrackets(r.text("activity_label") + ": " + scene),
				"choices": choices,
				"gold":    r.integer("label"),
			}
		})},
	},
}

var bracketed = regexp.MustCompile(`\[.*?\]`)

// withoutBrackets trims s, makes a full stop of " [title]", drops whatever stands in
// brackets on one line, and halves runs of spaces once.
func withoutBrackets(s string) string {
	s = strings.ReplaceAll(python.Strip(s), " [title]", ". ")
	s = bracketed.ReplaceAllString(s, "")
	return strings.ReplaceAll(s, "  ", " ")
}
