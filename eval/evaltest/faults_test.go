package evaltest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// hit is one request to which something happens.
type hit struct {
	w    http.ResponseWriter
	r    *http.Request
	good []byte // the right response
	rng  *rand.Rand
	lies []byte        // the response of other weights
	over chan struct{} // closed when nobody waits any more
}

// raw writes bytes to the connection and closes it.
func (h hit) raw(text string) {
	c, _, err := h.w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, text)
}

// body sends another body with status 200.
func (h hit) body(text string) {
	h.w.Header().Set("Content-Type", "application/json")
	io.WriteString(h.w, text)
}

// altered sends the right response after a change.
func (h hit) altered(change func(response map[string]any)) {
	var v map[string]any
	if err := json.Unmarshal(h.good, &v); err != nil {
		panic(err)
	}
	change(v)
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	h.body(string(text))
}

// choices changes every choice.
func (h hit) choices(change func(i int, c map[string]any)) {
	h.altered(func(v map[string]any) {
		for i, c := range v["choices"].([]any) {
			change(i, c.(map[string]any))
		}
	})
}

// logprobs changes the log-probabilities of every choice that has some.
func (h hit) logprobs(change func(values []any) any) {
	h.choices(func(_ int, c map[string]any) {
		if l, ok := c["logprobs"].(map[string]any); ok {
			l["token_logprobs"] = change(l["token_logprobs"].([]any))
		}
	})
}

// whole is the right response as bytes on the wire.
func (h hit) whole() string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(h.good), h.good)
}

func (h hit) status(code int, header ...string) {
	for i := 0; i < len(header); i += 2 {
		h.w.Header().Set(header[i], header[i+1])
	}
	h.w.WriteHeader(code)
	io.WriteString(h.w, `{"error":{"message":"told to fail","type":"server_error"}}`)
}

