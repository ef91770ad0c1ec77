package external

import (
	"io"
	"strings"
	"sync"
)

// tail passes on what is written and remembers the end of it. It is safe for
// concurrent use.
type tail struct {
	w    io.Writer
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if n := len(t.kept) - 4096; n > 0 {
		t.kept = append([]byte(nil), t.kept[n:]...)
	}
	t.w.Write(b) // whether somebody listens does not matter to the program
	return len(b), nil
}

// line returns the last line that is not empty, shortened.
func (t *tail) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.kept))
	text = text[strings.LastIndexByte(text, '\n')+1:]
	if len(text) > 300 {
		text = text[:300]
	}
	return strings.ToValidUTF8(text, "?")
}
