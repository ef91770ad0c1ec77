package port

import (
	"slices"
	"strings"
)

// race: RACE (Lai et al. 2017, arXiv:1704.04683), task race. The column problems holds a
// Python literal, a list of questions on one article; all but the last are asked with
// their answers, the last is the question.
var race = family{
	name:  "race",
	tasks: named("race"),
	functions: []Function{
		{Name: "preprocess_race.doc_to_text", Value: valued(func(r *row) string {
			var b strings.Builder
			b.WriteString("Article: " + r.text("article") + "\n\n")
			problems := r.problems()
			for _, p := range problems[:len(problems)-1] {
				question, answer := p.text("question"), p.option(p.letter())
				if strings.HasSuffix(question, "  _  .") {
					b.WriteString(strings.TrimSuffix(question, " _  .") + answer + "\n")
				} else {
					b.WriteString("Question: " + question + "\nAnswer: " + answer + "\n")
				}
				r.blame(p)
			}
			p := problems[len(problems)-1]
			b.WriteString(p.text("question"))
			r.blame(p)
			return b.String()
		})},
		{Name: "preprocess_race.doc_to_choice", Value: valued(func(r *row) []any {
			p := r.lastProblem()
			out := []any{p.choice(0), p.choice(1), p.choice(2), p.choice(3)}
			r.blame(p)
			return out
		})},
		{Name: "preprocess_race.doc_to_target", Value: valued(func(r *row) int64 {
			p := r.lastProblem()
			answer := p.letter()
			r.blame(p)
			return int64(answer)
		})},
	},
}

// problems returns the questions of a document, at least one.
func (r *row) problems() []*row {
	v, err := literal(r.text("problems"))
	if err != nil {
		r.fail("problems", "no Python literal: %v", err)
	}
	list, _ := v.([]any)
	var out []*row
	for _, p := range list {
		m, ok := p.(map[string]any)
		if !ok {
			r.fail("problems", "holds %s, want mappings", kind(p))
		}
		out = append(out, &row{fields: m})
	}
	if len(out) == 0 {
		r.fail("problems", "want a list of at least one question")
		out = []*row{{}}
	}
	return out
}

func (r *row) lastProblem() *row {
	p := r.problems()
	return p[len(p)-1]
}

// letter returns the number of the right option of a problem.
func (r *row) letter() int {
	answer := r.text("answer")
	i := slices.Index([]string{"A", "B", "C", "D"}, answer)
	if i < 0 {
		r.fail("answer", "is %q, want A, B, C or D", answer)
		return 0
	}
	return i
}

func (r *row) choice(i int) any {
	options := r.list("options")
	if i >= len(options) {
		r.fail("options", "%d options, want more", len(options))
		return ""
	}
	return options[i]
}

func (r *row) option(i int) string { return r.asText("options", r.choice(i)) }
