package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// What is known to go wrong between servers and evaluators, one test for each. The
// cases that say so are also tried in TestLyingServers, from the probe on.
func TestPitfalls(t *testing.T) {
	lesser := evaltest.Full
	lesser.ZeroTokens = false
	fault := func(f *evaltest.Fault) func(int) *evaltest.Fault { return func(int) *evaltest.Fault { return f } }
	one := []mergesearch.ItemID{"facts/s1"}
	ask := func(t *testing.T, p eval.Profile, script func(int) *evaltest.Fault) ([]eval.Sample, *evaltest.Server, error) {
		t.Helper()
		e, s := evaluator(t, p, readTask(t, choiceTask))
		if script != nil {
			s.Script(script)
		}
		r, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, good), one)
		if err != nil {
			return nil, s, err
		}
		return r.Samples, s, nil
	}
	right, _, err := ask(t, evaltest.Full, nil)
	if err != nil {
		t.Fatal(err)
	}
	same := func(t *testing.T, got []eval.Sample, err error) {
		t.Helper()
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", right) {
			t.Errorf("%+v, %v; want %+v", got, err, right)
		}
	}
	refused := func(t *testing.T, err error, cause string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), cause) {
			t.Errorf("%v, want %q", err, cause)
		}
	}
	logprobs := func(f func([]any) []any) func(int) *evaltest.Fault { return fault(alterValues(f)) }

	t.Run("1 the first log-probability may be null or not", func(t *testing.T) {
		got, _, err := ask(t, evaltest.Full, logprobs(func(v []any) []any { v[0] = -3.0; return v }))
		same(t, got, err)
	})
	t.Run("2 a generated token adds an entry, or does not", func(t *testing.T) {
		got, _, err := ask(t, lesser, nil)
		same(t, got, err)
		got, _, err = ask(t, lesser, fault(alterEach(func(_, l map[string]any) {
			l["token_logprobs"], l["top_logprobs"] = values(l)[:len(values(l))-1], l["top_logprobs"].([]any)[:len(values(l))-1]
		})))
		same(t, got, err)
	})
	t.Run("3 choices that all score the same are no answer", func(t *testing.T) {
		_, _, err := ask(t, evaltest.Full, logprobs(func(v []any) []any {
			for i := range v[1:] {
				v[i+1] = 0.0
			}
			return v
		}))
		refused(t, err, "chance is no score")
	})
	t.Run("4 log-probabilities in the shape of chats", func(t *testing.T) {
		_, _, err := ask(t, evaltest.Full, fault(alterEach(func(c, _ map[string]any) { c["logprobs"] = map[string]any{"content": []any{}} })))
		refused(t, err, "logprobs.content")
	})
	t.Run("5 the begin-of-sequence token is sent once", func(t *testing.T) {
		_, s, _ := ask(t, evaltest.Full, nil)
		if body := s.Bodies()[0]; strings.Count(body, "256") != 2 || !strings.Contains(body, "[256,49") {
			t.Errorf("two prompts in %s", body)
		}
		_, _, err := ask(t, evaltest.Full, fault(&evaltest.Fault{Alter: func(r map[string]any) {
			r["usage"].(map[string]any)["prompt_tokens"] = r["usage"].(map[string]any)["prompt_tokens"].(int) - 2
		}}))
		refused(t, err, "it adds or drops some")
	})
	t.Run("6 text_offset is of no use and not used", func(t *testing.T) {
		got, _, err := ask(t, evaltest.Full, fault(alterEach(func(_, l map[string]any) {
			for i := range l["text_offset"].([]any) {
				l["text_offset"].([]any)[i] = -1
			}
		})))
		same(t, got, err)
	})
	t.Run("7 tokens that decode alike share a key of top_logprobs", func(t *testing.T) {
		got, _, err := ask(t, evaltest.Full, fault(alterEach(func(_, l map[string]any) {
			for i, o := range l["top_logprobs"].([]any) {
				if top, ok := o.(map[string]any); ok { // the other entry is lost
					best := math.Inf(-1)
					for _, x := range top {
						best = max(best, x.(float64))
					}
					l["top_logprobs"].([]any)[i] = map[string]any{"\ufffd": best}
				}
			}
		})))
		same(t, got, err)
	})
	t.Run("8 -9999 stands for an impossible token", func(t *testing.T) {
		_, _, err := ask(t, evaltest.Full, logprobs(func(v []any) []any { v[len(v)-1] = -12345.0; return v }))
		refused(t, err, "all 2 choices") // both are impossible here: no ranking is made up
		if got, _, err := ask(t, evaltest.Full, fault(alter(func(_, l map[string]any) { values(l)[len(values(l))-1] = -12345.0 }))); err != nil || got[0].Choices[0].Logprob != -9999 {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("9 NaN is an error, not the largest value", func(t *testing.T) {
		_, _, err := ask(t, evaltest.Full, fault(&evaltest.Fault{Body: `{"system_fingerprint":"good","choices":[{"index":0,"finish_reason":"length","logprobs":{"token_logprobs":[null,-1,-1,-1,-1,NaN],"top_logprobs":[null,{},{},{},{},{}]}}]}`}))
		refused(t, err, "log-probability nan")
	})
	t.Run("10 the context is cut in silence", func(t *testing.T) {
		_, _, err := ask(t, evaltest.Full, logprobs(func(v []any) []any { return v[2:] }))
		refused(t, err, "log-probabilities for a prompt of")
	})
	t.Run("11 a server's defaults for sampling are all overwritten", func(t *testing.T) {
		e, s := evaluator(t, evaltest.Full, readTask(t, generateTask), readTask(t, choiceTask))
		if _, err := e.Score(context.Background(), evaltest.Candidate(1, good), []mergesearch.ItemID{"sums/s1", "facts/s1"}); err != nil {
			t.Fatal(err)
		}
		for _, body := range s.Bodies() {
			for _, field := range []string{`"temperature":0`, `"top_p":1`, `"n":1`, `"presence_penalty":0`, `"frequency_penalty":0`, `"seed":1234`, `"top_k":-1`, `"min_p":0`, `"repetition_penalty":1`, `"max_tokens":`} {
				if !strings.Contains(body, field) {
					t.Errorf("no %s in %s", field, body)
				}
			}
		}
	})
	t.Run("12 values that depend on what was asked before", func(t *testing.T) {
		s := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"m": good})
		var before []any // as of a buffer that is not cleared: the last prompt's values
		s.Script(func(int) *evaltest.Fault {
			return alterValues(func(v []any) []any {
				stale := slices.Clone(v)
				if len(before) >= len(v) {
					stale = slices.Clone(before[:len(v)])
				}
				before = v
				return stale
			})
		})
		if got, err := probe(t, s); err != nil || got.EchoLogprobs {
			t.Errorf("%+v, %v", got, err)
		} else if lacking, ok := got.Likelihood(); ok || !strings.Contains(lacking, "echo: ") {
			t.Error(lacking)
		}
	})
	t.Run("13 a server that runs out of memory is at fault, not the model", func(t *testing.T) {
		e, s := evaluator(t, evaltest.Full, readTask(t, choiceTask))
		s.Script(func(n int) *evaltest.Fault {
			if n < 3 {
				return &evaltest.Fault{Status: 500}
			}
			return nil
		})
		if got, err := score(t, e, good); err != nil || got[0].Value != 1 {
			t.Errorf("%v, %v", got, err)
		}
	})
	t.Run("14 choices come in any order", func(t *testing.T) {
		got, _, err := ask(t, evaltest.Full, fault(&evaltest.Fault{Alter: func(r map[string]any) { slices.Reverse(r["choices"].([]any)) }}))
		same(t, got, err)
	})
	t.Run("15 an empty choice has no length to divide by", func(t *testing.T) {
		dir := write(t, dataFiles(strings.Replace(choiceTask, "doc_to_choice: choices", `doc_to_choice: ["", "4", "5"]`, 1)))
		_, err := eval.ReadTask(dir+"/task.yaml", eval.Reading{})
		refused(t, err, "choice 0 is empty")
	})
	t.Run("16 a continuation without a token", func(t *testing.T) {
		s := evaltest.NewServer(t, evaltest.Full, nil)
		e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, choiceTask)}, Endpoint: s.Endpoint(good), Tokenizer: func([]byte) (eval.Tokenizer, error) { return greedyJoiner{}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		err = e.Prepare(evaltest.Candidate(1, good).Files)
		if refused(t, err, "has no token of its own"); inputError(t, err).Line != 1 {
			t.Errorf("%v", err)
		}
	})
	t.Run("17 other weights answer", func(t *testing.T) {
		_, _, err := ask(t, evaltest.Full, fault(&evaltest.Fault{Alter: func(r map[string]any) { r["system_fingerprint"] = "poor" }}))
		refused(t, err, `other weights answered: fingerprint "poor", want "good"`)
	})
	t.Run("18 the number of prompts in a request is limited", func(t *testing.T) {
		s := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"m": good})
		s.Script(fault(&evaltest.Fault{Alter: func(r map[string]any) {
			r["choices"] = r["choices"].([]any)[:1] // as if the others were not there
		}}))
		got, err := probe(t, s)
		if err != nil || got.ManyPrompts || !got.EchoLogprobs {
			t.Errorf("%+v, %v; want echo, one prompt at a time", got, err)
		}
	})
}

