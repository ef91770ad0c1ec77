package lm_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval/lm"
)

// hostile starts a server that could load directories, and tells when it does.
func hostile(t *testing.T) (url string) {
	_, url = start(t, lm.ServerOptions{
		MaxBody: 1 << 20, ReadTimeout: time.Second,
		Open: func(string) (map[string][]byte, mergesearch.Tensors, error) {
			t.Error("a stranger made the server read a directory")
			return nil, nil, io.EOF
		},
	})
	return url
}

// TestStrangersAreRefused sends what a web page can make a browser send: through a name
// of its own, and from another site.
func TestStrangersAreRefused(t *testing.T) {
	url := hostile(t)
	port := url[strings.LastIndex(url, ":")+1:]
	paths := []string{"/v1/mergesearch/load", "/v1/mergesearch/unload", "/v1/completions", "/v1/chat/completions", "/tokenize", "/v1/models", "/nowhere"}
	type visitor struct{ host, origin, site string }
	var visitors []visitor
	for _, host := range []string{"evil.example", "evil.example:" + port, "127.0.0.1.evil.example", "192.168.1.2:" + port, "0.0.0.0:" + port, "[::]:" + port} {
		visitors = append(visitors, visitor{host: host}, visitor{host: host, origin: "http://" + host, site: "same-origin"}) // a name that points here
	}
	for _, origin := range []string{"null", "http://evil.example", "https://127.0.0.1.evil.example", "http://localhost:1", "file://"} {
		visitors = append(visitors, visitor{"localhost:" + port, origin, ""}, visitor{"localhost:" + port, origin, "cross-site"})
	}
	visitors = append(visitors, visitor{"127.0.0.1:" + port, "", "cross-site"}, visitor{"127.0.0.1:" + port, "", "same-site"})
	for _, v := range visitors {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			if method == "GET" && strings.HasPrefix(v.host, "l") || method == "GET" && strings.HasPrefix(v.host, "127.0.0.1:") {
				continue // reading changes nothing, and without CORS the page sees no answer
			}
			for _, path := range paths {
				status, header := visit(t, url+path, method, v.host, v.origin, v.site)
				if status != http.StatusForbidden {
					t.Errorf("%s %s as %+v: status %d, want 403", method, path, v, status)
				}
				noCORS(t, header)
			}
		}
	}
	// A preflight is answered without a word of consent.
	status, header := visit(t, url+"/v1/completions", "OPTIONS", "localhost:"+port, "http://evil.example", "cross-site")
	if status/100 == 2 {
		t.Errorf("preflight: status %d", status)
	}
	noCORS(t, header)
	if status, header = visit(t, url+"/v1/models", "GET", "localhost:"+port, "http://evil.example", "cross-site"); status != http.StatusOK {
		t.Errorf("models: status %d", status)
	}
	noCORS(t, header)
}

func visit(t *testing.T, url, method, host, origin, site string) (int, http.Header) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(`{"model": "x", "dir": "/etc", "prompt": "a", "name": "x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.Header.Set("Content-Type", "text/plain") // which needs no preflight
	for name, value := range map[string]string{"Origin": origin, "Sec-Fetch-Site": site} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header
}

func noCORS(t *testing.T, h http.Header) {
	t.Helper()
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("the server sends %s: %s", name, h.Get(name))
		}
	}
}

// TestOwnProgramsAreAnswered: what is no browser sends neither header.
func TestOwnProgramsAreAnswered(t *testing.T) {
	url := hostile(t)
	host := strings.TrimPrefix(url, "http://")
	if status, _ := visit(t, url+"/v1/completions", "POST", host, "", ""); status == http.StatusForbidden {
		t.Error("a program without an Origin is refused")
	}
	if status, _ := visit(t, url+"/v1/completions", "POST", host, "http://"+host, "same-origin"); status == http.StatusForbidden {
		t.Error("a page of the server's own is refused")
	}
}

// TestTooMuchIsRefused: bodies, headers and paths beyond their limits.
func TestTooMuchIsRefused(t *testing.T) {
	url := hostile(t)
	resp, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(`{"prompt": "`+strings.Repeat("a", 2<<20)+`"}`))
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("2 MB: status %d, want 413", resp.StatusCode)
		}
	}
	req, err := http.NewRequest("GET", url+"/health", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("a", 128<<10))
	if resp, err = http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 128 kB: status %d, want 431", resp.StatusCode)
		}
	}
	host := strings.TrimPrefix(url, "http://")
	for _, path := range []string{"/../../../../etc/passwd", "/v1/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/v1/models/..%2f..%2fetc/passwd", "//etc/passwd", "/\\..\\etc", "/v1/models%00"} {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
		answer, _ := io.ReadAll(conn) // as far as it comes
		conn.Close()
		if strings.HasPrefix(string(answer), "HTTP/1.1 200") || strings.Contains(string(answer), "root:") {
			t.Errorf("%s: %.200s", path, answer)
		}
	}
}

// TestSlowVisitorsLeave: one that never ends its headers is cut off, and others are
// answered meanwhile.
func TestSlowVisitorsLeave(t *testing.T) {
	url := hostile(t)
	var slow []net.Conn
	for range 20 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		slow = append(slow, conn)
	}
	resp, err := http.Get(url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	for _, conn := range slow {
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, bufio.NewReader(conn)); err != nil {
			t.Errorf("a visitor that says nothing is kept: %v", err)
		}
	}
}
