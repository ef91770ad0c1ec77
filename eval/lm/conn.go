package lm

import (
	"context"
	"net"
	"net/http"
)

// net/http sends an answer of more than 4 KB in several writes, and each of them
// costs more than writing the answer did. The server's connections can hold
// writes back, so that an answer and its headers go out as one.

// listener makes connections that can hold writes back.
type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// conn is a connection whose writes can be held back. Only the goroutine that
// serves it writes.
type conn struct {
	net.Conn
	holding bool
	held    []byte
}

// Write writes, or keeps what would be written.
func (c *conn) Write(b []byte) (int, error) {
	if !c.holding {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	return len(b), nil
}

// CloseWrite lets net/http end a connection without losing its last answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// mostHeld bounds the memory that an idle connection keeps.
const mostHeld = 64 << 10

// release writes what was held back.
func (c *conn) release() {
	c.holding = false
	_, _ = c.Conn.Write(c.held) // a client that went away is nobody's trouble
	c.held = c.held[:0]
	if cap(c.held) > mostHeld {
		c.held = nil
	}
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// writeWhole writes an answer whose headers are set, Content-Length among them, in
// one write.
func writeWhole(w http.ResponseWriter, r *http.Request, body []byte) {
	c, ours := r.Context().Value(connKey{}).(*conn)
	flusher, flushes := w.(http.Flusher)
	if !ours || !flushes {
		_, _ = w.Write(body)
		return
	}
	c.holding = true
	defer c.release()
	_, _ = w.Write(body)
	flusher.Flush()
}
