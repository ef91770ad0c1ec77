package eval

import (
	"context"
	"slices"
	"time"

	"mergesearch"
	"mergesearch/eval/python"
)

// Written is a completion, for tests outside.
type Written struct {
	Text, Finish string
	Tokens       int
}

// Answers asks one question and returns what came back, before it is graded.
func Answers(e *Evaluator, c mergesearch.Candidate, id mergesearch.ItemID) (logprobs []float64, greedy []bool, texts []Written, err error) {
	ctx := context.Background()
	places, err := e.places([]mergesearch.ItemID{id})
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := e.options.Endpoint.Serve(ctx, c)
	if err != nil {
		return nil, nil, nil, err
	}
	defer s.Close()
	p, err := e.planFor(c.Files, s)
	if err != nil {
		return nil, nil, nil, err
	}
	a := e.asking(p, s, places)
	r, err := p.item(places[0], &e.questions[places[0]], e.taskOf[places[0]], true)
	if err != nil {
		return nil, nil, nil, err
	}
	got, err := a.answers(ctx, r)
	for _, l := range got.likelihoods {
		logprobs, greedy = append(logprobs, l.logprob), append(greedy, l.greedy)
	}
	for _, w := range got.texts {
		texts = append(texts, Written{w.text, w.finish, w.tokens})
	}
	return logprobs, greedy, texts, err
}

// MakeRolling makes the questions of a task texts that are scored as a whole.
func MakeRolling(t *Task, text string) {
	for i := range t.questions {
		t.questions[i].rolling, t.questions[i].pairs = true, []pair{{"", text}}
	}
}

// Conversation makes the questions of a task turns of a chat.
func Conversation(t *Task) {
	for i := range t.questions {
		t.questions[i].talk = &talk{turns: [][]turn{{{Role: "system", Content: "sums: "}, {Role: "user", Content: t.questions[i].prompt}}}}
	}
}

// Drawn sets how the completions of a task are drawn.
func Drawn(t *Task, repeats int, temperature float64, until ...string) {
	t.repeats, t.temperature = repeats, temperature
	if until != nil {
		t.until = until
	}
}

// Grade reads a grade of a scale from what a judge model wrote.
func Grade(pattern string, low, high float64, text string) (float64, error) {
	g := grading{python.MustCompile(pattern), low, high}
	return g.value(text)
}

// Hasten makes an evaluator wait less between attempts.
func Hasten(e *Evaluator, base time.Duration) {
	e.client.retry.base, e.judges.client.retry.base = base, base
}

// Asked is what an item asks, request by request: context and continuation, or one
// text.
type Asked [][]string

// AskedBy lists what the items of a split ask, in their order, of a candidate.
func AskedBy(e *Evaluator, c mergesearch.Candidate, t *Task, split mergesearch.Split) []Asked {
	plan, err := e.planFor(c.Files, Session{})
	if err != nil {
		panic(err)
	}
	var out []Asked
	for _, item := range t.Items(split) {
		q := &t.questions[slices.IndexFunc(t.questions, func(q question) bool { return q.id == item.ID })]
		var a Asked
		var contexts []string
		prompt := q.prompt
		if q.talk != nil {
			if contexts, err = plan.chat.contexts(q); err == nil {
				prompt, err = plan.chat.prompt(q, 0)
			}
			if err != nil {
				panic(err)
			}
		}
		for i, p := range q.pairs {
			if contexts != nil {
				p.context = contexts[i]
			}
			if q.rolling {
				a = append(a, []string{p.continuation})
			} else {
				a = append(a, []string{p.context, p.continuation})
			}
		}
		if q.pairs == nil {
			a = Asked{{prompt}}
		}
		out = append(out, a)
	}
	return out
}

// PromptTokens lists how many tokens the prompts of a split's items have together,
// item by item, one whole prompt for each pair.
func PromptTokens(e *Evaluator, c mergesearch.Candidate, split mergesearch.Split) []int {
	p, err := e.planFor(c.Files, Session{})
	if err != nil {
		panic(err)
	}
	var out []int
	for _, item := range e.Items(split) {
		q := &e.questions[e.place[item.ID]]
		n := 0
		for _, a := range q.pairs {
			seqs, err := p.sequences(q, p.encoder, a)
			if err != nil {
				panic(err)
			}
			for _, s := range seqs {
				n += len(s.ids)
			}
		}
		out = append(out, n)
	}
	return out
}
