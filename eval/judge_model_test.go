package eval_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// judgeServer is a chat server whose model grades sums: 10 where the answer equals
// the target, else 1. What script returns for request n, counted from 0, is sent
// instead, with its status.
type judgeServer struct {
	*httptest.Server

	mu     sync.Mutex
	bodies []string
	keys   []string
	script func(n int, w http.ResponseWriter) (done bool)
}

func newJudgeServer(t testing.TB, script func(n int, w http.ResponseWriter) bool) *judgeServer {
	s := &judgeServer{script: script}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.answer)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *judgeServer) answer(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	n := len(s.bodies)
	s.bodies, s.keys = append(s.bodies, string(text)), append(s.keys, r.Header.Get("Authorization"))
	s.mu.Unlock()
	if s.script != nil && s.script(n, w) {
		return
	}
	var in struct {
		Messages []struct{ Content string }
	}
	var target, answer string
	if err := json.Unmarshal(text, &in); err == nil && len(in.Messages) > 0 {
		_, about, _ := strings.Cut(in.Messages[len(in.Messages)-1].Content, "Target: ")
		target, about, _ = strings.Cut(about, "\nAnswer: ")
		answer, _, _ = strings.Cut(about, "\n")
	}
	grade := 1
	if answer == target {
		grade = 10
	}
	writes(w, fmt.Sprintf("An answer worth Grade: 5 would be longer.\nGrade: %d", grade), "stop")
}

// writes sends a chat completion.
func writes(w http.ResponseWriter, text, finish string) {
	json.NewEncoder(w).Encode(map[string]any{
		"object": "chat.completion", "model": "grader",
		"choices": []any{map[string]any{"index": 0, "finish_reason": finish, "message": map[string]any{"role": "assistant", "content": text}}},
	})
}

func (s *judgeServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

const judgeKey = `judge:
  url: URL/v1
  model: grader
  system: You are strict.
  prompt: |
    {{id}}: {{prompt}} of {{choices | join(" ")}}
    Target: {{target}}
    Answer: {{answer}}
    End with: Grade: N
  grade: "Grade: *([0-9.]+)"
  scale: [1, 10]
`

// judgeTask is the task of sums, judged at a URL; more are further keys of judge.
func judgeTask(url, more string) string {
	return strings.Replace(generateTask, "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n", "", 1) +
		strings.Replace(judgeKey, "URL", url, 1) + more
}

// sumsModel answers the three search items, the second of them wrongly.
var sumsModel = evaltest.Model{Fingerprint: "k", Answers: map[string]string{"1+2=": "3\n", "2+2=": "5\n", "5+4=": "9\n"}}

func judged(t testing.TB, text string, o eval.Options) *eval.Evaluator {
	t.Helper()
	o.Tasks = []*eval.Task{readTask(t, text)}
	o.Endpoint = evaltest.NewServer(t, evaltest.Full, nil).Endpoint(sumsModel)
	e, err := eval.New(o)
	if err != nil {
		t.Fatal(err)
	}
	eval.Hasten(e, time.Millisecond)
	t.Cleanup(e.Close)
	return e
}

func TestJudgeModel(t *testing.T) {
	s := newJudgeServer(t, nil)
	e := judged(t, judgeTask(s.URL, "  api_key_env: JUDGE_KEY\n  max_tokens: 64\n"), eval.Options{Environment: func(name string) (string, bool) {
		return "key of " + name, true
	}})
	r, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, sumsModel), items(e, mergesearch.SearchSplit))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 0, 1} {
		if r.Outcomes[i].Value != want {
			t.Errorf("item %d scored %v, want %v", i, r.Outcomes[i].Value, want)
		}
	}
	if m := r.Tasks[0].Metrics["score"]; r.Samples[1].Judged[0] != "An answer worth Grade: 5 would be longer.\nGrade: 1" || r.Tasks[0].Ungraded != 0 || m.Value < 0.66 || m.Value > 0.67 {
		t.Errorf("%+v", r)
	}
	// A request for an item is one, and one to the judge is another.
	if sent, remembered := e.Judged(); sent != 3 || remembered != 0 || e.Requests() != 3 {
		t.Errorf("%d sent, %d remembered, %d for items", sent, remembered, e.Requests())
	}
	want := `{"model":"grader","messages":[{"role":"system","content":"You are strict."},{"role":"user","content":"s2: 2+2= of 3 4\nTarget: 4\nAnswer: 5\nEnd with: Grade: N\n"}],` +
		`"max_tokens":64,"temperature":0,"top_p":1,"n":1,"presence_penalty":0,"frequency_penalty":0,"seed":1234,"stream":false}`
	if all := strings.Join(s.requests(), "\n"); !strings.Contains(all, want) {
		t.Errorf("no request is %s\n%s", want, all)
	}
	for _, key := range s.keys {
		if key != "Bearer key of JUDGE_KEY" {
			t.Errorf("the key %q was sent", key)
		}
	}
}

