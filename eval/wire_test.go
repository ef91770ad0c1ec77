package eval

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// send posts a body through a transport of the client.
func send(ctx context.Context, c *client, url, text string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer key")
	var out bytes.Buffer
	parts := [2][]byte{[]byte(text[:len(text)/2]), []byte(text[len(text)/2:])}
	var reply *http.Response
	if r.URL.Scheme == "http" {
		reply, err = c.plain.roundTrip(r, parts, c.timeout, &out)
	} else {
		reply, err = c.secure(r, parts, c.timeout, &out)
	}
	if err != nil {
		return 0, "", err
	}
	return reply.StatusCode, out.String(), nil
}

// odd answers in every way that HTTP/1.1 frames a response.
func odd(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	answer := r.Header.Get("Authorization") + " " + string(body)
	switch r.URL.Path {
	case "/chunked":
		io.WriteString(w, answer[:3])
		w.(http.Flusher).Flush()
		io.WriteString(w, answer[3:])
	case "/close":
		w.Header().Set("Connection", "close")
		io.WriteString(w, answer)
	case "/hints":
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, answer)
	case "/error":
		http.Error(w, answer, http.StatusTeapot)
	default:
		io.WriteString(w, answer)
	}
}

// Both transports read the same from every framing, again and again on the same
// connections.
func TestTransports(t *testing.T) {
	plain, secure := httptest.NewServer(http.HandlerFunc(odd)), httptest.NewTLSServer(http.HandlerFunc(odd))
	defer plain.Close()
	defer secure.Close()
	c := newClient(5*time.Second, 0)
	defer c.close()
	c.transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	for range 3 {
		for _, path := range []string{"/", "/chunked", "/close", "/hints", "/error"} {
			text := "body " + path
			want := "Bearer key " + text
			for _, server := range []*httptest.Server{plain, secure} {
				status, body, err := send(context.Background(), c, server.URL+path, text)
				wantStatus := http.StatusOK
				if path == "/error" {
					wantStatus = http.StatusTeapot
				}
				if err != nil || status != wantStatus || strings.TrimSpace(body) != want {
					t.Errorf("%s%s: %d %q, %v", server.URL, path, status, body, err)
				}
			}
		}
	}
}

// Connections are kept: no more are opened than requests are in flight.
func TestConnectionsAreKept(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(odd))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(5*time.Second, 0)
	defer c.close()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 50 {
				if _, _, err := send(context.Background(), c, s.URL, "text"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := opened.Load(); n > 4 {
		t.Errorf("%d connections for 4 at a time", n)
	}
}

// A wait ends with the timeout of the attempt or with the caller, and says which.
func TestWaitsEnd(t *testing.T) {
	hold := make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	defer close(hold)
	c := newClient(50*time.Millisecond, 0)
	defer c.close()
	c.transport.TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	for _, url := range []string{plain.URL, secure.URL} {
		c.timeout = 50 * time.Millisecond
		if _, _, err := send(context.Background(), c, url, "text"); !errors.Is(err, errAttemptTimeout) {
			t.Errorf("%s: %v, want the attempt's timeout", url, err)
		}
		c.timeout = time.Minute // from now on the caller is first
		reason := errors.New("another item failed")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(10*time.Millisecond, func() { cancel(reason) })
		if _, _, err := send(ctx, c, url, "text"); err == nil || errors.Is(err, errAttemptTimeout) {
			t.Errorf("%s: %v, want the caller's end", url, err)
		}
	}
}

// A header value cannot start a second header.
// A connection on which a response came that nobody asked for is not used again: it
// would be taken for the answer to the next request.
func TestUnaskedResponse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
	late := make(chan struct{})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				switch r.URL.Path {
				case "/at-once":
					io.WriteString(c, response+"good"+response+"lies")
				case "/late":
					io.WriteString(c, response+"good")
					<-late
					io.WriteString(c, response+"lies")
					late <- struct{}{}
				case "/after":
					io.WriteString(c, response+"next")
				}
				io.Copy(io.Discard, c)
			}()
		}
	}()
	for _, path := range []string{"/at-once", "/late"} {
		c := newClient(time.Minute, time.Minute)
		if _, body, err := send(context.Background(), c, "http://"+l.Addr().String()+path, "ask"); err != nil || body != "good" {
			t.Fatalf("%s: %q, %v", path, body, err)
		}
		if path == "/late" {
			late <- struct{}{}
			<-late // it is in the kernel of this machine now
		}
		if _, body, err := send(context.Background(), c, "http://"+l.Addr().String()+"/after", "ask"); err != nil || body != "next" {
			t.Errorf("%s: the next request got %q, %v", path, body, err)
		}
		c.close()
	}
}

func TestHeaderValue(t *testing.T) {
	for v, want := range map[string]string{"Bearer key": "Bearer key", "a\r\nX: y": "", "a\x00": "", "tab\there": "tab\there"} {
		if got := headerValue(v); got != want {
			t.Errorf("%q: %q", v, got)
		}
	}
}

// Waits grow, are drawn from the whole range, and respect the server's wish.
func TestRetryPolicy(t *testing.T) {
	p := retryPolicy{attempts: 5, patience: time.Minute, base: 100 * time.Millisecond, limit: time.Second}
	for attempt := 1; attempt < p.attempts; attempt++ {
		ceiling := min(p.limit, p.base<<(attempt-1))
		for range 100 {
			wait, again := p.next(attempt, 0, nil, io.ErrUnexpectedEOF)
			if !again || wait < 0 || wait > ceiling {
				t.Fatalf("attempt %d: %v, %v", attempt, wait, again)
			}
		}
	}
	if _, again := p.next(5, 0, nil, io.EOF); again {
		t.Error("more attempts than allowed")
	}
	if _, again := p.next(1, 2*time.Minute, nil, io.EOF); again {
		t.Error("patience has no end")
	}
	busy := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"7"}}}
	if wait, again := p.next(1, 0, busy, nil); !again || wait < 7*time.Second {
		t.Errorf("Retry-After: %v, %v", wait, again)
	}
	now := time.Now()
	for v, want := range map[string]time.Duration{"": 0, "-1": 0, "x": 0, "1.5": 1500 * time.Millisecond, "nan": 0, now.Add(-time.Hour).UTC().Format(http.TimeFormat): 0} {
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("Retry-After %q: %v", v, got)
		}
	}
	in := now.Add(10 * time.Second).UTC().Format(http.TimeFormat)
	if got := retryAfter(http.Header{"Retry-After": {in}}, now); got < 8*time.Second || got > 10*time.Second {
		t.Errorf("Retry-After date: %v", got)
	}
	for status, want := range map[int]bool{400: false, 401: false, 403: false, 404: false, 408: true, 409: true, 413: false, 422: false, 425: true, 429: true, 500: true, 502: true, 503: true, 504: true} {
		if retryable(&http.Response{StatusCode: status}, nil) != want {
			t.Errorf("status %d: retry %v", status, !want)
		}
	}
}
