package lm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mergesearch"
)

// ServerOptions of a Server. The zero value is good.
type ServerOptions struct {
	Engine Options

	// MaxBody bounds the bytes of a request's body; 0 for 16 MB.
	MaxBody int64

	// ReadTimeout bounds how long a request may take to arrive; 0 for a minute.
	ReadTimeout time.Duration

	// AnyHost answers whatever the Host header says. Without it only loopback
	// names are answered, so that a web page cannot reach the server by pointing a
	// name of its own at this machine. Set it when listening to other addresses.
	AnyHost bool

	// Open reads a model directory and enables POST /v1/mergesearch/load and
	// unload. Who can reach the server can then make it read any directory.
	Open func(dir string) (files map[string][]byte, t mergesearch.Tensors, err error)
}

// Server answers completions requests over HTTP, for several models under
// names. It is safe for concurrent use. Make one with NewServer.
type Server struct {
	options ServerOptions
	engine  *Engine
	routes  *http.ServeMux
	started time.Time
	origin  *http.CrossOriginProtection

	answered atomic.Int64 // completions requests
	serial   atomic.Int64 // of answers' ids

	mu     sync.Mutex
	models map[string]*served
	closed bool

	http     *http.Server
	serving  sync.WaitGroup
	stop     context.CancelFunc // ends the requests in flight
	lifetime context.Context
}

// NewServer returns a server without models that listens nowhere yet. Close it
// in the end.
func NewServer(o ServerOptions) *Server {
	if o.MaxBody <= 0 {
		o.MaxBody = 16 << 20
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = time.Minute
	}
	s := &Server{options: o, engine: NewEngine(o.Engine), models: map[string]*served{}, started: time.Now(), origin: http.NewCrossOriginProtection()}
	s.lifetime, s.stop = context.WithCancel(context.Background())
	s.routes = s.newRoutes()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: min(o.ReadTimeout, 10*time.Second),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.lifetime },
		ConnContext:       withConn,
	}
	return s
}

func (s *Server) newRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+completionsPath, s.completions)
	mux.HandleFunc("POST /v1/chat/completions", s.chats)
	mux.HandleFunc("GET /v1/models", s.listModels)
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("POST /tokenize", s.tokenize)
	mux.HandleFunc("POST /detokenize", s.detokenize)
	mux.HandleFunc("GET /v1/mergesearch/stats", s.stats)
	if s.options.Open != nil {
		mux.HandleFunc("POST /v1/mergesearch/load", s.load)
		mux.HandleFunc("POST /v1/mergesearch/unload", s.unload)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &apiError{Status: http.StatusNotFound, Message: "no such route: " + r.Method + " " + r.URL.Path, Type: "not_found_error"})
	})
	return mux
}

// completionsPath is what evaluations ask.
const completionsPath = "/v1/completions"

// Listen starts to answer on an address, "127.0.0.1:0" when empty, and returns
// the base URL without /v1. It may be called once.
func (s *Server) Listen(addr string) (url string, err error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	s.serving.Go(func() { _ = s.http.Serve(listener{l}) }) // returns when Close closes it
	return "http://" + l.Addr().String(), nil
}

// Close stops listening, cancels the requests in flight, and closes all models.
// Calling it twice is harmless.
func (s *Server) Close() error {
	s.stop()
	patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := s.http.Shutdown(patience)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.serving.Wait()
	s.mu.Lock()
	all := s.models
	s.models, s.closed = map[string]*served{}, true
	s.mu.Unlock()
	for _, m := range all {
		m.end()
	}
	return err
}

// Requests returns how many completions requests were answered with success. An
// HTTP request counts once, however many prompts it holds.
func (s *Server) Requests() int64 { return s.answered.Load() }

// Computed returns how many tokens the engine computed; see Engine.Computed.
func (s *Server) Computed() int64 { return s.engine.Computed() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.options.AnyHost && !loopback(r.Host) {
		writeError(w, &apiError{Status: http.StatusForbidden, Type: "permission_error", Message: "this server answers to loopback names only, not to " + r.Host})
		return
	}
	if err := s.origin.Check(r); err != nil { // a page of another site, or none that says so
		writeError(w, &apiError{Status: http.StatusForbidden, Type: "permission_error", Message: "this server takes nothing from the pages of other sites: " + err.Error()})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.options.MaxBody)
	if r.Method == http.MethodPost && r.URL.Path == completionsPath {
		s.completions(w, r) // nearly every request, and matching it to the routes is a tenth of its handling
		return
	}
	s.routes.ServeHTTP(w, r)
}

// loopback reports whether a Host header names this machine.
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.Unmap().IsLoopback()
}
