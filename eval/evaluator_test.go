package eval_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

func TestScoreGenerates(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	e, s := evaluator(t, evaltest.Full, readTask(t, generateTask))
	got, err := score(t, e, good)
	if err != nil {
		t.Fatal(err)
	}
	want := []mergesearch.Outcome{
		{Item: "sums/s1", Value: 1, Completion: "3"}, {Item: "sums/s2", Value: 1, Completion: "4"}, {Item: "sums/s3", Value: 1, Completion: "9"},
	}
	for i := range want { // the begin-of-sequence token and "1+2="
		want[i].PromptTokens, want[i].CompletionTokens = 5, 1
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s.Requests() != 3 || e.Requests() != 3 || e.Retries() != 0 {
		t.Errorf("server counts %d requests, evaluator %d with %d retries, want 3, 3, 0", s.Requests(), e.Requests(), e.Retries())
	}
	if got, err = score(t, e, poor); err != nil || got[0].Value != 1 || got[1].Value != 0 || got[2].Value != 0 || got[2].Completion != "90" {
		t.Errorf("poor: %v, %v", got, err)
	}
	e.Close()
	s.Close()
}

func TestScoreChooses(t *testing.T) {
	e, s := evaluator(t, evaltest.Full, readTask(t, choiceTask))
	for _, c := range []struct {
		model evaltest.Model
		want  []float64
	}{{good, []float64{1, 1, 1}}, {poor, []float64{1, 0, 1}}} {
		got, err := score(t, e, c.model)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i].Value != c.want[i] {
				t.Errorf("%s: %+v, want value %v", c.model.Fingerprint, got[i], c.want[i])
			}
		}
	}
	if s.Requests() != 6 {
		t.Errorf("%d requests for 6 items", s.Requests())
	}
}

// The bytes on the wire are a golden of the protocol: zeros are there, and every
// field that could fall back on a server's default.
func TestRequestBytes(t *testing.T) {
	e, s := evaluator(t, evaltest.Full, readTask(t, generateTask), readTask(t, choiceTask))
	ids := []mergesearch.ItemID{"sums/s1"}
	if _, err := e.Score(context.Background(), evaltest.Candidate(7, good), ids); err != nil {
		t.Fatal(err)
	}
	ids[0] = "facts/s3"
	if _, err := e.Score(context.Background(), evaltest.Candidate(7, good), ids); err != nil {
		t.Fatal(err)
	}
	sampling := `"temperature":0,"top_p":1,"n":1,"presence_penalty":0,"frequency_penalty":0,"seed":1234,"stream":false,"top_k":-1,"min_p":0,"repetition_penalty":1}`
	want := []string{
		`{"model":"c0007-1","prompt":[256,49,43,50,61],"max_tokens":8,"stop":["\n"],` + sampling,
		`{"model":"c0007-2","prompt":[[256,53,43,52,61,57,48],[256,53,43,52,61,57],[256,53,43,52,61,56]],"max_tokens":0,"echo":true,"logprobs":0,` + sampling,
	}
	if d := cmp.Diff(want, s.Bodies()); d != "" {
		t.Error(d)
	}
}

func TestScoreDetailed(t *testing.T) {
	e, s := evaluator(t, evaltest.Full, readTask(t, choiceTask), readTask(t, generateTask))
	ids := slices.Concat(items(e, mergesearch.SearchSplit), items(e, mergesearch.HeldOutSplit))
	r, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(0, poor), ids)
	if err != nil {
		t.Fatal(err)
	}
	if s.Requests() != len(ids) {
		t.Errorf("%d requests for %d items", s.Requests(), len(ids))
	}
	first := r.Samples[0]
	if first.DocID != "s1" || first.Prompt != "1+2=" || first.Target != "3" || first.Output != "3" || !first.Choices[0].Greedy || first.Choices[1].Greedy {
		t.Errorf("sample %+v", first)
	}
	// The knowing model gives its answer 0.9 and a tenth of the rest.
	if got := first.Choices[0].Logprob; got < math.Log(0.9) || got > math.Log(0.95) {
		t.Errorf("log-probability %v of a known answer", got)
	}
	if len(r.Tasks) != 2 || r.Tasks[0].Items != 5 || len(r.Tasks[0].Metrics) != 2 {
		t.Fatalf("tasks %+v", r.Tasks)
	}
	score, err := e.Score(context.Background(), evaltest.Candidate(0, poor), ids)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(score, r.Outcomes); d != "" {
		t.Errorf("detailed and plain outcomes differ: %s", d)
	}
	bench := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "facts", Weight: 1}, {Task: "sums", Weight: 1}}}
	whole, err := bench.Score(score, "")
	if err != nil {
		t.Fatal(err)
	}
	for i, task := range r.Tasks {
		first := map[string]string{"facts": "acc", "sums": "exact_match"}[task.Task]
		m := task.Metrics[first]
		if m.Value != whole.Tasks[i].Value || math.Abs(m.StdErr-whole.Tasks[i].StdErr) > 1e-12 {
			t.Errorf("%s: %+v, benchmark says %+v", task.Task, m, whole.Tasks[i])
		}
	}
}

