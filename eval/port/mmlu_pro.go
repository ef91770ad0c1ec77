package port

import (
	"strings"

	"mergesearch/eval/python"
)

// mmluPro: MMLU-Pro (Wang et al. 2024, arXiv:2406.01574), tasks mmlu_pro_biology and so
// on: up to ten options, an answer reasoned step by step. process_<subject> keeps the
// documents of one category.
var mmluPro = family{
	name:      "mmlu_pro",
	tasks:     named("mmlu_pro|mmlu_pro_(?:" + strings.Join(mmluProSubjects, "|") + ")"),
	functions: mmluProFunctions(),
}

var mmluProSubjects = []string{
	"biology", "business", "chemistry", "computer_science", "economics", "engineering", "health",
	"history", "law", "math", "other", "philosophy", "physics", "psychology",
}

func mmluProFunctions() []Function {
	out := []Function{
		{Name: "utils.doc_to_text", Value: valued(mmluProQuestion)},
		{Name: "utils.fewshot_to_text", Value: valued(mmluProQuestion)},
		{Name: "utils.fewshot_to_target", Value: valued(func(r *row) string {
			return strings.ReplaceAll(r.text("cot_content"), "A: Let's think step by step. ", "")
		})},
	}
	for _, subject := range mmluProSubjects {
		category := strings.ReplaceAll(subject, "_", " ")
		out = append(out, Function{Name: "utils.process_" + subject, Docs: filtered(func(r *row) bool {
			return r.value("category") == category
		})})
	}
	return out
}

// mmluProQuestion lists at most ten options, A to J.
func mmluProQuestion(r *row) string {
	var b strings.Builder
	b.WriteString("Question:\n" + r.text("question") + "\nOptions:\n")
	for i, option := range r.list("options") {
		if i == len("ABCDEFGHIJ") {
			break
		}
		b.WriteString(string(rune('A'+i)) + ". " + python.Strip(r.asText("options", option)) + "\n")
	}
	b.WriteString("Answer: Let's think step by step.")
	return b.String()
}
