package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The form of every refusal.
const (
	refusalWidth = 200             // characters of the error line
	refusalTime  = 2 * time.Second // of a processor
)

// refusals gathers what the scripts were answered, for people to read: testdata/refused
// has a file for each script.
type refusals struct {
	mu     sync.Mutex
	script map[string]*bytes.Buffer
	cases  map[string]int
}

// command runs the program and wants a refusal: refused CODE REGEXP... -- ARG... It must
// end with the code, say one error line and one hint line to which the expressions
// apply, print nothing else, write nothing and take hardly any time. Its output stands
// in for that of exec.
func (r *refusals) command(ts *testscript.TestScript, neg bool, args []string) {
	at := slices.Index(args, "--")
	if neg || at < 1 {
		ts.Fatalf("usage: refused CODE REGEXP... -- ARG...")
	}
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	before := filesOf(ts)
	stdout, stderr, took, err := refusedProcess(ts, args[at+1:])
	problems := formProblems(stderr, stdout, code)
	if got := exitOf(ts, err); got != code {
		problems = append(problems, fmt.Sprintf("exit code %d, want %d", got, code))
	}
	for _, expression := range args[1:at] {
		if !regexp.MustCompile("(?m)" + expression).MatchString(stderr) {
			problems = append(problems, fmt.Sprintf("no match for %s", expression))
		}
	}
	if changed := difference(before, filesOf(ts)); changed != "" {
		problems = append(problems, "writes "+changed)
	}
	if took > refusalTime {
		problems = append(problems, fmt.Sprintf("takes %v of a processor", took))
	}
	r.note(ts.Name(), args[at+1:], strings.ReplaceAll(stderr, ts.Getenv("WORK"), "$WORK"))
	if len(problems) > 0 {
		ts.Fatalf("%s:\n%s", strings.Join(problems, "; "), stderr)
	}
}

// refusedProcess runs the program, as exec does, and returns what it says and its time
// of processors.
func refusedProcess(ts *testscript.TestScript, args []string) (stdout, stderr string, took time.Duration, err error) {
	var out, said bytes.Buffer
	path := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "mergesearch")
	c := exec.Command(path, args...)
	c.Dir = ts.MkAbs(".")
	c.Env = []string{"GOMAXPROCS=2", "MallocNanoZone=0"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "GOCOVERDIR", "TESTSCRIPT_COMMAND"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	c.Env = append(c.Env, strings.Fields(ts.Getenv("WITH"))...) // what a script adds
	c.Stdout, c.Stderr = io.MultiWriter(ts.Stdout(), &out), io.MultiWriter(ts.Stderr(), &said)
	ts.Check(c.Start())
	timer := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	err = c.Wait()
	timer.Stop()
	return out.String(), said.String(), c.ProcessState.UserTime() + c.ProcessState.SystemTime(), err
}

func exitOf(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if exit == nil {
		return 0
	}
	return exit.ExitCode()
}

// formProblems lists what is wrong with the form of a refusal.
func formProblems(stderr, stdout string, code int) (problems []string) {
	want := []string{"error: ", "hint: "}
	if code != exitInput {
		want = append(want, "more: ")
	}
	lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if len(lines) != len(want) {
		problems = append(problems, fmt.Sprintf("%d lines, want %d", len(lines), len(want)))
	}
	for i, prefix := range want[:min(len(lines), len(want))] {
		if !strings.HasPrefix(lines[i], prefix) {
			problems = append(problems, fmt.Sprintf("line %d does not begin with %q", i+1, prefix))
		}
	}
	if n := len([]rune(lines[0])); n > refusalWidth {
		problems = append(problems, fmt.Sprintf("a line of %d characters", n))
	}
	for _, trace := range []string{"goroutine ", "panic:", "runtime error", "0xc0"} {
		if strings.Contains(stderr, trace) {
			problems = append(problems, "a trace: "+trace)
		}
	}
	if stdout != "" {
		problems = append(problems, fmt.Sprintf("standard output: %.100q", stdout))
	}
	return problems
}