// What a judge said of an answer is not asked again, whoever gives the answer; under
// another URL, or another prompt, it is.
func TestJudgeIsAskedOnce(t *testing.T) {
	var cache store
	s, other := newJudgeServer(t, nil), newJudgeServer(t, nil)
	twin := sumsModel
	twin.Fingerprint, twin.Seed = "twin", 7
	run := func(text string, m evaltest.Model) []mergesearch.Outcome {
		t.Helper()
		e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, text)}, Endpoint: evaltest.NewServer(t, evaltest.Full, nil).Endpoint(sumsModel, twin), Cache: &cache})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		got, err := score(t, e, m)
		if err != nil {
			t.Fatal(err)
		}
		if sent, remembered := e.Judged(); sent+remembered != 3 {
			t.Errorf("%d sent and %d remembered", sent, remembered)
		}
		return got
	}
	text := judgeTask(s.URL, "")
	for round, c := range []struct {
		text        string
		model       evaltest.Model
		here, there int // requests so far
	}{
		{text, sumsModel, 3, 0},
		{text, twin, 3, 0},
		{judgeTask(other.URL, ""), twin, 3, 3},
		{strings.Replace(text, "are strict", "are kind", 1), twin, 6, 3},
		{strings.Replace(text, "scale: [1, 10]", "scale: [0, 20]", 1), twin, 6, 3}, // the text is kept, not the score
	} {
		got := run(c.text, c.model)
		if here, there := len(s.requests()), len(other.requests()); here != c.here || there != c.there {
			t.Errorf("round %d: %d and %d requests, want %d and %d", round, here, there, c.here, c.there)
		}
		want := []float64{1, 0}
		if round == 4 {
			want = []float64{0.5, 0.05}
		}
		if got[0].Value != want[0] || got[1].Value != want[1] {
			t.Errorf("round %d: %v", round, got)
		}
	}
	// Judges alone are remembered where the candidates' answers are not worth it.
	alone := store{}
	for range 2 {
		e := judged(t, text, eval.Options{})
		e.RememberJudged(&alone)
		if _, err := score(t, e, sumsModel); err != nil || len(alone.values) != 3 || e.Remembered() != 0 || e.Requests() != 3 {
			t.Errorf("%d values, %v", len(alone.values), err)
		}
	}
	if n := len(s.requests()); n != 9 {
		t.Errorf("%d requests, want 3 more", n)
	}
	cache.broken = errors.New("disk full")
	e := judged(t, text, eval.Options{Cache: &cache})
	var j *eval.JudgeError
	if _, err := score(t, e, sumsModel); !errors.Is(err, cache.broken) || errors.As(err, &j) {
		t.Errorf("%v, want the cache's error", err)
	}
}

