package port

import "strings"

// medqa: MedQA (Jin et al. 2020, arXiv:2009.13081), task medqa_4options.
var medqa = family{
	name:  "medqa",
	tasks: named("medqa_4options"),
	functions: []Function{
		{Name: "preprocess_medqa.doc_to_text", Value: valued(func(r *row) string {
			var b strings.Builder
			b.WriteString("Question: " + r.printed("sent1", r.value("sent1")) + "\n")
			for i, column := range []string{"ending0", "ending1", "ending2", "ending3"} {
				b.WriteString(string(rune('A'+i)) + ". " + r.printed(column, r.value(column)) + "\n")
			}
			b.WriteString("Answer:")
			return b.String()
		})},
		{Name: "preprocess_medqa.doc_to_target", Value: valued(func(r *row) any { return r.value("label") })},
	},
}

// pubmedqa: PubMedQA (Jin et al. 2019, arXiv:1909.06146), task pubmedqa.
var pubmedqa = family{
	name:  "pubmedqa",
	tasks: named("pubmedqa"),
	functions: []Function{
		{Name: "preprocess_pubmedqa.doc_to_text", Value: valued(func(r *row) string {
			return "Abstract: " + strings.Join(r.texts("CONTEXTS"), "\n") +
				"\nQuestion: " + r.printed("QUESTION", r.value("QUESTION")) + "\nAnswer:"
		})},
	},
}
