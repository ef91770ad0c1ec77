package eval_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

func probe(t testing.TB, s *evaltest.Server) (eval.Profile, error) {
	t.Helper()
	return eval.Probe(context.Background(), eval.Session{BaseURL: s.URL + "/v1", Model: "m", Tokenizer: evaltest.Tokenizer{}})
}

// The probe finds what each server can do and nothing else, and by it the way of
// asking, with at most twenty requests.
func TestProbeFindsTheRoute(t *testing.T) {
	want := map[string]string{
		"echo": "echo", "echo, many": "echo", "prompt_logprobs": "prompt_logprobs", "prompt_logprobs all": "prompt_logprobs",
		"labels": "prompt_logprobs", "top": "prompt_logprobs", "generate": "generate", "forced": "forced",
	}
	for name, p := range routes() {
		p.Chat = name == "labels"
		s := evaltest.NewServer(t, p, map[string]evaltest.Model{"m": good})
		got, err := probe(t, s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%-20s %-16s %d requests, noise %g", name, got.Route(), got.Requests, got.Noise)
		if route := got.Route(); route != want[name] {
			t.Errorf("%s: found the route %q; it lacks %q", name, route, got.Lacking)
		}
		if got.Requests > 20 || s.Requests() > 20 || got.Requests < s.Requests() {
			t.Errorf("%s: %d requests, the server counts %d", name, got.Requests, s.Requests())
		}
		if got.Noise != 0 || got.Unsteady || !got.AddsBegin || got.StopIncluded || got.Lacking != "" {
			t.Errorf("%s: measured %+v", name, got.Measured)
		}
		got.Measured, p.Measured = eval.Measured{}, eval.Measured{}
		p.Kind, p.Swap, p.Fingerprint = "", "", false
		if got != p {
			t.Errorf("%s: found %+v, the server does %+v", name, got, p)
		}
	}
}

// The noise floor is measured, temperature 0 is held to its word, and a stop string
// that stays in is noticed.
func TestProbeMeasures(t *testing.T) {
	talker := evaltest.Model{Seed: 1, Answers: map[string]string{"1 2 3": " 4 5 6 7"}}
	s := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"m": talker})
	s.Script(func(n int) *evaltest.Fault {
		return alterEach(func(c, l map[string]any) {
			for i, v := range values(l) {
				if x, ok := v.(float64); ok {
					values(l)[i] = x - 0.001*float64(n%3)
				}
			}
			if text, _ := c["text"].(string); l == nil && text != "" {
				c["text"] = text + "4" // what a server does that leaves the stop string in
			}
		})
	})
	got, err := probe(t, s)
	if err != nil || math.Abs(got.Noise-0.002) > 1e-9 || !got.StopIncluded || got.Unsteady {
		t.Errorf("%+v, %v", got.Measured, err)
	}
	n := 0
	s.Script(func(int) *evaltest.Fault {
		n++
		return alterEach(func(c, l map[string]any) {
			if l == nil {
				c["text"] = fmt.Sprint(c["text"], n)
			}
		})
	})
	if got, err = probe(t, s); err != nil || !got.Unsteady {
		t.Errorf("%+v, %v; want an unsteady server", got.Measured, err)
	}
	a, b := got, got
	a.Noise, b.Noise, b.Requests, b.Unsteady = 0.1, 0.2, 3, false
	if a.ID() != b.ID() || len(a.ID()) != 64 {
		t.Error("what was measured once decides the profile's name")
	}
	b.Server = "another version"
	if a.ID() == b.ID() {
		t.Error("another version of a server has the same name")
	}
	b = a
	b.ExtraSampling = !b.ExtraSampling
	if a.ID() == b.ID() {
		t.Error("another ability is of no matter to the name")
	}
}