// Equal answers to one question are judged once, and pass@k counts full grades.
func TestJudgeOfSeveralAnswers(t *testing.T) {
	s := newJudgeServer(t, nil)
	text := strings.Replace(judgeTask(s.URL, ""), "temperature: 0.0, do_sample: false", "temperature: 0.1, do_sample: true", 1) +
		"repeats: 3\nmetric_list: [{metric: score}, {metric: pass@k, k: 3}]\nfilter_list: [{name: all, filter: [{function: take_first_k, k: 3}]}]\n"
	e := judged(t, text, eval.Options{})
	r, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, sumsModel), items(e, mergesearch.SearchSplit))
	if err != nil {
		t.Fatal(err)
	}
	different := 0
	for i, sample := range r.Samples {
		seen := map[string]bool{}
		right := 0.0
		for _, answer := range sample.Outputs {
			seen[answer] = true
			if answer == sample.Target {
				right++
			}
		}
		different += len(seen)
		pass := 0.0
		if right > 0 {
			pass = 1
		}
		if len(sample.Outputs) != 3 || len(sample.Judged) != 3 || r.Outcomes[i].Value != right/3 || sample.Metrics["pass@k,all"] != pass {
			t.Errorf("%+v scored %v", sample, r.Outcomes[i].Value)
		}
	}
	if n := len(s.requests()); n != different || n == 9 {
		t.Errorf("%d requests for %d answers that differ", n, different)
	}
}

// Refusals for load and broken answers are asked again.
func TestJudgeIsAskedAgain(t *testing.T) {
	s := newJudgeServer(t, func(n int, w http.ResponseWriter) bool {
		switch n {
		case 0:
			w.WriteHeader(http.StatusTooManyRequests)
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			io.WriteString(w, `{"choices": [{"index": 0, "finish_reason": "stop", "mess`)
		default:
			return false
		}
		return true
	})
	e := judged(t, judgeTask(s.URL, ""), eval.Options{})
	got, err := score(t, e, sumsModel)
	if err != nil || got[0].Value != 1 || got[1].Value != 0 || got[2].Value != 1 {
		t.Errorf("%v, %v", got, err)
	}
	if n := len(s.requests()); n != 7 {
		t.Errorf("%d requests, want 3 and 4 once more", n)
	}
}

// A judge that gives no grade ends the run with what it wrote, and is no score; with
// no_grade it is that score, and counted.
func TestJudgeGivesNoGrade(t *testing.T) {
	long := strings.Repeat("é", 300)
	for name, c := range map[string]struct {
		text, finish string
		status       int
		want         string
		always       bool // whatever no_grade says
	}{
		"no grade":       {text: "I cannot tell.", finish: "stop", want: `no grade: nothing matches Grade: *([0-9.]+); it wrote, at the end: "I cannot tell."`},
		"nothing":        {finish: "stop", want: "no grade: nothing matches"},
		"off the scale":  {text: "Grade: 11", finish: "stop", want: "no grade: 11 is off the scale from 1 to 10"},
		"below it":       {text: "Grade: 0", finish: "stop", want: "no grade: 0 is off the scale from 1 to 10"},
		"no number":      {text: "Grade: 1.2.3", finish: "stop", want: `no grade: "1.2.3" is no number`},
		"cut off":        {text: "Grade: 1", finish: "length", want: "cut off after max_tokens: 512"},
		"filtered":       {text: "", finish: "content_filter", want: "the server's filter ended it"},
		"long":           {text: long, finish: "stop", want: strings.Repeat("é", 200) + `"`},
		"strange end":    {text: "Grade: 3", finish: "abort", want: `it ended with "abort"`, always: true},
		"server refuses": {status: 400, want: "endpoint ", always: true},
		"server fails":   {status: 500, want: "attempts 8", always: true},
	} {
		s := newJudgeServer(t, func(_ int, w http.ResponseWriter) bool {
			if c.status != 0 {
				w.WriteHeader(c.status)
			} else {
				writes(w, c.text, c.finish)
			}
			return true
		})
		var cache store
		e := judged(t, judgeTask(s.URL, ""), eval.Options{Cache: &cache, Concurrency: 1})
		_, err := score(t, e, sumsModel)
		var j *eval.JudgeError
		if !errors.As(err, &j) || j.Task != "sums" || j.Item != "sums/s1" || j.Hint() == "" ||
			!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), s.URL) || strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if strings.Contains(err.Error(), strings.Repeat("é", 201)) {
			t.Errorf("%s: %v", name, err)
		}
		if len(cache.values) != 1 { // the candidate's answer
			t.Errorf("%s: %d values are remembered", name, len(cache.values))
		}
		e = judged(t, judgeTask(s.URL, "  no_grade: 0.25\n"), eval.Options{Concurrency: 1})
		r, err := e.ScoreDetailed(context.Background(), evaltest.Candidate(1, sumsModel), items(e, mergesearch.SearchSplit))
		switch {
		case c.always:
			if !errors.As(err, &j) {
				t.Errorf("%s with no_grade: %v", name, err)
			}
		case err != nil || r.Outcomes[0].Value != 0.25 || r.Tasks[0].Ungraded != 3 || r.Samples[0].Ungraded != 1:
			t.Errorf("%s with no_grade: %+v, %v", name, r, err)
		}
	}
}