// drip sends pieces until the client gives up.
func (h hit) drip(piece string) {
	f := http.NewResponseController(h.w)
	for h.r.Context().Err() == nil {
		if _, err := io.WriteString(h.w, piece); err != nil {
			return
		}
		f.Flush()
		select {
		case <-h.over:
			return
		case <-h.r.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// scenarios are the ways in which an endpoint goes wrong.
var scenarios = map[string]func(hit){
	"429":                             func(h hit) { h.status(429) },
	"429, Retry-After 0":              func(h hit) { h.status(429, "Retry-After", "0") },
	"429, Retry-After 1":              func(h hit) { h.status(429, "Retry-After", "1") },
	"429, Retry-After an hour":        func(h hit) { h.status(429, "Retry-After", "3600") },
	"429, Retry-After a date gone by": func(h hit) { h.status(429, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT") },
	"429, Retry-After nonsense":       func(h hit) { h.status(429, "Retry-After", "soon") },
	"408":                             func(h hit) { h.status(408) },
	"500":                             func(h hit) { h.status(500) },
	"502":                             func(h hit) { h.status(502) },
	"503":                             func(h hit) { h.status(503) },
	"504":                             func(h hit) { h.status(504) },
	"400":                             func(h hit) { h.status(400) },
	"401":                             func(h hit) { h.status(401) },
	"404":                             func(h hit) { h.status(404) },
	"410":                             func(h hit) { h.status(410) },
	"422":                             func(h hit) { h.status(422) },
	"redirect":                        func(h hit) { h.status(302, "Location", "/elsewhere") },
	"204":                             func(h hit) { h.w.WriteHeader(204) },
	"206 with half of it":             func(h hit) { h.w.WriteHeader(206); h.w.Write(h.good[:len(h.good)/2]) },
	"502 of a proxy, in HTML":         func(h hit) { h.w.WriteHeader(502); io.WriteString(h.w, "<html><h1>Bad Gateway</h1></html>") },
	"200 with an error": func(h hit) {
		h.body(`{"error":{"message":"out of memory","type":"server_error","code":500}}`)
	},
	"empty body":       func(h hit) { h.w.WriteHeader(200) },
	"null":             func(h hit) { h.body("null") },
	"an array":         func(h hit) { h.body("[]") },
	"an empty object":  func(h hit) { h.body("{}") },
	"no choices":       func(h hit) { h.altered(func(v map[string]any) { v["choices"] = []any{} }) },
	"choices are null": func(h hit) { h.altered(func(v map[string]any) { v["choices"] = nil }) },
	"the object twice": func(h hit) { h.body(string(h.good) + string(h.good)) },
	"choices twice": func(h hit) {
		h.body(strings.Replace(string(h.good), `{"choices":`, `{"choices":`+between(string(h.lies))+`,"choices":`, 1))
	},
	"server-sent events":           func(h hit) { h.body("data: " + string(h.good) + "\n\ndata: [DONE]\n\n") },
	"duplicate server-sent events": func(h hit) { h.body(strings.Repeat("data: "+string(h.good)+"\n\n", 2)) },
	"cut at some byte":             func(h hit) { h.raw(h.whole()[:len(h.whole())-1-h.rng.IntN(len(h.good))]) },
	"cut at the last byte":         func(h hit) { h.raw(h.whole()[:len(h.whole())-1]) },
	"cut in the header":            func(h hit) { h.raw(h.whole()[:10+h.rng.IntN(20)]) },
	"cut, length unknown":          func(h hit) { h.raw("HTTP/1.1 200 OK\r\n\r\n" + string(h.good[:h.rng.IntN(len(h.good))])) },
	"cut in a chunk": func(h hit) {
		h.raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", len(h.good), h.good[:len(h.good)/2]))
	},
	"a chunk too few": func(h hit) {
		h.raw(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(h.good), h.good))
	},
	"chunks of nonsense":           func(h hit) { h.raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") },
	"longer than announced":        func(h hit) { h.raw(h.whole() + "and more") },
	"an answer that nobody asked":  unasked,
	"no response":                  func(h hit) { panic(http.ErrAbortHandler) },
	"reset":                        reset,
	"not HTTP":                     func(h hit) { h.raw("SSH-2.0-OpenSSH_9.2\r\n") },
	"slow, but in time":            func(h hit) { pause(h, 50*time.Millisecond); h.w.Write(h.good) },
	"dead, though it says healthy": func(h hit) { pause(h, time.Minute) },
	"header, then nothing":         func(h hit) { h.w.WriteHeader(200); http.NewResponseController(h.w).Flush(); pause(h, time.Minute) },
	"a body without end":           func(h hit) { h.w.Write(h.good[:len(h.good)-1]); h.drip(" ") },
	"bytes that trickle":           func(h hit) { h.drip("x") },
	"a header without end":         endlessHeader,
	"a gzip bomb":                  func(h hit) { h.w.Header().Set("Content-Encoding", "gzip"); h.w.Write(bomb()) },
	"a line of 65 MB":              hugeLine,
	"nested without end":           func(h hit) { h.body(`{"x":` + strings.Repeat("[", 1<<20)) },
	"NaN": func(h hit) {
		h.body(strings.ReplaceAll(string(h.good), `"token_logprobs":[null,`, `"token_logprobs":[null,NaN,`))
	},
	"log-probabilities null":       func(h hit) { h.logprobs(func(v []any) any { v[len(v)-1] = nil; return v }) },
	"log-probabilities missing":    func(h hit) { h.choices(func(_ int, c map[string]any) { delete(c, "logprobs") }) },
	"one log-probability too few":  func(h hit) { h.logprobs(func(v []any) any { return v[:len(v)-1] }) },
	"one log-probability too many": func(h hit) { h.logprobs(func(v []any) any { return append(v, -0.1) }) },
	"positive log-probabilities":   func(h hit) { h.logprobs(func(v []any) any { v[len(v)-1] = 3.5; return v }) },
	"log-probabilities all equal":  func(h hit) { h.logprobs(func(v []any) any { return slices.Repeat([]any{-1.0}, len(v)) }) },
	"log-probabilities as in chats": func(h hit) {
		h.choices(func(_ int, c map[string]any) { c["logprobs"] = map[string]any{"content": []any{}} })
	},
	"choices in another order":   func(h hit) { h.altered(func(v map[string]any) { slices.Reverse(v["choices"].([]any)) }) },
	"the same index twice":       func(h hit) { h.choices(func(_ int, c map[string]any) { c["index"] = 0 }) },
	"an index too large":         func(h hit) { h.choices(func(i int, c map[string]any) { c["index"] = i + 1 }) },
	"a choice too few":           func(h hit) { h.altered(func(v map[string]any) { c := v["choices"].([]any); v["choices"] = c[1:] }) },
	"no finish_reason":           func(h hit) { h.choices(func(_ int, c map[string]any) { delete(c, "finish_reason") }) },
	"a prompt cut by the server": func(h hit) { h.altered(func(v map[string]any) { v["usage"] = map[string]any{"prompt_tokens": 3} }) },
	"other weights":              func(h hit) { h.body(string(h.lies)) },
	"other weights, wrong model id": func(h hit) {
		h.body(strings.NewReplacer(`"system_fingerprint":"liar"`, `"system_fingerprint":"good"`, `"model":"m"`, `"model":"other"`).Replace(string(h.lies)))
	},
}

// between returns the value of "choices".
func between(response string) string {
	var v struct{ Choices json.RawMessage }
	if err := json.Unmarshal([]byte(response), &v); err != nil {
		panic(err)
	}
	return string(v.Choices)
}

// unasked sends the response and, on the same connection, one that nobody asked for.
func unasked(h hit) {
	c, _, err := h.w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, h.whole()+fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(h.lies), h.lies))
	c.SetReadDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, c) // whatever is asked next on it
}

func reset(h hit) {
	c, _, err := h.w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	c.(*net.TCPConn).SetLinger(0)
	io.WriteString(c, h.whole()[:40])
	c.Close()
}

func pause(h hit, d time.Duration) {
	select {
	case <-h.over:
	case <-h.r.Context().Done():
	case <-time.After(d):
	}
}

func endlessHeader(h hit) {
	c, _, err := h.w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Long: ")
	for range 4000 {
		if _, err := io.WriteString(c, strings.Repeat("y", 100)); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func hugeLine(h hit) {
	piece := bytes.Repeat([]byte(" "), 1<<20)
	io.WriteString(h.w, `{"x":`)
	for range 65 {
		if _, err := h.w.Write(piece); err != nil {
			return
		}
	}
}

// bomb returns a hundred megabytes of spaces, packed.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 100 {
		z.Write(bytes.Repeat([]byte(" "), 1<<20))
	}
	z.Close()
	return b.Bytes()
})

// Limits of one request in the matrix.
const (
	attemptLimit  = 400 * time.Millisecond
	patienceLimit = 1200 * time.Millisecond
)

// faulty serves a model, with a scenario on some requests.
type faulty struct {
	inner, liar *evaltest.Server
	scenario    func(hit)
	hits        func(n int) bool
	n           atomic.Int64
	mu          sync.Mutex
	rng         *rand.Rand
	over        chan struct{}
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	good := record(f.inner, r, body)
	if r.Method != http.MethodPost || !f.hits(int(f.n.Add(1)-1)) {
		for k, v := range good.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(good.Code)
		w.Write(good.Body.Bytes())
		return
	}
	f.mu.Lock()
	rng := rand.New(rand.NewPCG(f.rng.Uint64(), 1))
	f.mu.Unlock()
	f.scenario(hit{w, r, bytes.TrimSpace(good.Body.Bytes()), rng, bytes.TrimSpace(record(f.liar, r, body).Body.Bytes()), f.over})
}

func record(s *evaltest.Server, r *http.Request, body []byte) *httptest.ResponseRecorder {
	again := r.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(body))
	w := httptest.NewRecorder()
	s.Config.Handler.ServeHTTP(w, again)
	return w
}

