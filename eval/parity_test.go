package eval_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

var serveFlag = flag.String("serve", "", "address at which TestParityServer serves the parity model until it is stopped")

const parityDir = "testdata/parity"

// parityModel is a model over bytes that makes its answers up by a hash of the
// text, apart from the endings that it knows.
func parityModel(t testing.TB) evaltest.Model {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parityDir, "endings.json"))
	if err != nil {
		t.Fatal(err)
	}
	m := evaltest.Model{Seed: 20261127, Fingerprint: "parity"}
	if err := json.Unmarshal(text, &m.Endings); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestParityServer lets lm-evaluation-harness ask the model of these tests:
// docs/peers/lmeval/parity.py.
func TestParityServer(t *testing.T) {
	if *serveFlag == "" {
		t.Skip("serves only with -serve")
	}
	s := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"cand": parityModel(t)})
	l, err := net.Listen("tcp", *serveFlag)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(http.Serve(l, remembering(s.Config.Handler)))
}

// remembering answers a request that it has seen before at once, so that two
// clients can be timed on the second round.
func remembering(h http.Handler) http.Handler {
	var mu sync.Mutex
	seen := map[string][]byte{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		key := r.Method + r.URL.Path + "\x00" + string(body)
		mu.Lock()
		text, known := seen[key]
		mu.Unlock()
		if !known {
			r.Body = io.NopCloser(bytes.NewReader(body))
			record := httptest.NewRecorder()
			h.ServeHTTP(record, r)
			if text = record.Body.Bytes(); record.Code != http.StatusOK {
				w.WriteHeader(record.Code)
				w.Write(text)
				return
			}
			mu.Lock()
			seen[key] = text
			mu.Unlock()
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(text)
	})
}

// golden is what lm-evaluation-harness asked and found.
type golden struct {
	Peer, Command string
	Tasks         map[string]goldenTask

	Template  string // file of a chat template; empty for plain text
	Multiturn bool
	Tokens    json.RawMessage // the model's special tokens
	Length    int             // the longest sequence of the server; 0: 514
	Limit     int             // documents of each task; 0: all
}

type goldenTask struct {
	Results map[string]any
	Samples []goldenSample
}

type goldenSample struct {
	Doc       int
	Filter    string
	Arguments [][]any // context and continuation, or one text, or prompt and options
	Answers   []any   // by request: a list of answers
	Filtered  []any
	Metrics   map[string]any
}

// TestParity asks the items that lm-evaluation-harness asked, of the same model,
// and compares prompts byte by byte, log-likelihoods to 1e-9, and metrics and
// standard errors to 1e-12.
func TestParity(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(parityDir, "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if want.Peer != "lm_eval 0.4.12" || want.Command == "" || len(want.Tasks) < 10 {
		t.Fatalf("the golden file is of %q by %q with %d task shapes", want.Peer, want.Command, len(want.Tasks))
	}
	parityCompare(t, want, parityRun(t, want, eval.Reading{Draw: eval.DrawHarness}))
}