// greedyJoiner has one token for every text.
type greedyJoiner struct{}

func (greedyJoiner) Encode(text string, addSpecial bool) []int32 {
	if addSpecial {
		return []int32{evaltest.Begin, int32(text[0])}
	}
	return []int32{int32(text[0])}
}

// Retries have a budget that all requests share, so that a server that always
// fails is given up long before each request has run out of patience.
func TestRetryBudget(t *testing.T) {
	lines, ids := "", []mergesearch.ItemID{}
	for i := range 400 {
		lines += fmt.Sprintf("{\"id\": \"i%d\", \"prompt\": \"%d=\", \"answer\": \"1\", \"choices\": [\"1\", \"2\"], \"label\": 0}\n", i, i)
		ids = append(ids, mergesearch.ItemID(fmt.Sprintf("sums/i%d", i)))
	}
	files := dataFiles(generateTask)
	files["s.jsonl"] = lines
	task, err := eval.ReadTask(write(t, files)+"/task.yaml", eval.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	s := evaltest.NewServer(t, evaltest.Full, nil)
	s.Script(func(int) *evaltest.Fault { return &evaltest.Fault{Cut: true} })
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: s.Endpoint(good)})
	if err != nil {
		t.Fatal(err)
	}
	eval.Hasten(e, time.Millisecond)
	_, err = e.Score(context.Background(), evaltest.Candidate(1, good), ids)
	var fault *eval.EndpointError
	if !errors.As(err, &fault) || e.Retries() > 200 {
		t.Errorf("%v after %d retries", err, e.Retries())
	}
}
