package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// statusLine shows how a long command stands: one line that is rewritten on a
// terminal, one line a minute elsewhere. It is safe for concurrent use.
type statusLine struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	every    time.Duration // between two lines
	last     time.Time
	width    int // of what stands on the terminal's line now
}

func newStatusLine(out io.Writer) *statusLine {
	s := &statusLine{out: out, every: time.Minute, last: time.Now()}
	if f, ok := out.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	if s.terminal {
		s.every = 100 * time.Millisecond
	}
	return s
}

// show replaces the status with the text that format returns, unless the line
// was written a moment ago.
func (s *statusLine) show(format func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < s.every {
		return
	}
	s.last = time.Now()
	text := format()
	if !s.terminal {
		fmt.Fprintln(s.out, text)
		return
	}
	fmt.Fprintf(s.out, "\r%s%s", text, strings.Repeat(" ", max(0, s.width-len(text))))
	s.width = len(text)
}

// say writes a line that stays, such as an event that changed a decision.
func (s *statusLine) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// done removes the status from a terminal.
func (s *statusLine) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
}

func (s *statusLine) clear() {
	if s.terminal && s.width > 0 {
		fmt.Fprintf(s.out, "\r%s\r", strings.Repeat(" ", s.width))
		s.width = 0
	}
}
