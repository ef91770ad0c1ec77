package port

import (
	"mergesearch/eval/python"
)

// copa: the Choice of Plausible Alternatives (Roemmele et al. 2011) in SuperGLUE, task
// copa. The premise loses its full stop and gets a conjunction; the alternatives start
// in lower case.
var copa = family{
	name:  "super_glue/copa",
	tasks: named("copa"),
	functions: []Function{
		{Name: "utils.doc_to_text", Value: valued(func(r *row) string {
			connector, ok := map[string]string{"cause": "because", "effect": "therefore"}[r.text("question")]
			if !ok {
				r.fail("question", "is %q, want cause or effect", r.text("question"))
			}
			premise := []rune(python.Strip(r.text("premise")))
			return string(premise[:max(0, len(premise)-1)]) + " " + connector
		})},
		{Name: "utils.doc_to_target", Value: valued(func(r *row) string {
			if label := r.value("label"); label == int64(0) || label == float64(0) || label == false {
				return r.alternative("choice1")
			}
			return r.alternative("choice2")
		})},
		{Name: "utils.doc_to_choice", Value: valued(func(r *row) []any {
			return []any{r.alternative("choice1"), r.alternative("choice2")}
		})},
	},
}

// alternative is a choice as the end of a sentence.
func (r *row) alternative(column string) string {
	first, rest := cutRune(r.text(column))
	if first == "" {
		r.fail(column, "is empty")
	}
	return " " + python.Lower(first) + rest
}