// filesOf lists the files of a script with their sizes and times.
func filesOf(ts *testscript.TestScript) map[string]string {
	all := map[string]string{}
	_ = filepath.WalkDir(ts.Getenv("WORK"), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // a directory that nobody may read
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			all[path] = fmt.Sprint(info.Size(), info.ModTime())
		} else if err == nil {
			all[path] = "directory"
		}
		return nil
	})
	return all
}

func difference(before, after map[string]string) string {
	for path, is := range after {
		if before[path] != is {
			return path
		}
	}
	for path := range before {
		if _, still := after[path]; !still {
			return path
		}
	}
	return ""
}

func (r *refusals) note(script string, args []string, stderr string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.script == nil {
		r.script, r.cases = map[string]*bytes.Buffer{}, map[string]int{}
	}
	if r.script[script] == nil {
		r.script[script] = &bytes.Buffer{}
	}
	said, _, _ := strings.Cut(stderr, "\nmore: ")
	fmt.Fprintf(r.script[script], "%.100s\n%s\n\n", strings.Join(args, " "), strings.TrimSpace(said))
	r.cases[script]++
}

// check compares what was said with the files that people have read, and counts the
// cases when all scripts have run.
func (r *refusals) check(t *testing.T, scripts string) {
	all, err := filepath.Glob(filepath.Join(scripts, "refused_*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for script, said := range r.script {
		total += r.cases[script]
		golden := filepath.Join("testdata", "refused", strings.TrimPrefix(script, "refused_")+".txt")
		if *update {
			if err := errors.Join(os.MkdirAll(filepath.Dir(golden), 0o777), os.WriteFile(golden, said.Bytes(), 0o666)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(want, said.Bytes()) {
			t.Errorf("%s: what is said differs from %s; read it and run with -update", script, golden)
		}
	}
	if t.Logf("%d refusals", total); len(r.script) == len(all) && total < 300 {
		t.Errorf("%d refusals, want at least 300", total)
	}
}

// commandEdit writes a file that is another with every match replaced:
// edit FROM TO REGEXP REPLACEMENT. In the replacement $1 is a group, and \n a new line.
func commandEdit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: edit FROM TO REGEXP REPLACEMENT")
	}
	expression, text := regexp.MustCompile("(?m)"+args[2]), ts.ReadFile(args[0])
	if !expression.MatchString(text) {
		ts.Fatalf("%s: no match for %s", args[0], args[2])
	}
	text = expression.ReplaceAllString(text, strings.ReplaceAll(args[3], `\n`, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o666))
}

// commandWrite writes a text without a file of the archive: write FILE TEXT... Escapes
// are those of Go, and each text but the first is written so often as a number before it
// says, with every # in it the count: write deep.json 3 [ stands for three brackets.
func commandWrite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: write FILE [TIMES] TEXT...")
	}
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o777))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), spelled(ts, args[1:]), 0o666))
}

// commandWeights writes a safetensors file: weights FILE BYTES [TIMES] TEXT... makes a
// header of the texts, as write does, and so many bytes of data.
func commandWeights(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	if len(args) > 2 {
		var err error
		n, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	if neg || len(args) < 3 {
		ts.Fatalf("usage: weights FILE BYTES [TIMES] TEXT...")
	}
	header := spelled(ts, args[2:])
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	file = append(append(file, header...), make([]byte, n)...)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o777))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), file, 0o666))
}

// spelled joins texts, repeated where a number stands before one.
func spelled(ts *testscript.TestScript, args []string) []byte {
	var b bytes.Buffer
	times := 1
	for i, arg := range args {
		if n, err := strconv.Atoi(arg); err == nil && i+1 < len(args) {
			times = n
			continue
		}
		text := arg
		if strings.Contains(arg, `\`) {
			var err error
			text, err = strconv.Unquote(`"` + strings.ReplaceAll(arg, `"`, `\"`) + `"`)
			ts.Check(err)
		}
		for k := range times {
			if times > 1 {
				b.WriteString(strings.ReplaceAll(text, "#", strconv.Itoa(k)))
			} else {
				b.WriteString(text)
			}
		}
		times = 1
	}
	return b.Bytes()
}