// served is an endpoint with one session.
type served struct {
	eval.Session
	profile eval.Profile
}

func (s served) Profile() eval.Profile { return s.profile }
func (s served) Serve(context.Context, mergesearch.Candidate) (eval.Session, error) {
	return s.Session, nil
}

// matrixTasks asks in both ways.
func matrixTasks(t *testing.T) []*eval.Task {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 6 {
		fmt.Fprintf(&lines, "{\"q\": \"%d+%d=\", \"a\": \"%d\", \"c\": [\"%d\", \"%d\", \"no\"]}\n", 10+i, 20+7*i, 30+8*i, 30+8*i, 31+8*i)
	}
	const common = "dataset_path: json\ndataset_kwargs: {data_files: {test: data.jsonl}}\ntest_split: test\ndoc_to_text: q\ntarget_delimiter: ''\n"
	var tasks []*eval.Task
	for name, text := range map[string]string{
		"data.jsonl":  lines.String(),
		"write.yaml":  "task: write\n" + common + "doc_to_target: a\ngeneration_kwargs: {max_gen_toks: 6, until: ['\\n']}\n",
		"choose.yaml": "task: choose\noutput_type: multiple_choice\n" + common + "doc_to_choice: c\ndoc_to_target: 0\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"write.yaml", "choose.yaml"} {
		task, err := eval.ReadTask(filepath.Join(dir, name), eval.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

// matrix scores one model through a scenario.
func matrix(t *testing.T, tasks []*eval.Task, profile eval.Profile, scenario func(hit), hits func(int) bool, seed uint64) ([]eval.Sample, time.Duration, error) {
	good := evaltest.Model{Seed: 1, Fingerprint: "good", Answers: map[string]string{"10+20=": "30", "12+34=": "46"}}
	liar := evaltest.Model{Seed: 2, Fingerprint: "liar", Answers: map[string]string{"11+27=": "38"}}
	f := &faulty{
		inner:    evaltest.NewServer(t, profile, map[string]evaltest.Model{"m": good}),
		liar:     evaltest.NewServer(t, profile, map[string]evaltest.Model{"m": liar}),
		scenario: scenario, hits: hits, rng: rand.New(rand.NewPCG(seed, 3)), over: make(chan struct{}),
	}
	server := httptest.NewUnstartedServer(f)
	server.Config.ErrorLog = silent
	server.Start()
	defer server.Close()
	defer close(f.over)
	e, err := eval.New(eval.Options{
		Tasks: tasks, Concurrency: 4, Timeout: attemptLimit, Patience: patienceLimit,
		Endpoint: served{eval.Session{BaseURL: server.URL + "/v1", Model: "m", Fingerprint: fingerprint(profile), Tokenizer: evaltest.Tokenizer{}, Close: func() {}}, profile},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var ids []mergesearch.ItemID
	for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		for _, item := range e.Items(split) {
			ids = append(ids, item.ID)
		}
	}
	began := time.Now()
	r, err := e.ScoreDetailed(context.Background(), mergesearch.Candidate{ID: "m"}, ids)
	took := time.Since(began)
	if err != nil {
		return nil, took, err
	}
	return r.Samples, took, nil
}

func fingerprint(p eval.Profile) string {
	if p.Fingerprint {
		return "good"
	}
	return ""
}

// Whatever an endpoint does, a score is that of the run without faults, or there is
// none and an error that says why.
func TestFaultMatrix(t *testing.T) {
	if len(scenarios) < 60 {
		t.Fatalf("%d scenarios", len(scenarios))
	}
	tasks := matrixTasks(t)
	plain := evaltest.Full
	plain.Fingerprint = false
	want, _, err := matrix(t, tasks, evaltest.Full, nil, func(int) bool { return false }, 0)
	if err != nil {
		t.Fatal(err)
	}
	var scored, refused, longest atomic.Int64
	var all sync.WaitGroup
	room := make(chan struct{}, 24)
	for name, scenario := range scenarios {
		for seed := range uint64(3) {
			all.Go(func() {
				room <- struct{}{}
				defer func() { <-room }()
				// Once, now and then, always.
				hits := func(n int) bool { return n == 3 }
				profile := evaltest.Full
				var mu sync.Mutex
				rng := rand.New(rand.NewPCG(seed, 9))
				switch seed {
				case 1:
					profile = plain
					hits = func(int) bool { mu.Lock(); defer mu.Unlock(); return rng.IntN(10) < 3 }
				case 2:
					hits = func(int) bool { return true }
				}
				got, took, err := matrix(t, tasks, profile, scenario, hits, seed)
				for old := longest.Load(); int64(took) > old && !longest.CompareAndSwap(old, int64(took)); old = longest.Load() {
				}
				var e *eval.EndpointError
				var f *mergesearch.Failure
				switch {
				case err == nil && !equalSamples(got, want):
					// A server that names no weights can answer with any: this is what
					// the canary of a swap is for.
					if name != "other weights" || profile.Fingerprint {
						t.Errorf("%s, seed %d: another score than without faults", name, seed)
					}
				case err == nil:
					scored.Add(1)
				case errors.As(err, &e) || errors.As(err, &f):
					if strings.Contains(err.Error(), "\n") {
						t.Errorf("%s: the error has more than one line: %v", name, err)
					}
					refused.Add(1)
				default:
					t.Errorf("%s: an error that nobody knows: %v", name, err)
				}
			})
		}
	}
	all.Wait()
	most := time.Duration(longest.Load())
	t.Logf("%d scenarios: %d scores as without faults, %d errors; longest wait %s", len(scenarios), scored.Load(), refused.Load(), most)
	if limit := attemptLimit + patienceLimit; os.Getenv("MERGESEARCH_TIMED") != "" && most > 2*limit {
		t.Errorf("waited %s, the limit is %s", most, limit)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	goleak.VerifyNone(t, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

func equalSamples(a, b []eval.Sample) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }
