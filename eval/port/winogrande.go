package port

import (
	"strings"

	"mergesearch/eval/python"
)

// winogrande: WinoGrande (Sakaguchi et al. 2019, arXiv:1907.10641), task winogrande. The
// choices are contexts, the sentence up to its blank with an option put in; the target
// is the rest of the sentence; the question is the number of the right context.
var winogrande = family{
	name:      "winogrande",
	tasks:     named("winogrande"),
	functions: blankFunctions("preprocess_winogrande."),
}

// xwinograd: XWinograd (Tikhonov and Ryabinin 2021, arXiv:2106.12066), tasks xwinograd_en
// and so on: the same in six languages.
var xwinograd = family{
	name:      "xwinograd",
	tasks:     named("xwinograd_(?:en|fr|jp|pt|ru|zh)"),
	functions: blankFunctions("utils."),
}

func blankFunctions(file string) []Function {
	return []Function{
		{Name: file + "doc_to_text", Value: valued(func(r *row) int64 {
			switch answer := r.text("answer"); answer {
			case "1":
				return 0
			case "2":
				return 1
			default:
				r.fail("answer", "is %q, want 1 or 2", answer)
				return 0
			}
		})},
		{Name: file + "doc_to_choice", Value: valued(func(r *row) []any {
			before, _ := r.blank()
			return []any{before + r.text("option1"), before + r.text("option2")}
		})},
		{Name: file + "doc_to_target", Value: valued(func(r *row) string {
			_, after := r.blank()
			return python.Strip(after)
		})},
	}
}

// blank cuts the sentence at its first blank.
func (r *row) blank() (before, after string) {
	before, after, ok := strings.Cut(r.text("sentence"), "_")
	if !ok {
		r.fail("sentence", "holds no blank (_)")
	}
	return before, after
}