// A judge that takes long ends at once when the call does.
func TestJudgeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	over := make(chan struct{})
	s := newJudgeServer(t, func(int, http.ResponseWriter) bool {
		cancel(errors.New("given up"))
		<-over
		return true
	})
	defer close(over)
	e := judged(t, judgeTask(s.URL, ""), eval.Options{})
	var j *eval.JudgeError
	_, err := e.Score(ctx, evaltest.Candidate(1, sumsModel), items(e, mergesearch.SearchSplit))
	if err == nil || !strings.Contains(err.Error(), "given up") || errors.As(err, &j) {
		t.Errorf("%v, want that it was given up", err)
	}
}

// What a task file may say of a judge.
func TestJudgeFaults(t *testing.T) {
	good := judgeTask("http://127.0.0.1:9", "")
	line := func(text, part string) int {
		before, _, found := strings.Cut(text, part)
		if !found {
			t.Fatalf("%q is not in the task", part)
		}
		return 1 + strings.Count(before, "\n")
	}
	for _, c := range []struct{ old, new, field, want string }{
		{"http://127.0.0.1:9/v1", "127.0.0.1:9/v1", "judge.url", "is not the URL of a server"},
		{"http://127.0.0.1:9/v1", "ftp://host/v1", "judge.url", "is not the URL of a server"},
		{"http://127.0.0.1:9/v1", "http://:9/v1", "judge.url", "is not the URL of a server"},
		{"http://127.0.0.1:9/v1", "http://host/v1?key=x", "judge.url", "is not the URL of a server"},
		{"http://127.0.0.1:9/v1", "http://me:secret@host/v1", "judge.url", "holds a user"},
		{"  url: http://127.0.0.1:9/v1\n", "", "judge", "the key url: is missing"},
		{"  model: grader\n", "", "judge", "the key model: is missing"},
		{"model: grader", `model: ""`, "judge", "the key model: is missing or empty"},
		{"system: You are strict.", "api_key_env: sk-secret", "judge.api_key_env", "not the name of an environment variable"},
		{"system: You are strict.", "sistem: You are strict.", "judge.sistem", "unknown key"},
		{"system: You are strict.", "max_tokens: 0", "judge.max_tokens", "out of range"},
		{"system: You are strict.", "no_grade: 1.5", "judge.no_grade", "out of range"},
		{"system: You are strict.", "no_grade: none at all", "judge.no_grade", "want a number"},
		{`grade: "Grade: *([0-9.]+)"`, `grade: "Grade: *[0-9.]+"`, "judge.grade", "has no group"},
		{`grade: "Grade: *([0-9.]+)"`, `grade: "Grade: *([0-9.]+"`, "judge.grade", "not a regular expression"},
		{"  scale: [1, 10]\n", "", "judge", "the key scale: is missing"},
		{"scale: [1, 10]", "scale: [10, 1]", "judge.scale", "is not above the worst"},
		{"scale: [1, 10]", "scale: [-1.5e+308, 1.5e+308]", "judge.scale", "out of range"},
		{"scale: [1, 10]", "scale: [1]", "judge.scale", "want two numbers"},
		{"scale: [1, 10]", "scale: [1, ten]", "judge.scale[1]", "want a number"},
		{"Target: {{target}}", "Target: {{target", "judge.prompt", "at character"},
		{"output_type: generate_until", "output_type: loglikelihood", "judge", "no meaning"},
		{"metadata: {version: 1}", "scorer: {command: [sh]}", "judge", "a scorer too"},
		{"metadata: {version: 1}", "metric_list: [{metric: exact_match}]", "metric_list", "no metric uses the judge"},
		{"Answer: {{answer}}", "Answer: unseen", "judge.prompt", "whatever the answer is"},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if text == good {
			t.Fatalf("%q is not in the task", c.old)
		}
		file := filepath.Join(write(t, dataFiles(text)), "task.yaml")
		_, err := eval.ReadTask(file, eval.Reading{})
		in := inputError(t, err)
		if !strings.Contains(in.Problem, c.want) || in.Field != c.field || in.File != file || in.Line < line(text, c.field[:5]) && c.field != "metric_list" {
			t.Errorf("%q for %q: %v, want %s: %q", c.new, c.old, err, c.field, c.want)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%v repeats what may be a key", err)
		}
	}
	// A misspelt column is found in the data, where it is missing.
	file := filepath.Join(write(t, dataFiles(strings.Replace(good, "{{id}}", "{{idd}}", 1))), "task.yaml")
	_, err := eval.ReadTask(file, eval.Reading{})
	if in := inputError(t, err); in.Field != "judge.prompt" || filepath.Base(in.File) != "s.jsonl" || in.Line != 1 || in.Hint != `did you mean "id"?` {
		t.Errorf("%v (%s)", err, in.Hint)
	}
	task := readTask(t, good)
	if len(task.Notes) != 1 || !strings.Contains(task.Notes[0], "the columns answer, prompt:") {
		t.Errorf("notes %q", task.Notes)
	}
	if task.Metric() != eval.Scored {
		t.Errorf("the metric is %s", task.Metric())
	}
	// The key is looked up when the evaluator is made.
	for name, environment := range map[string]func(string) (string, bool){
		"nil": nil, "not set": func(string) (string, bool) { return "", false }, "empty": func(string) (string, bool) { return " ", true },
	} {
		task := readTask(t, good+"  api_key_env: JUDGE_KEY\n")
		_, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: evaltest.NewServer(t, evaltest.Full, nil).Endpoint(sumsModel), Environment: environment})
		if in := inputError(t, err); in.Field != "judge.api_key_env" || in.File != task.File || in.Line != line(good, "judge:")+strings.Count(judgeKey, "\n") || !strings.Contains(in.Problem, "JUDGE_KEY is not set") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The last grade counts, and ends of sentences are no part of it.
