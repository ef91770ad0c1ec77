package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mergesearch/cmd/internal/faulttest"
)

// faultsVariable asks TestFaults for every so manieth call: 1 for all of them.
const faultsVariable = "MERGESEARCH_FAULTS"

// TestFaults lets the N-th file operation of a program fail, for N = 1, 2, 3, ...
// until there is no N-th: of a search, of the same search going on, of export, merge
// and of the commands that look. Each ends with the right result, or with exit code
// 4, 6 or 8 and one line that says why; none panics, hangs or scores wrongly, and the
// same command without faults then ends with the right result. Only some of the calls
// are tried, unless MERGESEARCH_FAULTS says more; docs/log/fault-steps.md has
// the counts of all.
func TestFaults(t *testing.T) {
	stride := 0
	if n, err := strconv.Atoi(os.Getenv(faultsVariable)); err == nil {
		stride = max(1, n)
	} else if testing.Short() {
		t.Skip("short")
	}
	f := newFaulty(t)
	for _, command := range f.commands() {
		t.Run(command.name, func(t *testing.T) {
			for _, kind := range faulttest.Kinds {
				f.steps(t, command, kind, stride)
			}
		})
	}
	if testing.Verbose() {
		t.Log(f.table())
	}
}

// faulty is a family of commands and what they do undisturbed.
type faulty struct {
	dir    string // of the run file
	run    string // a finished run
	roots  []string
	random *rand.Rand
	rows   map[string]map[string]int // by command and kind, what came of it
}

// faultyCommand is something that a user does.
type faultyCommand struct {
	name    string
	args    []string
	prepare func(t *testing.T)        // puts the directory into the state before it
	right   func(t *testing.T) string // what must be there after it
	looks   bool                      // it writes nothing, so what it prints is its result
}

func newFaulty(t *testing.T) *faulty {
	dir := writeSmallRun(t, "")
	text := strings.NewReplacer("candidates: 6", "candidates: 2", "rungs: [3, 6]", "rungs: [2, 3]",
		"  - {file: tasks/arithmetic.yaml}\n", "").Replace(smallRun)
	check(t, os.WriteFile(filepath.Join(dir, "run.yaml"), []byte(text), 0o644))
	models, err := filepath.EvalSymlinks(filepath.Join(dir, "models"))
	check(t, err)
	f := &faulty{dir: dir, run: filepath.Join(dir, "done"), roots: []string{dir, models}, random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), rows: map[string]map[string]int{}}
	if out, err := f.program("run", "run.yaml", "--dir", "done").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return f
}

func (f *faulty) program(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Dir = f.dir
	c.Env = append(os.Environ(), asProgram+"=1", "GOMAXPROCS=2")
	return c
}

func (f *faulty) remove(t *testing.T, name string) func(*testing.T) {
	return func(t *testing.T) { check(t, os.RemoveAll(filepath.Join(f.dir, name))) }
}

func (f *faulty) commands() []faultyCommand {
	searched := func(t *testing.T) string {
		r, report := soundStore(t, filepath.Join(f.dir, "run"))
		if r != nil {
			r.Close()
		}
		return report.PopulationHash + contents(t, filepath.Join(f.dir, "run", "best"))
	}
	written := func(t *testing.T) string { return contents(t, filepath.Join(f.dir, "out")) }
	half := filepath.Join(f.dir, "half") // a run that was killed
	return []faultyCommand{
		{name: "run", args: []string{"run", "run.yaml", "--dir", "run", "--workers", "1"}, prepare: f.remove(nil, "run"), right: searched},
		{name: "run again", args: []string{"run", "run.yaml", "--dir", "run", "--workers", "1"}, prepare: func(t *testing.T) {
			f.remove(t, "run")(t)
			if _, err := os.Stat(half); err != nil {
				f.killHalfway(t, half)
			}
			check(t, os.CopyFS(filepath.Join(f.dir, "run"), os.DirFS(half)))
		}, right: searched},
		{name: "merge", args: []string{"merge", "done/best/recipe.yaml", "out"}, prepare: f.remove(nil, "out"), right: written},
		{name: "export", args: []string{"export", "done", "best", "out"}, prepare: f.remove(nil, "out"), right: written},
		{name: "export gguf", args: []string{"export", "done", "best", "out/x.gguf", "--format", "gguf"}, prepare: f.remove(nil, "out"), right: written},
		{name: "check", args: []string{"check", "done"}, looks: true},
		{name: "show", args: []string{"show", "done", "--json"}, looks: true},
		{name: "candidates", args: []string{"candidates", "done", "--json"}, looks: true},
	}
}

