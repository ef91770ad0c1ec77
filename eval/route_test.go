package eval_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// routes are servers that can do one thing each.
func routes() map[string]eval.Profile {
	bare := evaltest.Full
	bare.EchoLogprobs, bare.ZeroTokens, bare.ManyPrompts, bare.Fingerprint = false, false, false, false
	with := func(change func(*eval.Profile)) eval.Profile {
		p := bare
		change(&p)
		return p
	}
	return map[string]eval.Profile{
		"echo":                with(func(p *eval.Profile) { p.EchoLogprobs = true }),
		"echo, many":          with(func(p *eval.Profile) { p.EchoLogprobs, p.ManyPrompts, p.ZeroTokens = true, true, true }),
		"prompt_logprobs":     with(func(p *eval.Profile) { p.PromptLogprobs = true }),
		"prompt_logprobs all": with(func(p *eval.Profile) { p.PromptLogprobs, p.ManyPrompts = true, true }),
		"labels":              with(func(p *eval.Profile) { p.PromptLogprobs, p.LabelLogprobs = true, true }),
		"top":                 with(func(p *eval.Profile) { p.PromptLogprobs, p.TopLogprobs = true, 20 }),
		"generate":            with(func(p *eval.Profile) { p.Generate, p.TokenPrompts = true, false }),
		"forced":              with(func(p *eval.Profile) { p.Forced, p.TokenPrompts = true, false }),
	}
}

// Every way of asking gives the same scores, to the last bit, and the same greedy
// flags: for choices of one token and of several.
func TestRoutesAgree(t *testing.T) {
	multi := strings.Replace(choiceTask, `doc_to_choice: choices`, `doc_to_choice: ["3 ", "4 and", "é"]`, 1)
	single := strings.Replace(choiceTask, `doc_to_choice: choices`, `doc_to_choice: ["3", "4", "5"]`, 1)
	var want [2][]eval.Sample
	for i, text := range []string{multi, single} {
		full, _ := evaluator(t, evaltest.Full, readTask(t, text))
		r, err := full.ScoreDetailed(context.Background(), evaltest.Candidate(1, good), items(full, mergesearch.SearchSplit))
		if err != nil {
			t.Fatal(err)
		}
		want[i] = r.Samples
	}
	for name, p := range routes() {
		for i, text := range []string{multi, single} {
			e, s := evaluator(t, p, readTask(t, text))
			got, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, good), items(e, mergesearch.SearchSplit))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if d := cmp.Diff(want[i], got.Samples); d != "" {
				t.Errorf("%s: %s", name, d)
			}
			requests := map[string][2]int{
				"echo": {9, 9}, "echo, many": {3, 3}, "prompt_logprobs": {9, 9}, "prompt_logprobs all": {3, 3},
				"labels": {9, 3}, "generate": {9, 9}, "forced": {27, 9},
			}[name]
			if requests[i] != 0 && s.Requests() != requests[i] {
				t.Errorf("%s: %d requests for task %d, want %d", name, s.Requests(), i, requests[i])
			}
		}
	}
}

// Greedy means that the answer is what the model would write, on every route.
func TestGreedyOnEveryRoute(t *testing.T) {
	task := strings.Replace(strings.Replace(choiceTask, "output_type: multiple_choice", "output_type: loglikelihood", 1), "doc_to_target: label\ndoc_to_choice: choices", "doc_to_target: answer\nmetric_list: [{metric: acc}]", 1)
	for name, p := range routes() {
		e, _ := evaluator(t, p, readTask(t, task))
		for m, want := range map[*evaltest.Model][]float64{&good: {1, 1, 1}, &poor: {1, 0, 1}} {
			got, err := score(t, e, *m)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, o := range got {
				if o.Value != want[i] {
					t.Errorf("%s, %s: %+v, want %v", name, m.Fingerprint, o, want[i])
				}
			}
		}
	}
}

// Law: what choices score does not depend on the order in which they are listed,
// or on how many stand beside them.
func TestChoicesAreScoredAlone(t *testing.T) {
	all := []string{"3", "4", "55", "6 6", "é"}
	alone := map[string]float64{}
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.Permutation(all).Draw(rt, "choices")[:rapid.IntRange(2, len(all)).Draw(rt, "n")]
		text := strings.Replace(choiceTask, "doc_to_choice: choices", `doc_to_choice: ["`+strings.Join(list, `", "`)+`"]`, 1)
		e, s := evaluator(t, evaltest.Full, readTask(t, text))
		defer s.Close()
		got, _, _, err := eval.Answers(e, evaltest.Candidate(1, good), "facts/s1")
		if err != nil {
			rt.Fatal(err)
		}
		for i, choice := range list {
			if want, seen := alone[choice]; seen && got[i] != want {
				rt.Errorf("%q scores %v, beside others %v", choice, want, got[i])
			}
			alone[choice] = got[i]
		}
	})
}