// A server that says who it is.
func TestProbeReadsNames(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"data":[{"id":"m","owned_by":"vllm","max_model_len":4096},{"id":"n"}]}`)
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"0.18.1"}`) })
	model := "m"
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"model":%q,"choices":[{"index":0,"text":"x","finish_reason":"length"}]}`, model)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	session := eval.Session{BaseURL: s.URL + "/v1", Model: "m"}
	got, err := eval.Probe(context.Background(), session)
	if err != nil || got.Server != "vllm 0.18.1" || got.Context != 4096 || got.Requests > 20 {
		t.Errorf("%+v, %v", got, err)
	}
	model = "n"
	if _, err = eval.Probe(context.Background(), session); !strings.Contains(inputError(t, err).Problem, `answers with "n"`) {
		t.Errorf("%v", err)
	}
}

// A server that only chats is taken for what it is.
func TestProbeChatOnly(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"4"},"finish_reason":"stop"}]}`)
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	got, err := eval.Probe(context.Background(), eval.Session{BaseURL: s.URL + "/v1", Model: "m"})
	lacking, ok := got.Likelihood()
	if err != nil || !got.Chat || !got.ChatOnly || ok || !strings.Contains(lacking, "/v1/completions") || got.Requests > 5 {
		t.Errorf("%+v, %v", got, err)
	}
}

func values(logprobs map[string]any) []any {
	v, _ := logprobs["token_logprobs"].([]any)
	return v
}

// alterEach changes every choice of a response; logprobs is nil where it has none.
func alterEach(f func(choice, logprobs map[string]any)) *evaltest.Fault {
	return &evaltest.Fault{Alter: func(r map[string]any) {
		choices, _ := r["choices"].([]any)
		for _, c := range choices {
			c := c.(map[string]any)
			l, _ := c["logprobs"].(map[string]any)
			f(c, l)
		}
	}}
}

// alterValues changes the log-probabilities of every prompt.
func alterValues(f func([]any) []any) *evaltest.Fault {
	return alterEach(func(_, l map[string]any) {
		if v := values(l); v != nil {
			l["token_logprobs"] = f(v)
		}
	})
}

func same(x any) func([]any) []any {
	return func(v []any) []any {
		for i := range v {
			v[i] = x
		}
		return v
	}
}

// probed is a server as an endpoint, with the profile that was found.
type probed struct {
	eval.Endpoint
	profile eval.Profile
}

func (p probed) Profile() eval.Profile { return p.profile }