// killHalfway makes a run that was killed when it had some of its answers.
func (f *faulty) killHalfway(t *testing.T, dir string) {
	t.Helper()
	for {
		check(t, os.RemoveAll(dir))
		c := f.program("run", "run.yaml", "--dir", dir)
		check(t, c.Start())
		for {
			r, report := soundStoreIfAny(t, dir)
			if r != nil {
				r.Close()
			}
			if report.Answers > 20 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		_ = c.Process.Kill()
		_ = c.Wait()
		if _, err := os.Stat(filepath.Join(dir, "best")); err != nil {
			return
		}
	}
}

// steps tries one kind of fault at one call after the other. Without a stride it tries
// two, drawn at random.
func (f *faulty) steps(t *testing.T, c faultyCommand, kind faulttest.Kind, stride int) {
	t.Helper()
	row := map[string]int{}
	f.rows[c.name+" | "+string(kind)] = row
	want, calls := f.undisturbed(t, c, kind)
	row["calls"] = calls
	var at []int
	for n := 1; stride > 0 && n <= calls; n += stride {
		at = append(at, n)
	}
	for range 2 {
		if stride == 0 && calls > 0 {
			at = append(at, 1+f.random.IntN(calls))
		}
	}
	for i, n := range at {
		fault := faulttest.Fault{Kind: kind, N: n, Forever: kind != faulttest.ShortWrite && i%4 == 3}
		f.step(t, c, fault, want, row)
	}
}

// undisturbed runs a command without a fault and returns what it left or printed and
// how many of its calls could fail.
func (f *faulty) undisturbed(t *testing.T, c faultyCommand, kind faulttest.Kind) (want string, calls int) {
	t.Helper()
	if c.prepare != nil {
		c.prepare(t)
	}
	r, stdout, stderr := f.try(t, c, faulttest.Fault{Kind: kind})
	if r.Code != 0 {
		t.Fatalf("undisturbed: exit code %d: %s", r.Code, stderr)
	}
	if c.looks {
		return stdout, r.Calls
	}
	return c.right(t), r.Calls
}

func (f *faulty) try(t *testing.T, c faultyCommand, fault faulttest.Fault) (r faulttest.Result, stdout, stderr string) {
	t.Helper()
	p := f.program(c.args...)
	var out, errs bytes.Buffer
	p.Stdout, p.Stderr = &out, &errs
	r, err := faulttest.Run(p, f.roots, fault, 30*time.Second)
	if errors.Is(err, faulttest.ErrUnsupported) {
		t.Skip(err)
	}
	check(t, err)
	return r, out.String(), errs.String()
}

// step lets one call fail, once more when the command is repeated, and then none.
func (f *faulty) step(t *testing.T, c faultyCommand, fault faulttest.Fault, want string, row map[string]int) {
	t.Helper()
	if c.prepare != nil {
		c.prepare(t)
	}
	first := fault
	for try := range 2 {
		r, stdout, stderr := f.try(t, c, fault)
		what := fmt.Sprintf("%s, %s (%s)", c.name, fault, r.At)
		if try == 1 {
			what += fmt.Sprintf(" after %s", first)
		}
		f.judge(t, c, what, r, stdout, stderr, want)
		if r.At == "" && try == 0 {
			row["came through"]++ // the order of calls differs a little from run to run
		} else {
			row[map[bool]string{true: "right", false: fmt.Sprintf("exit %d", r.Code)}[r.Code == 0]]++
		}
		if r.Code == 0 {
			break
		}
		fault = faulttest.Fault{Kind: fault.Kind, N: 1 + f.random.IntN(row["calls"])}
	}
	if c.looks {
		return
	}
	r, _, stderr := f.try(t, c, faulttest.Fault{})
	if r.Code != 0 && !alreadyThere(stderr) {
		t.Errorf("%s, %s: the command cannot be repeated: exit code %d: %s", c.name, first, r.Code, stderr)
	} else if got := c.right(t); got != want {
		t.Errorf("%s, %s: repeated, it left %s, want %s", c.name, first, got, want)
	}
	if alreadyThere(stderr) {
		return // nothing was to be done, so nothing was cleared away either
	}
	for _, l := range leftovers(t, f.dir) {
		t.Errorf("%s, %s: left over: %s", c.name, first, l)
	}
}

func alreadyThere(stderr string) bool {
	return strings.Contains(stderr, "directory is not empty") || strings.Contains(stderr, "exists already")
}

// judge checks how a command ended.
func (f *faulty) judge(t *testing.T, c faultyCommand, what string, r faulttest.Result, stdout, stderr, want string) {
	t.Helper()
	switch {
	case r.Hung:
		t.Errorf("%s: it hung", what)
	case strings.Contains(stderr, "panic:") || strings.Contains(stderr, "fatal error:") || strings.Contains(stderr, "\ngoroutine "):
		t.Errorf("%s: it panicked: %s", what, stderr)
	case r.Code == 0 && c.looks && stdout != want:
		t.Errorf("%s: it printed %q, want %q", what, stdout, want)
	case r.Code == 0 && !c.looks && c.right(t) != want:
		t.Errorf("%s: it said that all is well and left something else", what)
	case r.Code == 0:
	case alreadyThere(stderr) && c.right(t) == want: // the try before failed after its work was done
	case r.Code != exitUnfit && r.Code != exitBreaker && r.Code != exitDamaged:
		t.Errorf("%s: exit code %d: %s", what, r.Code, stderr)
	case strings.Count("\n"+stderr, "\nerror: ") != 1:
		t.Errorf("%s: not one line: %s", what, stderr)
	}
}

// table is that of docs/log/fault-steps.md.
func (f *faulty) table() string {
	columns := map[string]bool{}
	for _, row := range f.rows {
		for c := range row {
			columns[c] = true
		}
	}
	names := slices.Sorted(maps.Keys(columns))
	var b strings.Builder
	fmt.Fprintf(&b, "\n| command | fault | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, r := range slices.Sorted(maps.Keys(f.rows)) {
		fmt.Fprintf(&b, "| %s |", r)
		for _, c := range names {
			fmt.Fprintf(&b, " %d |", f.rows[r][c])
		}
		b.WriteString("\n")
	}
	return b.String()
}
