package evaltest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/eval"
)

// Suite is what TestEndpoint needs to know of a kind of endpoint.
type Suite struct {
	// Open returns a fresh endpoint; it ends with the test.
	Open func(t testing.TB) eval.Endpoint

	// Candidates that the endpoint can serve, with different weights: at least two,
	// or one where Profile.Swap is SwapNone. Their models must know printable ASCII.
	Candidates []mergesearch.Candidate

	// Tokenizer reads the candidates' tokenizer.json; nil: that of the engine.
	Tokenizer func(json []byte) (eval.Tokenizer, error)
}

// TestEndpoint checks what holds for every eval.Endpoint.
func TestEndpoint(t *testing.T, s Suite) {
	for _, c := range []struct {
		rule string
		test func(*testing.T, Suite)
	}{
		{"the profile promises what the server does", profileHolds},
		{"a candidate answers the same again and under any load", answersRepeat},
		{"sessions at the same time keep their weights apart", weightsApart},
		{"an item is one request where the server takes several prompts, and all are counted", oneRequest},
		{"a closed session answers no more, and closing twice is harmless", closedIsGone},
		{"a cancelled call serves nothing", cancelled},
	} {
		t.Run(c.rule, func(t *testing.T) { c.test(t, s) })
	}
}

func serve(t *testing.T, e eval.Endpoint, c mergesearch.Candidate) eval.Session {
	t.Helper()
	session, err := e.Serve(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	if e.Profile().Fingerprint && session.Fingerprint != c.Fingerprint {
		t.Fatalf("the session promises fingerprint %q, the candidate has %q", session.Fingerprint, c.Fingerprint)
	}
	return session
}

func profileHolds(t *testing.T, s Suite) {
	e := s.Open(t)
	p := e.Profile()
	if p.Kind == "" || p.Swap == "" {
		t.Errorf("the profile has no kind or no way to swap: %+v", p)
	}
	found, err := eval.Probe(context.Background(), serve(t, e, s.Candidates[0]))
	if err != nil {
		t.Fatal(err)
	}
	for ability, claim := range map[string][2]bool{
		"TokenPrompts":  {p.TokenPrompts, found.TokenPrompts},
		"ManyPrompts":   {p.ManyPrompts, found.ManyPrompts},
		"EchoLogprobs":  {p.EchoLogprobs, found.EchoLogprobs},
		"ZeroTokens":    {p.ZeroTokens, found.ZeroTokens},
		"ExtraSampling": {p.ExtraSampling, found.ExtraSampling},
	} {
		if claim[0] && !claim[1] {
			t.Errorf("the profile promises %s, the server does not do it", ability)
		}
	}
}

// tasks are a few questions of each kind that the profile allows.
func (s Suite) tasks(t *testing.T, p eval.Profile) []*eval.Task {
	t.Helper()
	dir := t.TempDir()
	var lines bytes.Buffer
	for i := range 12 {
		fmt.Fprintf(&lines, "{\"q\": \"%d+%d=\", \"a\": \"%d\", \"c\": [\"%d\", \"%d\", \"no\"]}\n", 10+i, 20+7*i, 30+8*i, 30+8*i, 31+8*i)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("data.jsonl", lines.String())
	const common = "dataset_path: json\ndataset_kwargs: {data_files: {test: data.jsonl}}\ntest_split: test\ndoc_to_text: q\ntarget_delimiter: ''\n"
	files := []string{write("write.yaml", "task: write\n"+common+"doc_to_target: a\ngeneration_kwargs: {max_gen_toks: 6, until: ['\\n']}\n")}
	if _, ok := p.Likelihood(); ok {
		files = append(files, write("choose.yaml", "task: choose\noutput_type: multiple_choice\n"+common+"doc_to_choice: c\ndoc_to_target: 0\n"))
	}
	var tasks []*eval.Task
	for _, f := range files {
		task, err := eval.ReadTask(f, eval.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// scorer returns an evaluator of the tasks and all their items.
func (s Suite) scorer(t *testing.T, e eval.Endpoint, concurrency int) (*eval.Evaluator, []mergesearch.ItemID) {
	t.Helper()
	ev, err := eval.New(eval.Options{Tasks: s.tasks(t, e.Profile()), Endpoint: e, Tokenizer: s.Tokenizer, Concurrency: concurrency})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ev.Close)
	var ids []mergesearch.ItemID
	for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		for _, item := range ev.Items(split) {
			ids = append(ids, item.ID)
		}
	}
	return ev, ids
}

func detailed(t *testing.T, ev *eval.Evaluator, c mergesearch.Candidate, ids []mergesearch.ItemID) []eval.Sample {
	t.Helper()
	r, err := ev.ScoreDetailed(context.Background(), c, ids)
	if err != nil {
		t.Error(err)
		return nil
	}
	return r.Samples
}

func answersRepeat(t *testing.T, s Suite) {
	e := s.Open(t)
	one, ids := s.scorer(t, e, 1)
	many, _ := s.scorer(t, e, 32)
	first := detailed(t, one, s.Candidates[0], ids)
	for range 2 {
		if d := cmp.Diff(first, detailed(t, many, s.Candidates[0], ids)); d != "" {
			t.Fatalf("another answer the next time: %s", d)
		}
	}
}

func weightsApart(t *testing.T, s Suite) {
	e := s.Open(t)
	if e.Profile().Swap == eval.SwapNone {
		t.Skip("serves one fixed model")
	}
	ev, ids := s.scorer(t, e, 8)
	alone := map[mergesearch.CandidateID][]eval.Sample{}
	for _, c := range s.Candidates {
		alone[c.ID] = detailed(t, ev, c, ids)
	}
	if cmp.Equal(alone[s.Candidates[0].ID], alone[s.Candidates[1].ID]) {
		t.Fatal("two candidates answer alike: the weights were not changed")
	}
	var wait sync.WaitGroup
	for i := range 3 * len(s.Candidates) {
		wait.Go(func() {
			c := s.Candidates[i%len(s.Candidates)]
			if d := cmp.Diff(alone[c.ID], detailed(t, ev, c, ids)); d != "" {
				t.Errorf("candidate %s answers otherwise beside others: %s", c.ID, d)
			}
		})
	}
	wait.Wait()
}

func oneRequest(t *testing.T, s Suite) {
	e := s.Open(t)
	ev, ids := s.scorer(t, e, 8)
	counter, counts := e.(interface{ Requests() int64 })
	var before int64
	if counts {
		before = counter.Requests()
	}
	if _, err := ev.Score(context.Background(), s.Candidates[0], ids); err != nil {
		t.Fatal(err)
	}
	once := e.Profile().OneRequest()
	if n := ev.Requests(); once && n != int64(len(ids)) || n < int64(len(ids)) || ev.Retries() != 0 {
		t.Errorf("%d requests and %d retries for %d items", n, ev.Retries(), len(ids))
	}
	if counts && counter.Requests()-before != ev.Requests() {
		t.Errorf("the server counts %d requests, the client %d", counter.Requests()-before, ev.Requests())
	}
}

func closedIsGone(t *testing.T, s Suite) {
	e := s.Open(t)
	session := serve(t, e, s.Candidates[0])
	if status := complete(t, session); status != http.StatusOK {
		t.Fatalf("status %d before Close", status)
	}
	session.Close()
	session.Close()
	if status := complete(t, session); e.Profile().Swap != eval.SwapNone && status != http.StatusNotFound {
		t.Errorf("status %d after Close, want 404", status)
	}
	again := serve(t, e, s.Candidates[0])
	if status := complete(t, again); status != http.StatusOK {
		t.Errorf("status %d when served again", status)
	}
}

// complete sends the smallest request and returns the status.
func complete(t *testing.T, s eval.Session) int {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"model": s.Model, "prompt": "1+1=", "max_tokens": 1, "temperature": 0})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.BaseURL+"/completions", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.APIKey != "" {
		r.Header.Set("Authorization", "Bearer "+s.APIKey)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	io.Copy(io.Discard, reply.Body)
	return reply.StatusCode
}

func cancelled(t *testing.T, s Suite) {
	e := s.Open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if session, err := e.Serve(ctx, s.Candidates[0]); err == nil {
		session.Close()
		t.Error("a cancelled call served the candidate")
	}
}