// Servers that lie about log-probabilities, in ways that would become plausible
// scores: each is refused with the cause, soon, and after few requests.
func TestLyingServers(t *testing.T) {
	echo := evaltest.Full
	echo.ZeroTokens = false
	ranked, sglang, llama := echo, echo, echo
	ranked.EchoLogprobs, ranked.PromptLogprobs = false, true
	sglang.EchoLogprobs, sglang.Generate = false, true
	llama.EchoLogprobs, llama.Forced = false, true
	respond := func(f func(map[string]any)) *evaltest.Fault { return &evaltest.Fault{Alter: f} }
	draw := 0.0
	for _, c := range []struct {
		lie, cause string
		profile    eval.Profile
		fault      *evaltest.Fault
	}{
		{"zeros", "all 11 tokens have the log-probability 0", echo, alterValues(same(0.0))},
		{"one value for every token", "all 11 tokens have the log-probability -1.5", echo, alterValues(same(-1.5))},
		{"null-filled", "log-probability nan", echo, alterValues(same(nil))},
		{"one entry too few", "10 log-probabilities for a prompt of 12", echo, alterValues(func(v []any) []any { return v[:max(0, len(v)-3)] })},
		{"chat-shaped", "shape of chat completions", echo, alterEach(func(c, l map[string]any) {
			if l != nil {
				c["logprobs"] = map[string]any{"content": []any{map[string]any{"token": "x", "logprob": -1.0}}}
			}
		})},
		{"generated token only", "1 log-probabilities for a prompt of 12", echo, alterValues(func(v []any) []any { return v[len(v)-1:] })},
		{"adds a begin-of-sequence token", "it adds or drops some", echo, respond(func(r map[string]any) {
			u := r["usage"].(map[string]any)
			u["prompt_tokens"] = u["prompt_tokens"].(int) + len(r["choices"].([]any))
		})},
		{"adds one and does not count it", "14 log-probabilities for a prompt of 12", echo, alterValues(func(v []any) []any { return append([]any{nil, -2.0}, v[1:]...) })},
		{"cuts long prompts", "log-probabilities for a prompt of", echo, alterValues(func(v []any) []any { return v[max(0, len(v)-64):] })},
		{"shifted by one", "that two prompts begin with differ", echo, alterValues(func(v []any) []any { return append(v[1:], -1.0) })},
		{"splits the text otherwise", "token 1 of the prompt is said to be 10, 11 was sent", echo, alterEach(func(_, l map[string]any) {
			if tokens, ok := l["tokens"].([]any); ok {
				l["tokens"] = append([]any{tokens[0]}, tokens[:len(tokens)-1]...)
				l["text_offset"] = []any{-1}
			}
		})},
		{"NaN", "log-probability nan", echo, &evaltest.Fault{Body: `{"model":"m","choices":[{"index":0,"text":"x","finish_reason":"length","logprobs":{"token_logprobs":[null` + strings.Repeat(",NaN", 12) + `]}}]}`}},
		{"probabilities for logarithms", "log-probability 0.", echo, alterValues(func(v []any) []any {
			for i, x := range v {
				if x, ok := x.(float64); ok {
					v[i] = math.Exp(x)
				}
			}
			return v
		})},
		{"one answer for every prompt", "different prompts have the same log-probabilities", echo, alterValues(func(v []any) []any {
			for i := range v[1:] {
				v[i+1] = -1 - float64(i%7)
			}
			return v
		})},
		{"random", "differ by", echo, alterValues(func(v []any) []any {
			for i := range v[1:] {
				draw++
				v[i+1] = -8 - 7*math.Sin(draw*draw)
			}
			return v
		})},
		{"another model", "was asked for the model", echo, respond(func(r map[string]any) { r["model"] = "other" })},
		{"other weights", "other weights answered", echo, respond(func(r map[string]any) { r["system_fingerprint"] = "poor" })},
		{"names another token", "does not name token", ranked, alterEach(func(c, _ map[string]any) {
			if entries, ok := c["prompt_logprobs"].([]any); ok {
				entries[3] = map[string]any{"99": map[string]any{"logprob": -1.0, "rank": 1}}
			}
		})},
		{"shifts with logprob_start_len", "was sent", sglang, respond(func(r map[string]any) {
			if meta, ok := r["meta_info"].(map[string]any); ok {
				v := meta["input_token_logprobs"].([]any)
				meta["input_token_logprobs"] = append(v[1:], v[0])
			}
		})},
		{"forced tokens are certain", "away from that of the same token", llama, respond(func(r map[string]any) {
			if steps, ok := r["completion_probabilities"].([]any); ok && len(steps[0].(map[string]any)["top_logprobs"].([]any)) == 1 {
				steps[0].(map[string]any)["logprob"] = 0.0
			}
		})},
		{"does not force", "was forced", llama, respond(func(r map[string]any) {
			if steps, ok := r["completion_probabilities"].([]any); ok {
				steps[0].(map[string]any)["id"] = 7
			}
		})},
	} {
		t.Run(c.lie, func(t *testing.T) {
			s := evaltest.NewServer(t, c.profile, map[string]evaltest.Model{"m": good, "other": poor})
			if c.profile != echo {
				s = evaltest.NewServer(t, c.profile, map[string]evaltest.Model{"m": good})
			}
			s.Script(func(int) *evaltest.Fault { return c.fault })
			start := time.Now()
			cause, gets := refusal(t, s)
			took, requests := time.Since(start), gets+s.Requests()
			t.Logf("%4d ms, %2d requests: %s", took.Milliseconds(), requests, cause)
			if !strings.Contains(cause, c.cause) {
				t.Errorf("refused with %q, want %q", cause, c.cause)
			}
			if requests > 20 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// refusal takes a server all the way from the probe to a score, and returns why
// there is none, and how many requests were no questions.
func refusal(t *testing.T, s *evaltest.Server) (cause string, gets int) {
	t.Helper()
	found, err := probe(t, s)
	gets = 2
	var in *mergesearch.InputError
	if errors.As(err, &in) {
		return in.Error(), gets
	}
	if err != nil {
		t.Fatal(err)
	}
	found.Kind, found.Swap, found.Fingerprint = "test", eval.SwapMemory, true
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{readTask(t, choiceTask)}, Endpoint: probed{s.Endpoint(good), found}})
	if err != nil {
		return err.Error(), gets
	}
	defer e.Close()
	got, err := e.Score(context.Background(), evaltest.Candidate(1, good), []mergesearch.ItemID{"facts/s1"})
	if err == nil {
		t.Errorf("scored %+v", got)
		return "", gets
	}
	return err.Error(), gets
}