// Several candidates at once give what each gives alone, in any order of items.
func TestScoreConcurrently(t *testing.T) {
	e, _ := evaluator(t, evaltest.Full, readTask(t, choiceTask), readTask(t, generateTask))
	ids := items(e, mergesearch.SearchSplit)
	alone := map[string][]mergesearch.Outcome{}
	for _, m := range []evaltest.Model{good, poor} {
		o, err := e.Score(context.Background(), evaltest.Candidate(1, m), ids)
		if err != nil {
			t.Fatal(err)
		}
		alone[m.Fingerprint] = o
	}
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			m := []evaltest.Model{good, poor}[i%2]
			backwards := slices.Clone(ids)
			slices.Reverse(backwards)
			got, err := e.Score(context.Background(), evaltest.Candidate(10+i, m), backwards)
			if err != nil {
				t.Error(err)
				return
			}
			slices.Reverse(got)
			if d := cmp.Diff(alone[m.Fingerprint], got); d != "" {
				t.Error(d)
			}
		})
	}
	wait.Wait()
}

// Every passing fault is retried, the score is what it would have been, and both
// sides count the same requests.
func TestRetries(t *testing.T) {
	for name, f := range map[string]evaltest.Fault{
		"429":         {Status: 429, RetryAfter: "0"},
		"500":         {Status: 500},
		"503":         {Status: 503},
		"cut":         {Cut: true},
		"truncated":   {Truncate: true},
		"slow":        {Delay: 2 * time.Second},
		"half JSON":   {Body: `{"choices":[{"text":"3`},
		"no JSON":     {Body: `<html>bad gateway</html>`},
		"empty":       {Body: " "},
		"two objects": {Body: `{}{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, s := evaluator(t, evaltest.Full, readTask(t, generateTask))
			s.Script(func(n int) *evaltest.Fault {
				if n == 1 {
					return &f
				}
				return nil
			})
			got, err := score(t, e, good)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range got {
				if o.Value != 1 {
					t.Errorf("%+v", o)
				}
			}
			if e.Retries() != 1 || e.Requests() != 4 || s.Requests() != 4 {
				t.Errorf("%d retries, %d requests, server %d; want 1, 4, 4", e.Retries(), e.Requests(), s.Requests())
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	e, s := evaluator(t, evaltest.Full, readTask(t, generateTask))
	var mu sync.Mutex
	var first time.Time
	s.Script(func(n int) *evaltest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 {
			first = time.Now()
			return &evaltest.Fault{Status: 429, RetryAfter: "1"}
		}
		return nil
	})
	if _, err := score(t, e, good); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(first); waited < time.Second {
		t.Errorf("came back after %v", waited)
	}
}

// alter changes the first choice of a response.
func alter(f func(choice, logprobs map[string]any)) *evaltest.Fault {
	return &evaltest.Fault{Alter: func(r map[string]any) {
		c := r["choices"].([]any)[0].(map[string]any)
		l, _ := c["logprobs"].(map[string]any)
		f(c, l)
	}}
}

// Whatever a broken server sends that is not an answer becomes an error that
// names the cause, at once, and never a score.
func TestBrokenServersAreRefused(t *testing.T) {
	values := func(l map[string]any) []any { return l["token_logprobs"].([]any) }
	cases := []struct {
		name, want string
		fault      *evaltest.Fault
	}{
		{"null in the continuation", "log-probability nan", alter(func(_, l map[string]any) { v := values(l); v[len(v)-1] = nil })},
		{"null in the context", "log-probability nan", alter(func(_, l map[string]any) { values(l)[2] = nil })},
		{"one entry too many", "log-probabilities for a prompt of", alter(func(_, l map[string]any) { l["token_logprobs"] = append(values(l), -1.0) })},
		{"one entry too few", "log-probabilities for a prompt of", alter(func(_, l map[string]any) { l["token_logprobs"] = values(l)[1:] })},
		{"probability above one", "log-probability 0.5", alter(func(_, l map[string]any) { values(l)[3] = 0.5 })},
		{"chat shape", "shape of chat completions", alter(func(c, _ map[string]any) { c["logprobs"] = map[string]any{"content": []any{}} })},
		{"logprobs null", "no log-probabilities", alter(func(c, _ map[string]any) { c["logprobs"] = nil })},
		{"no finish_reason", "no finish_reason", alter(func(c, _ map[string]any) { delete(c, "finish_reason") })},
		{"index twice", "comes twice", alter(func(c, _ map[string]any) { c["index"] = 1 })},
		{"index out of range", "index 9", alter(func(c, _ map[string]any) { c["index"] = 9 })},
		{"chat completion", "chat completion", alter(func(c, _ map[string]any) { c["message"] = map[string]any{} })},
		{"a choice lacks", "1 choices for", &evaltest.Fault{Alter: func(r map[string]any) { r["choices"] = r["choices"].([]any)[:1] }}},
		{"token added", "it adds or drops", &evaltest.Fault{Alter: func(r map[string]any) {
			r["usage"].(map[string]any)["prompt_tokens"] = r["usage"].(map[string]any)["prompt_tokens"].(int) + 1
		}}},
		{"other weights", "other weights answered", &evaltest.Fault{Alter: func(r map[string]any) { r["system_fingerprint"] = "poor" }}},
		{"no fingerprint", "other weights answered", &evaltest.Fault{Alter: func(r map[string]any) { delete(r, "system_fingerprint") }}},
		{"bad request", "400", &evaltest.Fault{Status: 400}},
		{"unauthorized", "401", &evaltest.Fault{Status: 401}},
		{"redirect", "302", &evaltest.Fault{Status: 302}},
		{"no content", "204", &evaltest.Fault{Status: 204}},
		{"zeros", "all 2 choices", &evaltest.Fault{Alter: func(r map[string]any) {
			for _, c := range r["choices"].([]any) {
				v := values(c.(map[string]any)["logprobs"].(map[string]any))
				for i := range v {
					v[i] = 0.0
				}
			}
		}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			profile := evaltest.Full
			if c.name == "zeros" { // a server that proves nothing about its weights
				profile.Fingerprint = false
			}
			e, s := evaluator(t, profile, readTask(t, choiceTask))
			s.Script(func(int) *evaltest.Fault { return c.fault })
			got, err := e.Score(context.Background(), evaltest.Candidate(1, good), []mergesearch.ItemID{"facts/s1"})
			var endpoint *eval.EndpointError
			if !errors.As(err, &endpoint) || got != nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, %v; want an EndpointError with %q", got, err, c.want)
			}
			if s.Requests() != 1 {
				t.Errorf("%d requests for a fault that no retry mends", s.Requests())
			}
		})
	}
}

// A dead server ends the call within the patience, whatever is in flight.
func TestDeadServer(t *testing.T) {
	s := evaltest.NewServer(t, evaltest.Full, nil)
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, generateTask)}, Endpoint: s.Endpoint(good), Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	start := time.Now()
	_, err = score(t, e, good)
	var endpoint *eval.EndpointError
	if !errors.As(err, &endpoint) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestCancel(t *testing.T) {
	e, s := evaluator(t, evaltest.Full, readTask(t, generateTask))
	s.Script(func(int) *evaltest.Fault { return &evaltest.Fault{Delay: time.Minute} })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := e.Score(ctx, evaltest.Candidate(1, good), items(e, mergesearch.SearchSplit))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline", err)
	}
}

// A candidate that answers every choice alike fails where the server proves that
// it is the candidate that answers; otherwise the server is blamed.
func TestDegenerateCandidate(t *testing.T) {
	// Choices of equal length: a flat model gives them equal scores.
	e, _ := evaluator(t, evaltest.Full, readTask(t, choiceTask))
	_, err := e.Score(context.Background(), evaltest.Candidate(1, flat), []mergesearch.ItemID{"facts/s1"})
	var failure *mergesearch.Failure
	if !errors.As(err, &failure) || failure.Code != "degenerate" || !strings.Contains(failure.Text, "facts/s1") {
		t.Errorf("got %v, want a Failure that names the item", err)
	}
}

// Weights that give no numbers fail their candidate, at once.
func TestNotFiniteCandidate(t *testing.T) {
	e, s := evaluator(t, evaltest.Full, readTask(t, choiceTask))
	s.Script(func(int) *evaltest.Fault { return &evaltest.Fault{Status: 422, Code: "not_a_number"} })
	_, err := e.Score(context.Background(), evaltest.Candidate(1, good), []mergesearch.ItemID{"facts/s1"})
	var failure *mergesearch.Failure
	if !errors.As(err, &failure) || failure.Code != "not_finite" || s.Requests() != 1 {
		t.Errorf("%v after %d requests, want a Failure", err, s.Requests())
	}
}

func TestTruncatedAndEmpty(t *testing.T) {
	e, _ := evaluator(t, evaltest.Full, readTask(t, strings.Replace(generateTask, "max_gen_toks: 8", "max_gen_toks: 1", 1)))
	got, err := score(t, e, poor)
	if err != nil {
		t.Fatal(err)
	}
	if !got[2].Truncated || got[2].Completion != "9" {
		t.Errorf("%+v, want a truncated answer", got[2])
	}
	mute := evaltest.Model{Fingerprint: "poor", Answers: map[string]string{"1+2=": "\n", "2+2=": "", "5+4=": ""}}
	s := evaltest.NewServer(t, evaltest.Full, nil)
	if e, err = eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, generateTask)}, Endpoint: s.Endpoint(mute)}); err != nil {
		t.Fatal(err)
	}
	if got, err = score(t, e, mute); err != nil {
		t.Fatal(err)
	}
	for _, o := range got {
		if !o.Empty || o.Value != 0 {
			t.Errorf("%+v, want an empty answer", o)
		}
	}
}

// Servers that cannot do without a generated token, and list choices backwards,
// give the same scores.
func TestLesserServers(t *testing.T) {
	full, _ := evaluator(t, evaltest.Full, readTask(t, choiceTask))
	want, err := full.ScoreDetailed(context.Background(), evaltest.Candidate(1, good), items(full, mergesearch.SearchSplit))
	if err != nil {
		t.Fatal(err)
	}
	p := evaltest.Full
	p.ZeroTokens, p.ExtraSampling, p.Fingerprint = false, false, false
	e, s := evaluator(t, p, readTask(t, choiceTask))
	s.Script(func(int) *evaltest.Fault {
		return &evaltest.Fault{Alter: func(r map[string]any) { slices.Reverse(r["choices"].([]any)) }}
	})
	got, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, good), items(e, mergesearch.SearchSplit))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.Samples, got.Samples); d != "" {
		t.Error(d)
	}
}

func TestUnfitEndpointIsRefusedByName(t *testing.T) {
	for lacking, p := range map[string]eval.Profile{
		"token ids": {},
		"echo":      {TokenPrompts: true, ManyPrompts: true},
	} {
		s := evaltest.NewServer(t, p, nil)
		_, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, choiceTask)}, Endpoint: s.Endpoint(good)})
		if in := inputError(t, err); !strings.Contains(in.Problem, lacking) || in.Field != "output_type" {
			t.Errorf("%v, want one that says %q", err, lacking)
		}
	}
}

func TestTextPrompts(t *testing.T) {
	e, s := evaluator(t, eval.Profile{}, readTask(t, generateTask))
	got, err := score(t, e, good)
	if err != nil || got[0].Value != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	if body := s.Bodies()[0]; !strings.Contains(body, `"prompt":"`) || strings.Contains(body, "top_k") {
		t.Errorf("body %s", body)
	}
}

func TestItemsOfCalls(t *testing.T) {
	e, _ := evaluator(t, evaltest.Full, readTask(t, generateTask))
	for _, ids := range [][]mergesearch.ItemID{{"sums/none"}, {"sums/s1", "sums/s1"}} {
		if _, err := e.Score(context.Background(), evaltest.Candidate(1, good), ids); err == nil {
			t.Errorf("%v: no error", ids)
		}
	}
	if got, err := e.Score(context.Background(), evaltest.Candidate(1, good), nil); err != nil || len(got) != 0 {
		t.Errorf("no items: %v, %v", got, err)
	}
	_, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, generateTask), readTask(t, generateTask)}, Endpoint: nil2()})
	inputError(t, err)
}

func nil2() eval.Endpoint { return (&evaltest.Server{}).Endpoint() }

func TestContextLimit(t *testing.T) {
	p := evaltest.Full
	p.Context = 5
	s := evaltest.NewServer(t, p, nil)
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, generateTask)}, Endpoint: s.Endpoint(good), Tokenizer: func(b []byte) (eval.Tokenizer, error) { return evaltest.Parse(b) }})
	if err != nil {
		t.Fatal(err)
	}
	in := inputError(t, e.Prepare(evaltest.Candidate(0, good).Files))
	if !strings.HasSuffix(in.File, "s.jsonl") || in.Line != 1 || !strings.Contains(in.Problem, "5 tokens") {
		t.Errorf("%v", in)
	}
	if s.Requests() != 0 {
		t.Error("Prepare asked the server")
	}
}