// TestChatParity does the same with a chat template: examples as turns of their own,
// and everything in one message.
func TestChatParity(t *testing.T) {
	for _, mode := range []string{"chatml_multiturn", "llama-3_singleturn"} {
		f, err := os.Open(filepath.Join(parityDir, mode+".json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var want golden
		if err := json.NewDecoder(z).Decode(&want); err != nil {
			t.Fatal(err)
		}
		if want.Peer != "lm_eval 0.4.12" || want.Command == "" || len(want.Tasks) < 8 || want.Template == "" {
			t.Fatalf("%s is of %q by %q with %d task shapes", mode, want.Peer, want.Command, len(want.Tasks))
		}
		parityCompare(t, want, parityRun(t, want, eval.Reading{Draw: eval.DrawHarness, Chat: true, MultiTurn: want.Multiturn}))
	}
}

func parityCompare(t *testing.T, want golden, got parity) {
	t.Helper()
	var differences []string
	compared := 0
	for _, name := range slices.Sorted(maps.Keys(want.Tasks)) {
		d, n := got.compare(name, want.Tasks[name])
		differences, compared = append(differences, d...), compared+n
	}
	for i, d := range differences {
		if i == 20 {
			t.Fatalf("and %d more", len(differences)-20)
		}
		t.Error(d)
	}
	t.Logf("%s: %d task shapes, %d values compared", want.Peer, len(want.Tasks), compared)

	// The comparison notices one changed byte of a prompt, a continuation or an
	// answer, and a change of 1e-9 in any number.
	for _, name := range slices.Sorted(maps.Keys(want.Tasks)) {
		samples := want.Tasks[name].Samples
		s := &samples[len(samples)/2]
		for i, x := range s.Arguments[0] {
			if text, ok := x.(string); ok && text != "" {
				s.Arguments[0][i] = text[:len(text)-1] + "\x01"
				if d, _ := got.compare(name, want.Tasks[name]); len(d) == 0 {
					t.Errorf("%s: a changed byte of request %q is not noticed", name, text)
				}
				s.Arguments[0][i] = x
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Tasks)) {
		for key, value := range want.Tasks[name].Results {
			number, ok := value.(float64)
			if !ok {
				continue
			}
			want.Tasks[name].Results[key] = number + 1e-9*max(1, math.Abs(number))
			if d, _ := got.compare(name, want.Tasks[name]); len(d) == 0 {
				t.Errorf("%s, %s: a change of 1e-9 is not noticed", name, key)
			}
			want.Tasks[name].Results[key] = value
		}
	}
}

// parity is what this program asked and found.
type parity struct {
	asked   map[string][]eval.Asked
	reports map[string]eval.TaskReport
	samples map[string][]eval.Sample
}

func parityRun(t *testing.T, want golden, r eval.Reading) parity {
	t.Helper()
	p := parity{map[string][]eval.Asked{}, map[string]eval.TaskReport{}, map[string][]eval.Sample{}}
	m := parityModel(t)
	for name := range want.Tasks {
		task, err := eval.ReadTask(filepath.Join(parityDir, name+".yaml"), r)
		if err != nil {
			t.Fatal(err)
		}
		profile := evaltest.Full
		profile.Context = max(514, want.Length) // max_length of docs/peers/lmeval/parity.py
		c, template := evaltest.Candidate(0, m), eval.ChatTemplate{}
		if want.Template != "" {
			text, err := os.ReadFile(filepath.Join("chat/testdata/templates", want.Template))
			if err != nil {
				t.Fatal(err)
			}
			c.Files, template = map[string][]byte{"tokenizer_config.json": want.Tokens, "tokenizer.json": []byte("{}")}, eval.ChatTemplate{Source: string(text), File: want.Template}
		}
		s := evaltest.NewServer(t, profile, nil)
		e, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: s.Endpoint(m), Chat: template, Tokenizer: func([]byte) (eval.Tokenizer, error) { return evaltest.Tokenizer{}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		asked := items(e, eval.HarnessSplit)
		if want.Limit > 0 {
			asked = asked[:want.Limit]
		}
		r, err := e.ScoreDetailed(context.Background(), c, asked)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p.asked[name], p.reports[name], p.samples[name] = eval.AskedBy(e, c, task, eval.HarnessSplit), r.Tasks[0], r.Samples
	}
	return p
}

// compare lists what differs, and counts what was compared.
func (p parity) compare(name string, task goldenTask) (differences []string, compared int) {
	differ := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	number := func(where string, got, want, within float64) {
		compared++
		if !(math.Abs(got-want) <= within*max(1, math.Abs(want))) {
			differ("%s: %v, want %v", where, got, want)
		}
	}
	for key, value := range task.Results {
		metric, filter, _ := strings.Cut(key, ",")
		plain, stderr := strings.CutSuffix(metric, "_stderr")
		e, ok := p.reports[name].Metrics[eval.Metric{Name: plain, Filter: filter}.Key()]
		where := name + " " + key
		switch x, isNumber := value.(float64); {
		case !ok:
			differ("%s: no such metric", where)
		case stderr && !isNumber:
			compared++
			if value != "N/A" || !math.IsNaN(e.StdErr) {
				differ("%s: %v, want %v", where, e.StdErr, value)
			}
		case stderr:
			number(where, e.StdErr, x, 1e-12)
		default:
			number(where, e.Value, x, 1e-12)
		}
	}
	for _, s := range task.Samples {
		where := fmt.Sprintf("%s, document %d", name, s.Doc)
		if s.Doc >= len(p.samples[name]) {
			differ("%s: not asked", where)
			continue
		}
		compared += p.compareSample(where, s, p.asked[name][s.Doc], p.samples[name][s.Doc], differ, number)
	}
	return differences, compared
}

func (p parity) compareSample(where string, want goldenSample, asked eval.Asked, got eval.Sample, differ func(string, ...any), number func(string, float64, float64, float64)) (compared int) {
	for i, a := range want.Arguments {
		texts := make([]string, 0, 2)
		for _, x := range a {
			if s, ok := x.(string); ok {
				texts = append(texts, s)
			}
		}
		compared++
		if i >= len(asked) || !slices.Equal(asked[i], texts) {
			differ("%s: request %d asks %q, want %q", where, i, asked[min(i, len(asked)-1)], texts)
		}
	}
	for i, a := range want.Answers {
		switch answer := a.([]any)[0].(type) {
		case string: // a completion
			compared++
			if got.Output != answer {
				differ("%s: output %q, want %q", where, got.Output, answer)
			}
		case float64: // rolling
			number(where+" log-likelihood", got.Choices[0].Logprob, answer, 1e-9)
		case []any:
			if i >= len(got.Choices) {
				continue // of a choice alone, seen in acc_mutual_info
			}
			number(fmt.Sprintf("%s, choice %d", where, i), got.Choices[i].Logprob, answer[0].(float64), 1e-9)
			compared++
			if got.Choices[i].Greedy != answer[1].(bool) {
				differ("%s, choice %d: greedy %v, want %v", where, i, got.Choices[i].Greedy, answer[1])
			}
		}
	}
	if text, ok := want.Filtered[0].(string); ok && want.Filter != "none" {
		compared++
		if got.Filtered[want.Filter] != text {
			differ("%s, filter %s: %q, want %q", where, want.Filter, got.Filtered[want.Filter], text)
		}
	}
	for m, value := range want.Metrics {
		if x, ok := value.(float64); ok {
			number(where+" "+m, got.Metrics[eval.Metric{Name: m, Filter: want.Filter}.Key()], x, 1e-12)
		}
	}
	return compared
}
