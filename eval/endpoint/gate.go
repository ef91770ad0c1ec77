package endpoint

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// gate stands before the servers. Each session has a path of its own there, which
// ends with the session: a request that comes late gets 404 and never an answer of
// the next candidate. What goes through is not changed.
type gate struct {
	url      string
	server   *http.Server
	proxy    *httputil.ReverseProxy
	requests atomic.Int64 // for answers, by any protocol

	mu    sync.Mutex
	doors map[string]*door
}

// door is the way to one session.
type door struct {
	to     *url.URL
	gone   func() error // why the server answers no more; nil while it may
	inside sync.WaitGroup
	closed bool // guarded by gate.mu
}

func newGate() (*gate, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("no free loopback port: %w", err)
	}
	g := &gate{url: "http://" + l.Addr().String(), doors: map[string]*door{}}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			d := r.In.Context().Value(doorKey{}).(*door)
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = d.to.Scheme, d.to.Host, d.to.Host
			_, rest, _ := strings.Cut(strings.TrimPrefix(r.In.URL.Path, doorPrefix), "/")
			r.Out.URL.Path, r.Out.URL.RawPath = strings.TrimRight(d.to.Path, "/")+"/"+rest, ""
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 4096,
			IdleConnTimeout:     30 * time.Second,
			DisableCompression:  true,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			refuseHTTP(w, http.StatusBadGateway, "the server did not answer: "+err.Error())
		},
		ErrorLog: silent,
	}
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: 10 * time.Second, ErrorLog: silent}
	go func() { _ = g.server.Serve(l) }()
	return g, nil
}

func (g *gate) close() {
	g.server.Close()
	g.proxy.Transport.(*http.Transport).CloseIdleConnections()
}

type doorKey struct{}

const doorPrefix = "/s/"

// open makes a way to a server and returns its URL, without /v1, and what closes
// it after the last request inside.
func (g *gate) open(to *url.URL, gone func() error) (string, func()) {
	d := &door{to: to, gone: gone}
	name := rand.Text()
	g.mu.Lock()
	g.doors[name] = d
	g.mu.Unlock()
	return g.url + doorPrefix + name, func() {
		g.mu.Lock()
		d.closed = true
		delete(g.doors, name)
		g.mu.Unlock()
		d.inside.Wait()
	}
}

// enter finds the door of a request and keeps it open until the returned function
// is called.
func (g *gate) enter(path string) (*door, func()) {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, doorPrefix), "/")
	g.mu.Lock()
	defer g.mu.Unlock()
	d := g.doors[name]
	if d == nil || d.closed {
		return nil, nil
	}
	d.inside.Add(1)
	return d, d.inside.Done
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, leave := g.enter(r.URL.Path)
	if d == nil {
		refuseHTTP(w, http.StatusNotFound, "this session has ended")
		return
	}
	defer leave()
	if err := d.gone(); err != nil {
		refuseHTTP(w, http.StatusGone, err.Error())
		return
	}
	if r.Method == http.MethodPost && asks(r.URL.Path) {
		g.requests.Add(1)
	}
	g.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), doorKey{}, d)))
}

// asks tells requests for answers from those about tokens and models.
func asks(path string) bool {
	for _, end := range []string{"/completions", "/completion", "/generate"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}