// A rolling log-likelihood is the sum over all bytes of the text, whatever the
// windows and the route, with a server that looks at no more than its windows.
func TestRollingLikelihood(t *testing.T) {
	const text = "the model reads this in windows"
	for name, p := range routes() {
		values := map[int]float64{}
		for _, context := range []int{0, 8, 12} {
			p.Context = context
			task := readTask(t, choiceTask)
			eval.MakeRolling(task, text)
			e, s := evaluator(t, p, task)
			got, _, _, err := eval.Answers(e, evaltest.Candidate(1, good), "facts/s1")
			if err != nil || len(got) != 1 {
				t.Fatalf("%s: %v, %v", name, got, err)
			}
			values[context] = got[0]
			if context == 8 && p.ManyPrompts && s.Requests() != 1 {
				t.Errorf("%s: %d requests", name, s.Requests())
			}
		}
		if values[0] >= 0 || values[0] == values[8] || values[8] == values[12] {
			t.Errorf("%s: %v, want another value for other windows", name, values)
		}
		for context, want := range rollingValues(t) {
			if math.Abs(values[context]-want) > 1e-9 {
				t.Errorf("%s, %d tokens of context: %v, want %v", name, context, values[context], want)
			}
		}
	}
}

// rollingValues are those of the plainest server.
func rollingValues(t *testing.T) map[int]float64 {
	t.Helper()
	out := map[int]float64{}
	for _, context := range []int{0, 8, 12} {
		p := evaltest.Full
		p.Context = context
		task := readTask(t, choiceTask)
		eval.MakeRolling(task, "the model reads this in windows")
		e, _ := evaluator(t, p, task)
		got, _, _, err := eval.Answers(e, evaltest.Candidate(1, good), "facts/s1")
		if err != nil {
			t.Fatal(err)
		}
		out[context] = got[0]
	}
	return out
}

// A prompt that is too long is refused by name on every route, and nothing is sent.
func TestNothingIsCutInSilence(t *testing.T) {
	for name, p := range routes() {
		p.Context = 5
		e, s := evaluator(t, p, readTask(t, choiceTask))
		_, err := score(t, e, good)
		if in := inputError(t, err); !strings.Contains(in.Problem, "the model reads 5") || s.Requests() != 0 {
			t.Errorf("%s: %v after %d requests", name, err, s.Requests())
		}
	}
}

// Several completions of one item have seeds of their own and repeat.
func TestRepeats(t *testing.T) {
	task := readTask(t, generateTask)
	eval.Drawn(task, 4, 1.5)
	e, s := evaluator(t, evaltest.Full, task)
	_, _, first, err := eval.Answers(e, evaltest.Candidate(1, good), "sums/s1")
	if err != nil || len(first) != 4 {
		t.Fatalf("%v, %v", first, err)
	}
	texts := map[string]bool{}
	for _, w := range first {
		texts[w.Text] = true
	}
	if len(texts) < 2 {
		t.Errorf("every completion is %v", first)
	}
	for i, body := range s.Bodies() {
		if want := `"temperature":1.5,"top_p":1,"n":1,"presence_penalty":0,"frequency_penalty":0,"seed":` + []string{"1234", "1235", "1236", "1237"}[i]; !strings.Contains(body, want) {
			t.Errorf("request %d: %s", i, body)
		}
	}
	_, _, again, err := eval.Answers(e, evaltest.Candidate(2, good), "sums/s1")
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("%v, then %v, %v", first, again, err)
	}
}

// Chat gives the answer of the conversation; stop strings beyond the fourth are
// applied here.
func TestChat(t *testing.T) {
	p := evaltest.Full
	p.Chat = true
	talker := evaltest.Model{Seed: 1, Fingerprint: "good", Answers: map[string]string{"sums: 1+2=": "3 and", "sums: 2+2=": "4\n5"}}
	s := evaltest.NewServer(t, p, nil)
	task := readTask(t, generateTask)
	eval.Conversation(task)
	eval.Drawn(task, 1, 0, "\n", "@", "#", "~", " a", "%")
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: s.Endpoint(talker)})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[mergesearch.ItemID]eval.Written{"sums/s1": {"3", "stop", 1}, "sums/s2": {"4", "stop", 1}} {
		_, _, got, err := eval.Answers(e, evaltest.Candidate(1, talker), id)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v, want %+v", id, got, err, want)
		}
	}
	if body := s.Bodies()[0]; !strings.Contains(body, `"messages":[{"role":"system","content":"sums: "},{"role":"user"`) || !strings.Contains(body, `"temperature":0,`) || strings.Contains(body, `" a"`) {
		t.Error(body)
	}
	if e, err = eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: evaltest.NewServer(t, evaltest.Full, nil).Endpoint(talker)}); err != nil {
		t.Fatal(err)
	}
	if err := e.Prepare(nil); !strings.Contains(inputError(t, err).Problem, "no chat completions") {
		t.Errorf("%v", err)
	}
	e, _ = eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: s.Endpoint(talker)})
	s.Script(func(int) *evaltest.Fault {
		return &evaltest.Fault{Alter: func(r map[string]any) { delete(r["choices"].([]any)[0].(map[string]any), "message") }}
	})
	var fault *eval.EndpointError
	if _, _, _, err := eval.Answers(e, evaltest.Candidate(1, talker), "sums/s1"); !errors.As(err, &fault) || !strings.Contains(err.Error(), "no chat completion") {
		t.Errorf("%v", err)
	}
}
