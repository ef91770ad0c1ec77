package port

import (
	"strings"

	"mergesearch/eval/python"
)

// mnli: Multi-NLI (Williams et al. 2018, arXiv:1704.05426) in GLUE, tasks mnli and
// mnli_mismatch. The hypothesis ends in a full stop.
var mnli = family{
	name:  "glue/mnli",
	tasks: named("mnli|mnli_mismatch"),
	functions: []Function{
		{Name: "utils.doc_to_text", Value: valued(func(r *row) string {
			hypothesis := strings.TrimSuffix(python.Strip(r.text("hypothesis")), ".") + "."
			return r.printed("premise", r.value("premise")) + "\nQuestion: " + hypothesis + " True, False or Neither?\nAnswer:"
		})},
	},
}
