package port

import "strconv"

// leaderboardMMLUPro: MMLU-Pro as the Open LLM Leaderboard asks it, task
// leaderboard_mmlu_pro: the letters of all options are the choices.
var leaderboardMMLUPro = family{
	name:  "leaderboard/mmlu_pro",
	tasks: named("leaderboard_mmlu_pro"),
	functions: []Function{
		{Name: "utils.doc_to_text", Value: valued(func(r *row) string {
			text := r.printed("question", r.value("question")) + "\n"
			options := r.list("options")
			for i, letter := range r.letters() {
				text += letter.(string) + ". " + r.printed("options", options[i]) + "\n"
			}
			return text + "Answer:"
		})},
		{Name: "utils.doc_to_choice", Value: valued((*row).letters)},
	},
}

// letters names the options.
func (r *row) letters() []any {
	options := r.list("options")
	if len(options) > 26 {
		r.fail("options", "%d options, more than letters", len(options))
		return nil
	}
	out := []any{}
	for i := range options {
		out = append(out, string(rune('A'+i)))
	}
	return out
}

// leaderboardMuSR: MuSR (Sprague et al. 2023, arXiv:2310.16049), tasks leaderboard_musr_*.
// The column choices holds a Python literal.
var leaderboardMuSR = family{
	name:  "leaderboard/musr",
	tasks: named("leaderboard_musr_(?:murder_mysteries|object_placements|team_allocation)"),
	functions: []Function{
		{Name: "utils.doc_to_text", Value: valued(func(r *row) string {
			text := r.printed("narrative", r.value("narrative")) + "\n\n" + r.printed("question", r.value("question")) + "\n\n"
			for i, choice := range r.literals("choices") {
				text += strconv.Itoa(i+1) + " - " + r.printed("choices", choice) + "\n"
			}
			return text + "\nAnswer:"
		})},
		{Name: "utils.doc_to_choice", Value: valued(func(r *row) []any { return r.literals("choices") })},
	},
}

// literals reads a column that holds a list as a Python literal.
func (r *row) literals(column string) []any {
	v, err := literal(r.text(column))
	if err != nil {
		r.fail(column, "no Python literal: %v", err)
	}
	l, ok := v.([]any)
	if !ok {
		r.fail(column, "want the literal of a list")
	}
	return l
}
