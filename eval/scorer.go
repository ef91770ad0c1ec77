package eval

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mergesearch"
)

// A task file may name a program that scores the answers to its questions:
//
//	scorer: {command: [python3, score.py], timeout: 30}
//
// It reads one JSON object a line, {"task", "doc_id", "prompt", "target", "answer",
// "doc"}, and writes one a line, {"score": x} with x in [0, 1], in the same order,
// until its input ends. It is started without a shell, with an empty environment,
// in the folder of the task file, in a process group of its own that is killed when
// an answer takes longer than timeout seconds (default 60). A program that fails is
// an error that ends the run, never a score: what a model's own code does wrong is
// for the program to judge.

// scorerConfig is the key scorer of a task file.
type scorerConfig struct {
	command []string
	dir     string
	timeout time.Duration
	at      entry
}

func (c *config) readScorer(e entry) error {
	s := scorerConfig{timeout: time.Minute, at: e, dir: c.dir}
	if e.file != "" {
		s.dir = filepath.Dir(e.file)
	}
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	for _, p := range parts {
		switch p.key {
		case "command":
			s.command, err = p.texts()
		case "timeout":
			var seconds float64
			seconds, err = p.number()
			s.timeout = time.Duration(seconds * float64(time.Second))
			if err == nil && (s.timeout <= 0 || s.timeout > 24*time.Hour) {
				err = p.refuse("out of range", "seconds for one answer, for example timeout: 30")
			}
		default:
			err = p.refuseKey("unknown key", mergesearch.UnknownWord("key", p.key, []string{"command", "timeout"}).Hint)
		}
		if err != nil {
			return err
		}
	}
	if len(s.command) == 0 || s.command[0] == "" {
		return e.refuse("the key command: is missing", "for example scorer: {command: [python3, score.py]}")
	}
	if err := s.find(); err != nil {
		return err
	}
	c.scorer = &s
	return nil
}

// find replaces the program's name by its path, since it will see no PATH.
func (s *scorerConfig) find() error {
	name := s.command[0]
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		name = filepath.Join(s.dir, name)
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return s.at.refuse(fmt.Sprintf("the program %s cannot be started: %s", s.command[0], lastCause(err)), "give its path, absolute or relative to the task file, and make it executable")
	}
	s.command[0] = path
	return nil
}

func lastCause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// scorerLine is what the program reads about one answer.
type scorerLine struct {
	Task   string         `json:"task"`
	DocID  string         `json:"doc_id"`
	Prompt string         `json:"prompt"`
	Target string         `json:"target"`
	Answer string         `json:"answer"`
	Doc    map[string]any `json:"doc"`
}

// scorers runs the program of one task, in up to as many processes as it has seats.
type scorers struct {
	config scorerConfig
	seats  chan *scoring // nil for a seat whose process is not started
}

// scorerSeats bounds the processes of one task.
const scorerSeats = 4

func newScorers(c scorerConfig) *scorers {
	s := &scorers{config: c, seats: make(chan *scoring, scorerSeats)}
	for range scorerSeats {
		s.seats <- nil
	}
	return s
}

// score has the answers to a question scored.
func (s *scorers) score(ctx context.Context, t *Task, q *question, texts []written) ([]float64, error) {
	var seat *scoring
	select {
	case seat = <-s.seats:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	out := make([]float64, len(texts))
	for i, text := range texts {
		line, err := json.Marshal(scorerLine{t.Name, q.docID, q.prompt, q.answer(), text.text, plainFields(q.fields)})
		if err == nil && seat == nil {
			seat, err = s.config.start()
		}
		if err == nil {
			out[i], err = seat.ask(ctx, line, s.config.timeout)
		}
		if err != nil {
			if seat != nil {
				err = seat.fail(err)
			}
			s.seats <- nil
			return nil, &ScorerError{Task: t.Name, Command: s.config.command[0], Item: q.id, Err: err}
		}
	}
	s.seats <- seat
	return out, nil
}

// close ends the processes.
func (s *scorers) close() {
	for range scorerSeats {
		if seat := <-s.seats; seat != nil {
			seat.stop()
		}
	}
}

// ScorerError says that a task's scoring program failed. It is never a score: the
// run ends.
type ScorerError struct {
	Task, Command string
	Item          mergesearch.ItemID
	Err           error
}

func (e *ScorerError) Error() string {
	return fmt.Sprintf("scorer %s of task %s, item %s: %v", e.Command, e.Task, e.Item, e.Err)
}

func (e *ScorerError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *ScorerError) Hint() string {
	return "give the program one line by hand and see what it writes; the same command goes on from here"
}

// scoring is a running program.
type scoring struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	errors *tail
	once   sync.Once
}

