package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"mergesearch"
)

// maxResponse bounds what is read of one response, in bytes.
const maxResponse = 64 << 20

// client carries requests to endpoints. The library go-openai knows the URL, the
// authentication and the shape of errors; client is its HTTPDoer, which sends the
// bytes that we wrote, reads the response with our own decoder, and retries.
type client struct {
	plain     wire            // for http://
	transport *http.Transport // for https://
	timeout   time.Duration   // of one attempt
	retry     retryPolicy

	sent, retried, faults atomic.Int64
}

// newClient makes a client; a timeout or patience of 0 takes the default.
func newClient(timeout, patience time.Duration) *client {
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	if patience == 0 {
		patience = time.Minute
	}
	dial := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &client{
		timeout: timeout,
		plain:   wire{dialer: *dial},
		retry:   retryPolicy{attempts: 8, patience: patience, base: 250 * time.Millisecond, limit: 15 * time.Second},
		transport: &http.Transport{
			DialContext:         dial.DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 4096, // as many as were ever in flight; the default of 2 would close all others
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
	}
}

// close drops idle connections.
func (c *client) close() {
	c.plain.closeIdle()
	c.transport.CloseIdleConnections()
}

// connection is the client's view of one session.
type connection struct {
	*client
	api      *openai.Client
	head     []byte // of request bodies: the model's name
	root     string // URL of the server, without /v1
	from     Session
	throttle *throttle // nil: every request is sent at once
}

func (c *client) connect(s Session) *connection {
	config := openai.DefaultConfig(s.APIKey)
	config.BaseURL = s.BaseURL
	config.HTTPClient = c
	root := strings.TrimSuffix(strings.TrimRight(s.BaseURL, "/"), "/v1")
	return &connection{client: c, api: openai.NewClientWithConfig(config), head: requestHead(s.Model), root: root, from: s}
}

// exchange is one request and what came of it. It travels to Do in the context,
// the only thing that go-openai hands through.
type exchange struct {
	head     []byte // of the body; the request has the rest
	request  *request
	throttle *throttle
	answer   *reply
	attempts int
}

type exchangeKey struct{}

// send sends one request, with retries, and returns the decoded response. Faults
// that outlast the retries, and answers of other weights than the session's, are
// an *EndpointError.
func (c *connection) send(ctx context.Context, r *request) (*reply, error) {
	if c.throttle != nil {
		if err := c.throttle.enter(ctx); err != nil {
			return nil, err
		}
		defer c.throttle.leave()
	}
	x := &exchange{head: c.head, request: r, throttle: c.throttle}
	start := time.Now()
	err := c.call(context.WithValue(ctx, exchangeKey{}, x), x)
	if err == nil && c.from.Fingerprint != "" && x.answer.fingerprint != c.from.Fingerprint {
		err = unusable("other weights answered: fingerprint %q, want %q", x.answer.fingerprint, c.from.Fingerprint)
	}
	if err == nil && !r.probe && !sameModel(x.answer.model, c.from.Model) {
		err = unusable("another model answered: %q, want %q", x.answer.model, c.from.Model)
	}
	if err == nil {
		c.throttle.answered(time.Since(start))
		return x.answer, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if failure := notFinite(err); failure != nil && c.from.Fingerprint != "" {
		return nil, failure
	}
	return nil, &EndpointError{URL: c.from.BaseURL, Model: c.from.Model, Attempts: x.attempts, Elapsed: time.Since(start), Err: err}
}

var braces = []byte("{")

// call hands the exchange to go-openai, which knows the OpenAI protocol, or sends
// it itself where it is a protocol of the server's own.
func (c *connection) call(ctx context.Context, x *exchange) error {
	switch {
	case !x.request.root && x.request.path == "/chat/completions":
		_, err := c.api.CreateChatCompletion(ctx, openai.ChatCompletionRequest{})
		return err
	case !x.request.root:
		_, err := c.api.CreateCompletion(ctx, openai.CompletionRequest{Prompt: ""})
		return err
	}
	x.head = braces
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.root+x.request.path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.from.APIKey != "" {
		r.Header.Set("Authorization", "Bearer "+c.from.APIKey)
	}
	reply, err := c.Do(r)
	if err != nil || reply.StatusCode == http.StatusOK {
		return err
	}
	problem, _ := io.ReadAll(reply.Body) // in memory
	return &openai.APIError{HTTPStatusCode: reply.StatusCode, HTTPStatus: reply.Status, Message: short(bytes.TrimSpace(problem), 400)}
}

// sameModel reports whether a response may name its model so: as asked, with a
// version after it, or with or without the folders before it.
func sameModel(answered, asked string) bool {
	answered, asked = path.Base(answered), path.Base(asked)
	return answered == "." || asked == "." || strings.HasPrefix(answered, asked) || strings.HasPrefix(asked, answered)
}

// notFinite recognises the engine's word for weights that give no numbers. That is
// the candidate's fault: asking again is useless, and so is any other item.
func notFinite(err error) *mergesearch.Failure {
	var api *openai.APIError
	if errors.As(err, &api) && api.HTTPStatusCode == http.StatusUnprocessableEntity && api.Code == "not_a_number" {
		return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "not_finite", Text: api.Message}}
	}
	return nil
}

