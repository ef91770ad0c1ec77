package external

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"mergesearch"
)

// Options says which program proposes and for what.
type Options struct {
	Command []string      // program and arguments; no shell reads them
	Dir     string        // folder that it is started in; empty for that of this process
	Timeout time.Duration // of every wait for the program; 0 for a minute
	Stderr  io.Writer     // what it writes there is passed on; nil for that of this process

	Space     *mergesearch.Space
	Benchmark mergesearch.Benchmark
	Seed      uint64
	Budget    Budget

	Population int // proposals of each request; 0 for one
	Lookahead  int // requests before the first is told; 0 for one
}

// Error says that the program is broken: it cannot be started, ended, stayed
// silent or said what it must not.
type Error struct {
	Command string
	Doing   string // what was expected of it
	Err     error
	Last    string // last line that it wrote to its standard error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("proposer %s: %s: %v", e.Command, e.Doing, e.Err)
	if e.Last != "" {
		text += "; its last words: " + e.Last
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *Error) Hint() string {
	return "mend the program of algorithm.command, then start the same command again; what was recorded is kept"
}

// maxLine bounds a message of the program, in bytes.
const maxLine = 64 << 20

// Proposer is a search algorithm whose proposals come from a program. Open starts
// it, and one goroutine uses it until Close.
type Proposer struct {
	options Options
	round   int
	told    map[mergesearch.CandidateID]bool // with a fitness

	process  *exec.Cmd
	in       *os.File // to the program
	out      *os.File // from the program
	lines    *bufio.Reader
	last     *tail
	release  func() bool  // of the context
	ended    func() error // whether the context has
	outcomes bool
	finished bool
	err      error
}

// New checks the options; it starts nothing. The error is an *InputError.
func New(o Options) (*Proposer, error) {
	switch {
	case len(o.Command) == 0 || o.Command[0] == "":
		return nil, &mergesearch.InputError{Field: "algorithm.command", Problem: "missing", Hint: "for example command: [python3, proposer.py]"}
	case o.Timeout < 0:
		return nil, &mergesearch.InputError{Field: "algorithm.timeout", Problem: "cannot be negative"}
	case o.Population < 0:
		return nil, &mergesearch.InputError{Field: "algorithm.population", Problem: "cannot be negative"}
	case o.Lookahead < 0:
		return nil, &mergesearch.InputError{Field: "algorithm.lookahead", Problem: "cannot be negative"}
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	o.Population, o.Lookahead = max(1, o.Population), max(1, o.Lookahead)
	return &Proposer{options: o, told: map[mergesearch.CandidateID]bool{}}, nil
}

// Lookahead returns how many requests are made before the first is told.
func (p *Proposer) Lookahead() int { return p.options.Lookahead }

// Err returns what broke, nil while nothing has.
func (p *Proposer) Err() error { return p.err }

// Open starts the program and greets it. The program is killed when the context
// ends.
func (p *Proposer) Open(ctx context.Context) error {
	if p.process != nil {
		panic("external: opened twice")
	}
	theirIn, in, err := os.Pipe()
	if err != nil {
		return p.fail("start", err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		in.Close()
		return p.fail("start", err)
	}
	p.in, p.out, p.lines = in, out, bufio.NewReader(out)
	p.last = &tail{w: p.options.Stderr}
	p.process = exec.CommandContext(ctx, p.options.Command[0], p.options.Command[1:]...)
	p.process.Dir, p.process.Stdin, p.process.Stdout, p.process.Stderr = p.options.Dir, theirIn, theirOut, p.last
	p.process.WaitDelay = time.Second
	err = p.process.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		p.process = nil
		p.Close()
		return p.fail("start", err)
	}
	p.ended = ctx.Err
	p.release = context.AfterFunc(ctx, func() {
		in.SetWriteDeadline(time.Unix(1, 0))
		out.SetReadDeadline(time.Unix(1, 0))
	})
	if p.send("greet", p.greeting()) {
		if a, ok := p.receive("answer the greeting", "hello"); ok {
			p.outcomes = a.Outcomes
		}
	}
	if p.err == nil {
		return nil
	}
	p.Close()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return p.err
}

// Close says goodbye, waits for the program to end and kills it if it does not.
func (p *Proposer) Close() error {
	if p.in != nil {
		if p.err == nil && p.process != nil {
			p.in.SetWriteDeadline(time.Now().Add(time.Second))
			io.WriteString(p.in, `{"type":"bye"}`+"\n")
		}
		p.in.Close()
		p.in = nil
	}
	if p.process != nil && p.process.ProcessState == nil {
		patience := min(p.options.Timeout, 5*time.Second)
		if p.err != nil {
			patience = 100 * time.Millisecond
		}
		end := time.AfterFunc(patience, func() { p.process.Process.Kill() })
		p.process.Wait()
		end.Stop()
	}
	if p.release != nil {
		p.release()
	}
	if p.out != nil {
		p.out.Close()
		p.out = nil
	}
	return nil
}

// Ask requests proposals. It is empty when the program has finished or is broken.
func (p *Proposer) Ask() []mergesearch.Individual {
	if p.err != nil || p.finished {
		return nil
	}
	p.round++
	if !p.send("take a request", request{"ask", p.options.Population}) {
		return nil
	}
	a, ok := p.receive("propose", "proposals")
	if !ok {
		return nil
	}
	if n := len(a.Proposals); n > p.options.Population || n < p.options.Population && !a.Finished {
		p.fail("propose", fmt.Errorf("%d proposals, want %d", n, p.options.Population))
		return nil
	}
	p.finished = a.Finished
	var out []mergesearch.Individual
	for k, x := range a.Proposals {
		individual, err := p.individual(x)
		if err != nil {
			p.fail("propose", fmt.Errorf("request %d, proposal %d: %w", p.round, k, err))
			return nil
		}
		out = append(out, individual)
	}
	return out
}

// Tell hands trials to the program.
func (p *Proposer) Tell(trials []mergesearch.Trial) {
	if p.err != nil {
		return
	}
	message := tell{Type: "tell", Trials: []trial{}}
	for _, t := range trials {
		if _, ok := t.Member(); ok {
			p.told[t.ID()] = true
		}
		message.Trials = append(message.Trials, p.trial(t))
	}
	p.send("take trials", message)
}

// send writes one line.
func (p *Proposer) send(doing string, message any) bool {
	if p.lines.Buffered() > 0 {
		p.fail(doing, errors.New("it wrote a line that nobody asked for"))
		return false
	}
	line, err := json.Marshal(message)
	if err != nil {
		panic("external: " + err.Error())
	}
	err = p.in.SetWriteDeadline(time.Now().Add(p.options.Timeout))
	if err == nil {
		err = p.ended() // else its deadline may just have been replaced
	}
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	if err != nil {
		p.fail(doing, p.cause(err))
	}
	return err == nil
}

// receive reads one line of the wanted type.
func (p *Proposer) receive(doing, want string) (answer, bool) {
	var a answer
	line, err := p.line()
	if err != nil {
		p.fail(doing, p.cause(err))
		return a, false
	}
	if a, err = parseAnswer(line, want); err != nil {
		p.fail(doing, err)
		return a, false
	}
	return a, true
}

// parseAnswer reads one line of the wanted type.
func parseAnswer(line []byte, want string) (a answer, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return a, fmt.Errorf("%.120q: %w", line, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return a, fmt.Errorf("%.120q: something follows the JSON document", line)
	}
	if a.Type != want {
		return a, fmt.Errorf("it said %.40q, want %q", a.Type, want)
	}
	return a, nil
}

func (p *Proposer) line() ([]byte, error) {
	if err := p.out.SetReadDeadline(time.Now().Add(p.options.Timeout)); err != nil {
		return nil, err
	}
	if err := p.ended(); err != nil { // else its deadline may just have been replaced
		return nil, err
	}
	var line []byte
	for {
		part, err := p.lines.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, errors.New("a line of more than 64 MiB")
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// cause says in words why a pipe failed.
func (p *Proposer) cause(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("silent for %v", p.options.Timeout)
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed), strings.Contains(err.Error(), "broken pipe"):
		end := time.AfterFunc(time.Second, func() { p.process.Process.Kill() })
		defer end.Stop()
		if err := p.process.Wait(); err != nil {
			return fmt.Errorf("it ended: %w", err)
		}
		return errors.New("it ended")
	}
	return err
}

// fail remembers the first thing that broke.
func (p *Proposer) fail(doing string, err error) error {
	if p.err == nil {
		e := &Error{Command: strings.Join(p.options.Command, " "), Doing: doing, Err: err}
		if p.last != nil {
			e.Last = p.last.line()
		}
		p.err = e
	}
	return p.err
}