// start starts the program.
func (c *scorerConfig) start() (*scoring, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		childIn.Close()
		in.Close()
		return nil, err
	}
	s := &scoring{in: in, out: out, lines: bufio.NewReaderSize(out, 64<<10), errors: &tail{}}
	s.cmd = exec.Command(c.command[0], c.command[1:]...)
	s.cmd.Dir, s.cmd.Env = c.dir, []string{}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = childIn, childOut, s.errors
	s.cmd.WaitDelay = 5 * time.Second
	ownGroup(s.cmd)
	err = s.cmd.Start()
	childIn.Close()
	childOut.Close()
	if err != nil {
		in.Close()
		out.Close()
		return nil, err
	}
	return s, nil
}

var errScorerSlow = errors.New("no score in time")

// maxScorerLine bounds what is read for one score, in bytes.
const maxScorerLine = 1 << 20

// ask writes a line and reads the score. The deadline covers both.
func (s *scoring) ask(ctx context.Context, line []byte, timeout time.Duration) (float64, error) {
	deadline := time.Now().Add(timeout)
	s.in.SetWriteDeadline(deadline)
	s.out.SetReadDeadline(deadline)
	stop := context.AfterFunc(ctx, func() {
		s.in.SetWriteDeadline(time.Unix(1, 0))
		s.out.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	reply, err := s.exchange(line)
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return 0, fmt.Errorf("%w (%s)", errScorerSlow, timeout)
	case err != nil:
		return 0, err
	}
	return parseScore(reply)
}

func (s *scoring) exchange(line []byte) ([]byte, error) {
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("it takes no more input: %w", err)
	}
	var reply []byte
	for {
		part, err := s.lines.ReadSlice('\n')
		if reply = append(reply, part...); err == nil {
			return reply, nil
		}
		switch {
		case len(reply) > maxScorerLine:
			return nil, fmt.Errorf("a line of more than %d bytes", maxScorerLine)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("it ended without a score: %w", err)
		}
	}
}

// parseScore reads {"score": x}.
func parseScore(line []byte) (float64, error) {
	var reply struct {
		Score *float64 `json:"score"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&reply); err != nil || d.More() || reply.Score == nil {
		return 0, fmt.Errorf("want one line {\"score\": x}, got %.200q", bytes.TrimSpace(line))
	}
	if !(*reply.Score >= 0 && *reply.Score <= 1) {
		return 0, fmt.Errorf("the score %v is not in [0, 1]", *reply.Score)
	}
	return *reply.Score, nil
}

// fail ends the program and adds the end of what it wrote to standard error.
func (s *scoring) fail(err error) error {
	s.stop()
	if said := s.errors.String(); said != "" {
		return fmt.Errorf("%w; it printed: %s", err, said)
	}
	return err
}

// stop kills what the program left of itself after its input has ended.
func (s *scoring) stop() {
	s.once.Do(func() {
		s.in.Close()
		killGroup(s.cmd)
		s.out.Close()
		_ = s.cmd.Wait() // it was killed
	})
}

// tail keeps the end of what is written to it, in one line.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 500

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-tailBytes):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.text)), " ")
}
