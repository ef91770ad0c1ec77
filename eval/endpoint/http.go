package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// caller sends JSON to the parts of a server that are not the OpenAI protocol.
type caller struct {
	root   string // URL without /v1 and without a slash at the end
	key    string // bearer token; empty for none
	client *http.Client
}

func newCaller(baseURL, key string) caller {
	root := strings.TrimSuffix(strings.TrimRight(baseURL, "/"), "/v1")
	return caller{root, key, &http.Client{CheckRedirect: sameServer, Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
	}}}
}

// sameServer follows no redirect: a server answers for itself, and what it is asked is
// meant for no other.
func sameServer(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// withoutURL returns an error of net/http without the method and the URL, which whoever
// reports it names.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// idle closes connections that are not in use.
func (c caller) idle() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}

// refusal is a response whose status is not 200.
type refusal struct {
	status  int
	problem string
}

// Status is that of HTTP.
func (r *refusal) Status() int { return r.status }

func (r *refusal) Error() string { return fmt.Sprintf("HTTP status %d: %s", r.status, r.problem) }

// call sends in (nil: no body) and decodes the response into out (nil: ignored).
func (c caller) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.root+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	reply, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %w", method, path, &refusal{reply.StatusCode, problemOf(text)})
	}
	if out != nil && len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, out); err != nil {
			return fmt.Errorf("%s %s: not the JSON that was expected: %w", method, path, err)
		}
	}
	return nil
}

// problemOf finds the message in an error response.
func problemOf(text []byte) string {
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &e) == nil && e.Error.Message != "" {
		return e.Error.Message
	}
	return strings.TrimSpace(string(text[:min(len(text), 200)]))
}

// refuseHTTP answers with an error in the shape of the OpenAI protocol.
func refuseHTTP(w http.ResponseWriter, status int, problem string) {
	text, err := json.Marshal(map[string]any{"error": map[string]any{"message": problem, "type": "server_error", "code": nil}})
	if err != nil {
		panic(err) // strings only
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// silent swallows what net/http would print about single connections.
var silent = log.New(io.Discard, "", 0)

// refused reports whether err says that the request is not understood.
func refused(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.status == http.StatusBadRequest || r.status == http.StatusUnprocessableEntity)
}

// missing reports whether err says that the server has no such route.
func missing(err error) bool {
	var r *refusal
	return errors.As(err, &r) && (r.status == http.StatusNotFound || r.status == http.StatusMethodNotAllowed)
}
