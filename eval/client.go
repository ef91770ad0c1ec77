package eval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// maxResponse bounds what is read of one response, in bytes.
const maxResponse = 64 << 20

// client carries requests to endpoints. The library go-openai knows the URL, the
// authentication and the shape of errors; client is its HTTPDoer, which sends the
// bytes that we wrote, reads the response with our own decoder, and retries.
type client struct {
	transport *http.Transport
	timeout   time.Duration // of one attempt
	retry     retryPolicy

	sent, retried atomic.Int64
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

// connection is the client's view of one session.
type connection struct {
	*client
	api  *openai.Client
	head []byte // of request bodies: the model's name
	from Session
}

func (c *client) connect(s Session) *connection {
	config := openai.DefaultConfig(s.APIKey)
	config.BaseURL = s.BaseURL
	config.HTTPClient = c
	return &connection{client: c, api: openai.NewClientWithConfig(config), head: requestHead(s.Model), from: s}
}

// exchange is one request and what came of it. It travels to Do in the context,
// the only thing that go-openai hands through.
type exchange struct {
	head, tail []byte // of the body
	prompts    int
	answer     *completion
	attempts   int
}

type exchangeKey struct{}

// complete sends one request, with retries, and returns the decoded response.
// Faults that outlast the retries, and answers of other weights than the
// session's, are an *EndpointError.
func (c *connection) complete(ctx context.Context, tail []byte, prompts int) (*completion, error) {
	x := &exchange{head: c.head, tail: tail, prompts: prompts}
	start := time.Now()
	_, err := c.api.CreateCompletion(context.WithValue(ctx, exchangeKey{}, x), openai.CompletionRequest{Prompt: ""})
	if err == nil && c.from.Fingerprint != "" && x.answer.fingerprint != c.from.Fingerprint {
		err = unusable("other weights answered: fingerprint %q, want %q", x.answer.fingerprint, c.from.Fingerprint)
	}
	if err == nil {
		return x.answer, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return nil, &EndpointError{URL: c.from.BaseURL, Model: c.from.Model, Attempts: x.attempts, Elapsed: time.Since(start), Err: err}
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
		wait, again := c.retry.next(x.attempts, time.Since(start), reply, err)
		if !again || r.Context().Err() != nil {
			return reply, err
		}
		c.retried.Add(1)
		if err := sleep(r.Context(), wait); err != nil {
			return nil, err
		}
	}
}

var emptyObject = []byte("{}")

// attempt sends the request once and reads the whole response.
func (c *client) attempt(r *http.Request, x *exchange) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), c.timeout, errAttemptTimeout)
	defer cancel()
	once := r.WithContext(ctx)
	once.ContentLength = int64(len(x.head) + len(x.tail))
	once.GetBody = func() (io.ReadCloser, error) { return newBody(x), nil }
	once.Body = newBody(x)
	c.sent.Add(1)
	reply, err := c.transport.RoundTrip(once)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	text := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(text)
	text.Reset()
	_, err = text.ReadFrom(io.LimitReader(reply.Body, maxResponse+1))
	reply.Body.Close()
	if err != nil {
		return nil, transportError(ctx, err)
	}
	return c.read(reply, text.Bytes(), x)
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
	answer, err := decodeCompletion(text, x.prompts)
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

// transportError replaces the deadline of one attempt by its name, so that it is
// not taken for the caller's.
func transportError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errAttemptTimeout) {
		return cause
	}
	return err
}

// buffers hold responses while they are decoded.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// body reads the two parts of a request's body, which are shared between
// requests and never written to.
type body struct {
	parts [2][]byte
}

func newBody(x *exchange) *body { return &body{[2][]byte{x.head, x.tail}} }

func (b *body) Read(p []byte) (int, error) {
	n := 0
	for i := range b.parts {
		k := copy(p[n:], b.parts[i])
		b.parts[i] = b.parts[i][k:]
		n += k
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (b *body) Close() error { return nil }

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
