package evaltest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mergesearch/eval"
)

// Full is the profile of a server that can do everything.
var Full = eval.Profile{
	Kind: "test", Swap: eval.SwapMemory,
	TokenPrompts: true, ManyPrompts: true, EchoLogprobs: true, ZeroTokens: true, ExtraSampling: true, Fingerprint: true,
}

// Server serves Models over HTTP on loopback.
type Server struct {
	*httptest.Server

	profile eval.Profile
	serial  atomic.Int64 // of sessions

	mu       sync.Mutex
	models   map[string]Model
	script   func(n int) *Fault
	requests int
	bodies   []string
}

// Fault is what the server does to one request instead of answering it well.
type Fault struct {
	Delay      time.Duration
	Status     int    // answered with an error of this status
	Code       string // of that error
	RetryAfter string // header
	Cut        bool   // the connection is closed without a response
	Truncate   bool   // the body ends in the middle, at the length announced
	Body       string // sent instead of the response
	Alter      func(response map[string]any)
}

// NewServer starts a server that can do what the profile says, with the models
// by name. It stops with the test.
func NewServer(t testing.TB, p eval.Profile, models map[string]Model) *Server {
	s := &Server{profile: p, models: map[string]Model{}}
	for name, m := range models {
		s.models[name] = m
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/v1/completions", "/v1/chat/completions", "/generate", "/completion"} {
		mux.HandleFunc("POST "+path, s.completions)
	}
	mux.HandleFunc("GET /v1/models", s.list)
	mux.HandleFunc("GET /tokenizer_info", s.tokenizerInfo)
	mux.HandleFunc("POST /tokenize", s.tokenize)
	mux.HandleFunc("POST /detokenize", s.detokenize)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Server.Close)
	return s
}

// Script sets what happens to request n, counted from 0; nil answers well.
func (s *Server) Script(f func(n int) *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = f
}

// Requests returns how many completion requests have arrived.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Bodies returns the bodies of the completion requests, in order of arrival.
func (s *Server) Bodies() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.bodies...)
}

func (s *Server) set(name string, m Model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.models[name] = m
}

func (s *Server) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.models, name)
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var data []map[string]any
	for name := range s.models {
		entry := map[string]any{"id": name, "object": "model"}
		if s.profile.Context > 0 {
			entry["max_model_len"] = s.profile.Context
		}
		data = append(data, entry)
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
}

// arrive counts a request and returns its fault.
func (s *Server) arrive(body string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.requests
	s.requests++
	s.bodies = append(s.bodies, body)
	if s.script == nil {
		return nil
	}
	return s.script(n)
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f := s.arrive(string(text))
	if f == nil {
		f = &Fault{}
	}
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		e := failure("told to fail")
		if f.Code != "" {
			e["error"].(map[string]any)["code"] = f.Code
		}
		writeJSON(w, f.Status, e)
	case f.Body != "":
		io.WriteString(w, f.Body)
	default:
		s.answer(w, r.URL.Path, text, f)
	}
}

func (s *Server) answer(w http.ResponseWriter, path string, text []byte, f *Fault) {
	status, response := s.dialects(path, text)
	if status == http.StatusOK && f.Alter != nil {
		f.Alter(response)
	}
	if f.Truncate {
		full, _ := json.Marshal(response)
		w.Header().Set("Content-Length", fmt.Sprint(len(full)))
		w.Write(full[:len(full)/2])
		panic(http.ErrAbortHandler)
	}
	writeJSON(w, status, response)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

func failure(problem string) map[string]any {
	return map[string]any{"error": map[string]any{"message": problem, "type": "invalid_request_error", "code": nil}}
}

// model returns the named model.
func (s *Server) model(name string) (Model, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.models[name]
	return m, ok
}

// stopAt cuts a completion at the first stop string.
func stopAt(text string, stops []string) (string, bool) {
	cut := -1
	for _, stop := range stops {
		if i := strings.Index(text, stop); i >= 0 && (cut < 0 || i < cut) {
			cut = i
		}
	}
	if cut < 0 {
		return text, false
	}
	return text[:cut], true
}
