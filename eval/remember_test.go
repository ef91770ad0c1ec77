package eval_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// store is a cache in memory; broken makes it fail.
type store struct {
	mu     sync.Mutex
	values map[[32]byte][]byte
	broken error
}

func (s *store) Lookup(_ context.Context, key [32]byte) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, found := s.values[key]
	return bytes.Clone(v), found, s.broken
}

func (s *store) Store(_ context.Context, key [32]byte, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = map[[32]byte][]byte{}
	}
	s.values[key] = value
	return s.broken
}

// What was answered is not asked again: not by the next call, the next evaluator or
// the next session, and never of other weights.
func TestNothingIsAskedTwice(t *testing.T) {
	var cache store
	tasks := []*eval.Task{readTask(t, choiceTask), readTask(t, generateTask)}
	s := evaltest.NewServer(t, evaltest.Full, nil)
	wants := map[string][]eval.Sample{}
	for round := range 3 {
		e, err := eval.New(eval.Options{Tasks: tasks, Endpoint: s.Endpoint(good, poor), Cache: &cache})
		if err != nil {
			t.Fatal(err)
		}
		ids := items(e, mergesearch.SearchSplit)
		for i, m := range []evaltest.Model{good, poor} {
			before := s.Requests()
			got, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(10*round+i, m), ids)
			if err != nil {
				t.Fatal(err)
			}
			if asked := s.Requests() - before; round == 0 && asked != len(ids) || round > 0 && asked != 0 {
				t.Errorf("round %d, %s: %d requests for %d items", round, m.Fingerprint, asked, len(ids))
			}
			if want, known := wants[m.Fingerprint]; known {
				if d := cmp.Diff(want, got.Samples); d != "" {
					t.Errorf("remembered otherwise: %s", d)
				}
			}
			wants[m.Fingerprint] = got.Samples
		}
		if total := int64(2 * len(ids)); e.Requests()+e.Remembered() != total || round > 0 && e.Requests() != 0 {
			t.Errorf("%d requests and %d remembered, want %d together", e.Requests(), e.Remembered(), total)
		}
		e.Close()
	}
	if cmp.Equal(wants["good"], wants["poor"]) {
		t.Error("one candidate has the answers of the other")
	}
}

// Where nothing proves the weights, nothing is remembered; a value that is damaged
// is asked again; a cache that fails ends the call and is no score.
func TestCacheIsNotTrustedBlindly(t *testing.T) {
	var cache store
	p := evaltest.Full
	p.Fingerprint = false
	run := func(p eval.Profile) (requests int, err error) {
		s := evaltest.NewServer(t, p, nil)
		e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, choiceTask)}, Endpoint: s.Endpoint(good), Cache: &cache})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		_, err = score(t, e, good)
		return s.Requests(), err
	}
	for range 2 {
		if n, err := run(p); n != 3 || err != nil || len(cache.values) != 0 {
			t.Errorf("%d requests, %d remembered, %v", n, len(cache.values), err)
		}
	}
	for range 2 {
		if n, err := run(evaltest.Full); n != 3 || err != nil {
			t.Errorf("%d requests, %v", n, err)
		}
		for k := range cache.values {
			cache.values[k] = []byte("damaged")
		}
	}
	cache.broken = errors.New("disk full")
	if _, err := run(evaltest.Full); !errors.Is(err, cache.broken) {
		t.Errorf("%v, want the cache's error", err)
	}
}

// The tokens of an outcome are those of its requests, and the same when the answers
// are remembered: of the prompts as they were sent, and of what was written.
func TestOutcomesCarryTheirTokens(t *testing.T) {
	text := evaltest.Full
	text.TokenPrompts, text.EchoLogprobs = false, false
	for name, profile := range map[string]eval.Profile{"ids": evaltest.Full, "text": text} {
		var cache store
		s := evaltest.NewServer(t, profile, nil)
		e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, generateTask)}, Endpoint: s.Endpoint(good), Cache: &cache})
		if err != nil {
			t.Fatal(err)
		}
		first, err := score(t, e, good)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range first {
			if o.PromptTokens < 4 || o.PromptTokens > 10 || o.CompletionTokens < 1 {
				t.Errorf("%s: %+v", name, o)
			}
		}
		again, err := score(t, e, good)
		if d := cmp.Diff(first, again); d != "" || err != nil {
			t.Errorf("%s, remembered: %s, %v", name, d, err)
		}
		e.Close()
	}
}

// provedEndpoint proves weights around its sessions, not with every answer.
type provedEndpoint struct{ eval.Endpoint }

func (p provedEndpoint) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	s, err := p.Endpoint.Serve(ctx, c)
	s.Proved = c.Fingerprint
	return s, err
}

// Answers of a session that is proved at its end are remembered when it ended well.
func TestProvedSessionsAreRemembered(t *testing.T) {
	var cache store
	p := evaltest.Full
	p.Fingerprint = false
	s := evaltest.NewServer(t, p, nil)
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, choiceTask)}, Endpoint: provedEndpoint{s.Endpoint(good, poor)}, Cache: &cache, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.Script(func(n int) *evaltest.Fault {
		if n == 2 {
			return &evaltest.Fault{Status: 400}
		}
		return nil
	})
	if _, err := score(t, e, good); err == nil || len(cache.values) != 0 {
		t.Errorf("%d answers of a session that failed were kept, %v", len(cache.values), err)
	}
	for round, want := range []int{3, 0} {
		before := s.Requests()
		if _, err := score(t, e, good); err != nil || s.Requests()-before != want {
			t.Errorf("round %d: %d requests, want %d, %v", round, s.Requests()-before, want, err)
		}
	}
	if got, err := score(t, e, poor); err != nil || got[1].Value != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// A report shows beside each score what would make it worth less.
func TestReportSanity(t *testing.T) {
	task := readTask(t, strings.Replace(generateTask, "max_gen_toks: 8", "max_gen_toks: 40", 1))
	parrot := evaltest.Model{Seed: 1, Fingerprint: "good", Answers: map[string]string{"1+2=": "3", "2+2=": strings.Repeat("4", 60), "5+4=": ""}}
	s := evaltest.NewServer(t, evaltest.Full, nil)
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: s.Endpoint(parrot)})
	if err != nil {
		t.Fatal(err)
	}
	s.Script(func(n int) *evaltest.Fault {
		return &evaltest.Fault{Alter: func(r map[string]any) { r["usage"].(map[string]any)["completion_tokens"] = 10 }}
	})
	r, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, parrot), items(e, mergesearch.SearchSplit))
	if err != nil {
		t.Fatal(err)
	}
	got := r.Tasks[0]
	if got.Truncated != 1 || got.Empty != 1 || got.Looping != 1 || got.MeanTokens != 10 || !r.Samples[1].Looping || r.Samples[0].Looping {
		t.Errorf("%+v", got)
	}
}