// EndpointError says that an endpoint did not give a usable answer, after all
// retries. It is never a score: the run pauses or ends.
type EndpointError struct {
	URL, Model string
	Attempts   int
	Elapsed    time.Duration
	Err        error
}

func (e *EndpointError) Error() string {
	return fmt.Sprintf("endpoint %s, model %s: %v (attempts %d, %s)", e.URL, e.Model, e.Err, e.Attempts, e.Elapsed.Round(time.Millisecond))
}

func (e *EndpointError) Unwrap() error { return e.Err }

// Do sends the request that the context carries; it is called by go-openai. On
// success it hands back an empty object, since the answer is already decoded.
func (c *client) Do(r *http.Request) (*http.Response, error) {
	x := r.Context().Value(exchangeKey{}).(*exchange)
	start := time.Now()
	for {
		x.attempts++
		reply, err := c.attempt(r, x)
		if err == nil && reply.StatusCode == http.StatusOK {
			return reply, nil
		}
		busy := err == nil && (reply.StatusCode == http.StatusTooManyRequests || reply.StatusCode == http.StatusServiceUnavailable)
		wait, again := c.retry.next(x.attempts, time.Since(start), reply, err)
		if !again || r.Context().Err() != nil || !busy && !c.mayRetry() {
			return reply, err
		}
		if busy {
			x.throttle.refused(retryAfter(reply.Header, time.Now()))
		} else {
			x.throttle.faulted()
		}
		c.retried.Add(1)
		if err := sleep(r.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// mayRetry draws on the budget that all requests of the client share: a tenth of
// what was sent, and some to begin with. A server that fails at every request is
// given up soon, whatever the patience of each. Refusals for load are no faults and
// not counted.
func (c *client) mayRetry() bool {
	return c.faults.Add(1) <= freeRetries+c.sent.Load()/10
}

// freeRetries is the part of the retry budget that need not be earned.
const freeRetries = 128

var emptyObject = []byte("{}")

// attempt sends the request once and reads the whole response.
func (c *client) attempt(r *http.Request, x *exchange) (*http.Response, error) {
	c.sent.Add(1)
	text := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(text)
	text.Reset()
	var reply *http.Response
	var err error
	timeout := c.timeoutOf(x.request)
	if parts := [2][]byte{x.head, x.request.tail}; r.URL.Scheme == "http" {
		reply, err = c.plain.roundTrip(r, parts, timeout, text)
	} else {
		reply, err = c.secure(r, parts, timeout, text)
	}
	if err != nil {
		return nil, err
	}
	return c.read(reply, text.Bytes(), x)
}

// timeoutOf is the time of one attempt: longer for those that have the server
// write much.
func (c *client) timeoutOf(r *request) time.Duration {
	return c.timeout + c.timeout*time.Duration(r.drawn.maxTokens)/1024
}

// secure sends the request once through net/http.
func (c *client) secure(r *http.Request, parts [2][]byte, timeout time.Duration, text *bytes.Buffer) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, errAttemptTimeout)
	defer cancel()
	once := r.WithContext(ctx)
	once.ContentLength = int64(len(parts[0]) + len(parts[1]))
	once.GetBody = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(parts[0]), bytes.NewReader(parts[1]))), nil
	}
	once.Body, _ = once.GetBody()
	reply, err := c.transport.RoundTrip(once)
	if err == nil {
		_, err = text.ReadFrom(io.LimitReader(reply.Body, maxResponse+1))
		reply.Body.Close()
	}
	if err != nil && errors.Is(context.Cause(ctx), errAttemptTimeout) {
		err = errAttemptTimeout // of this attempt, not the caller's
	}
	return reply, err
}

// read decodes a response that arrived. Error responses keep their body for
// go-openai, which turns it into a typed error.
func (c *client) read(reply *http.Response, text []byte, x *exchange) (*http.Response, error) {
	switch {
	case len(text) > maxResponse:
		return nil, unusable("more than %d bytes", maxResponse)
	case reply.StatusCode >= 300 && reply.StatusCode < 400 || reply.StatusCode > 200 && reply.StatusCode < 300:
		return nil, unusable("HTTP status %s", reply.Status)
	case reply.StatusCode != http.StatusOK:
		reply.Body = io.NopCloser(bytes.NewReader(bytes.Clone(text)))
		return reply, nil
	}
	answer, err := decode(text, x.request)
	if err != nil {
		var final *malformed
		if !errors.As(err, &final) {
			err = fmt.Errorf("response that is no whole JSON: %w", err)
		}
		return nil, err
	}
	x.answer = answer
	reply.Body = io.NopCloser(bytes.NewReader(emptyObject))
	return reply, nil
}

var errAttemptTimeout = errors.New("no answer in time")

// buffers hold responses while they are decoded.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
