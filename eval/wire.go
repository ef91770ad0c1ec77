package eval

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// wire is a transport for plain HTTP/1.1 that keeps to the goroutine of its
// caller: one write and usually one read per request. The transport of net/http
// runs two goroutines for each connection and hands every request through them;
// on a machine whose cores the engine should have, that is half of what a small
// request costs its client.
//
// It speaks to endpoints only: no proxies, redirects, cookies, compression or
// upgrades. Requests over TLS go through net/http.
type wire struct {
	dialer net.Dialer

	mu   sync.Mutex
	idle map[string][]*wireConn // by address; the last one used comes first
}

// wireConn is a connection with its buffers.
type wireConn struct {
	net.Conn
	reader *bufio.Reader
	out    []byte
	since  time.Time // idle since
}

// responseBuffer holds a usual response, so that it is read at once.
const responseBuffer = 16 << 10

// maxIdle is how long an idle connection is trusted. Servers close theirs after a
// minute or more; a request on a closed one would be a fault and a retry.
const maxIdle = 30 * time.Second

// roundTrip sends the request with a body of two parts and reads the whole
// response into text. The response's own Body is not to be used. The timeout
// covers everything but the dialling, which has its own.
func (w *wire) roundTrip(r *http.Request, parts [2][]byte, timeout time.Duration, text io.ReaderFrom) (*http.Response, error) {
	ctx := r.Context()
	addr := r.URL.Host
	if r.URL.Port() == "" {
		addr = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	c, err := w.take(ctx, addr)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(timeout))
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	reply, err := c.exchange(r, parts, text)
	if !stop() || err != nil || reply.Close {
		c.Close()
	} else {
		w.put(addr, c)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case isTimeout(err):
		return nil, errAttemptTimeout
	}
	return reply, err
}

func isTimeout(err error) bool {
	t, ok := err.(net.Error) //nolint:errorlint // only what the connection itself returned
	return ok && t.Timeout()
}

// take returns an idle connection or a new one.
func (w *wire) take(ctx context.Context, addr string) (*wireConn, error) {
	w.mu.Lock()
	stack := w.idle[addr]
	for len(stack) > 0 {
		c := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		w.idle[addr] = stack
		if time.Since(c.since) < maxIdle && quiet(c.Conn) {
			w.mu.Unlock()
			return c, nil
		}
		c.Close()
	}
	w.mu.Unlock()
	conn, err := w.dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: conn, reader: bufio.NewReaderSize(conn, responseBuffer)}, nil
}

// put keeps a connection for the next request. One on which more came than was
// asked for would answer that request with it.
func (w *wire) put(addr string, c *wireConn) {
	if c.reader.Buffered() > 0 {
		c.Close()
		return
	}
	c.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle == nil {
		w.idle = map[string][]*wireConn{}
	}
	w.idle[addr] = append(w.idle[addr], c)
}

// closeIdle closes the idle connections.
func (w *wire) closeIdle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, stack := range w.idle {
		for _, c := range stack {
			c.Close()
		}
	}
	w.idle = nil
}

// exchange writes the request and reads the response, headers and body.
func (c *wireConn) exchange(r *http.Request, parts [2][]byte, text io.ReaderFrom) (*http.Response, error) {
	b := append(c.out[:0], r.Method...)
	b = append(append(append(b, ' '), r.URL.RequestURI()...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, r.URL.Host...), "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(parts[0])+len(parts[1])), 10), "\r\n"...)
	for name, values := range r.Header {
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), headerValue(v)...), "\r\n"...)
		}
	}
	b = append(append(append(b, "\r\n"...), parts[0]...), parts[1]...)
	c.out = b
	if _, err := c.Write(b); err != nil {
		return nil, err
	}
	reply, err := http.ReadResponse(c.reader, r)
	for err == nil && reply.StatusCode < 200 { // 100 Continue and its like
		reply, err = http.ReadResponse(c.reader, r)
	}
	if err != nil {
		return nil, err
	}
	_, err = text.ReadFrom(io.LimitReader(reply.Body, maxResponse+1))
	if closing := reply.Body.Close(); err == nil { // it reads what is left
		err = closing
	}
	return reply, err
}

// headerValue keeps a value on its line.
func headerValue(v string) string {
	for i := range len(v) {
		if v[i] < ' ' && v[i] != '\t' || v[i] == 0x7f {
			return ""
		}
	}
	return v
}
