package endpoint

import (
	"strings"
	"sync"
)

// ring keeps the end of what a server prints, however much that is.
type ring struct {
	mu   sync.Mutex
	text []byte
	size int // most bytes that are kept
}

// Write implements io.Writer; it never fails.
func (r *ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, p[max(0, len(p)-r.size):]...)
	if len(r.text) > 2*r.size {
		r.text = append(r.text[:0], r.text[len(r.text)-r.size:]...)
	}
	return len(p), nil
}

// tail returns the last lines that hold something, joined to one, at most n bytes.
func (r *ring) tail(n int) string {
	r.mu.Lock()
	text := string(r.text[max(0, len(r.text)-r.size):])
	r.mu.Unlock()
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	joined := strings.Join(lines[max(0, len(lines)-8):], " | ")
	return strings.ToValidUTF8(joined[max(0, len(joined)-n):], "")
}
