package port

import (
	"slices"
	"strings"
)

// webqs: WebQuestions (Berant et al. 2013), task webqs. Every accepted answer is a
// choice, and every choice is right; an answer that goes on from another is left out.
var webqs = family{
	name:  "webqs",
	tasks: named("webqs"),
	functions: []Function{
		{Name: "utils.doc_to_choice", Value: valued(func(r *row) []any { return r.shortest("answers") })},
		{Name: "utils.doc_to_target", Value: valued(func(r *row) []any {
			out := []any{}
			for i := range r.shortest("answers") {
				out = append(out, int64(i))
			}
			return out
		})},
	},
}

// shortest returns the texts of a column, sorted, without those that begin with the one
// kept before them.
func (r *row) shortest(column string) []any {
	texts := r.texts(column)
	slices.Sort(texts)
	if len(texts) == 0 {
		r.fail(column, "is empty")
		return nil
	}
	out := []any{texts[0]}
	for _, s := range texts[1:] {
		if !strings.HasPrefix(s, out[len(out)-1].(string)) {
			out = append(out, s)
		}
	}
	return out
}
