package port

import (
	"math"
	"strings"

	"mergesearch/eval/python"
)

// drop: DROP (Dua et al. 2019, arXiv:1903.00161), task drop. Answers are numbers, dates
// or spans of a passage; several are right. An answer is scored against each of them,
// by equality and by the overlap of words (em, f1), after articles, punctuation and
// case are gone.
var drop = family{
	name:  "drop",
	tasks: named("drop"),
	functions: []Function{
		{Name: "utils.process_docs", Docs: mapped(func(r *row) Fields {
			return Fields{
				"id": r.value("query_id"), "passage": r.value("passage"), "question": r.value("question"),
				"answers": r.dropAnswers(),
			}
		})},
		{Name: "utils.process_results", Results: scored(dropScore)},
	},
}

// dropAnswers are the right answers, each a list of spans, without repetitions.
func (r *row) dropAnswers() []any {
	answers := []any{}
	seen := map[string]bool{}
	add := func(candidate *row) {
		spans := candidate.dropSpans()
		r.blame(candidate)
		if key := strings.Join(spans, "\x00"); !seen[key] {
			seen[key] = true
			answers = append(answers, anys(spans))
		}
	}
	add(r.inside("answer"))
	validated := r.inside("validated_answers")
	numbers, dates, spans := validated.list("number"), validated.list("date"), validated.list("spans")
	r.blame(validated)
	if r.err == nil && (len(dates) < len(numbers) || len(spans) < len(numbers)) {
		r.fail("validated_answers", "%d numbers, but %d dates and %d spans", len(numbers), len(dates), len(spans))
	}
	for i := range numbers {
		if r.err != nil {
			break
		}
		add(&row{fields: Fields{"number": numbers[i], "date": dates[i], "spans": spans[i]}})
	}
	return answers
}

// dropSpans is one answer: its number if there is one, else its spans, else its date.
func (r *row) dropSpans() []string {
	if number := r.value("number"); number != "" {
		return []string{r.printed("number", number)}
	}
	if spans := r.texts("spans"); len(spans) > 0 {
		return spans
	}
	date := r.inside("date")
	text := python.Strip(date.text("day") + " " + date.text("month") + " " + date.text("year"))
	r.blame(date)
	return []string{text}
}

func dropScore(r *row, a Answers) map[string]Mark {
	var em, f1 float64
	if len(a.Texts) != 1 {
		r.fail("answers", "%d texts, want one", len(a.Texts))
		return nil
	}
	for _, v := range r.list("answers") {
		spans, ok := v.([]any)
		if !ok || len(spans) == 0 {
			r.fail("answers", "want lists of spans; are the documents processed?")
			return nil
		}
		right := make([]string, len(spans))
		for i, span := range spans {
			right[i] = r.asText("answers", span)
		}
		if python.Strip(right[0]) != "" {
			e, f := dropCompare(a.Texts[0], right)
			em, f1 = max(em, e), max(f1, f)
		}
	}
	return map[string]Mark{"em": {Value: em}, "f1": {Value: f1}}
}

// dropCompare scores one text against one right answer. One text can be aligned with
// one span only, so the best alignment is the best span, and the other spans count as
// missed.
func dropCompare(text string, right []string) (em, f1 float64) {
	predicted := dropNormal(text)
	bag := setOf(python.Split(predicted))
	best := 0.0
	for _, span := range right {
		span = dropNormal(span)
		if len(right) == 1 && span == predicted {
			em = 1
		}
		if gold := setOf(python.Split(span)); numbersMeet(gold, bag) {
			best = max(best, overlap(bag, gold))
		}
	}
	f1 = best / float64(len(right))
	return em, math.RoundToEven(f1*100) / 100 // as numpy rounds to two places
}

// dropNormal takes case, punctuation and articles from each word; numbers become floats.
func dropNormal(text string) string {
	var kept []string
	for _, token := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '-' }) {
		token = python.Lower(token)
		if _, err := python.Float(token); err != nil {
			token = strings.Map(func(r rune) rune {
				if r < 0x80 && strings.ContainsRune("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", r) {
					return -1
				}
				return r
			}, token)
		}
		if x, err := python.Float(token); err == nil {
			token = floatText(x)
		}
		token = strings.Join(python.Split(withoutArticles(token)), " ")
		if token != "" {
			kept = append(kept, token)
		}
	}
	return strings.Join(kept, " ")
}

// withoutArticles puts a space for each a, an and the.
func withoutArticles(s string) string {
	var b strings.Builder
	word := ""
	end := func() {
		if word == "a" || word == "an" || word == "the" {
			word = " "
		}
		b.WriteString(word)
		word = ""
	}
	for _, r := range s {
		if python.IsWord(r) {
			word += string(r)
			continue
		}
		end()
		b.WriteRune(r)
	}
	end()
	return b.String()
}

func setOf(words []string) map[string]bool {
	set := map[string]bool{}
	for _, w := range words {
		set[w] = true
	}
	return set
}

// numbersMeet says whether gold has no number, or one that the other has too.
func numbersMeet(gold, other map[string]bool) bool {
	none := true
	for w := range gold {
		if _, err := python.Float(w); err == nil {
			if none = false; other[w] {
				return true
			}
		}
	}
	return none
}

// overlap is the F1 of two sets of words.
func overlap(predicted, gold map[string]bool) float64 {
	common := 0
	for w := range gold {
		if predicted[w] {
			common++
		}
	}
	precision, recall := 1.0, 1.0
	if len(predicted) > 0 {
		precision = float64(common) / float64(len(predicted))
	}
	if len(gold) > 0 {
		recall = float64(common) / float64(len(gold))
	}
	if precision == 0 && recall == 0 {
		return 0
	}
	return 2 * precision * recall / (precision + recall)
}