func TestGrade(t *testing.T) {
	for text, want := range map[string]float64{
		"Grade: 1": 0, "Grade: 10": 1, "Grade: 5.5": 0.5, "Grade: 5.5.": 0.5, "Grade: 2, no: Grade:10": 1, "Grade: 10\nGrade: 1.\n": 0,
	} {
		if got, err := eval.Grade("Grade: *([0-9.]+)", 1, 10, text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

// FuzzGrade reads grades from arbitrary text: a score is in [0, 1], and the text
// that follows a grade without being one changes nothing.
func FuzzGrade(f *testing.F) {
	f.Add("Grade: 7", 1.0, 10.0)
	f.Add("Grade: inf Grade: NaN", 0.0, 1.0)
	f.Add("Grade: 1e400", -1e308, 1e308)
	f.Add("Grade: ٣", 0.0, 5.0)
	f.Fuzz(func(t *testing.T, text string, low, high float64) {
		if !(low < high) {
			return
		}
		x, err := eval.Grade(`Grade: *(\S*)`, low, high, text)
		if err != nil {
			return
		}
		if !(x >= 0 && x <= 1) {
			t.Fatalf("%q on %v to %v scores %v", text, low, high, x)
		}
		if again, err := eval.Grade(`Grade: *(\S*)`, low, high, text+" and so on"); err != nil || again != x {
			t.Fatalf("%q scores %v, with more words %v, %v", text, x, again, err)
		}
	})
}
