package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mergesearch/cmd/internal/faulttest"
	"mergesearch/merge/kernel/cuda/cudatest"
	"mergesearch/store/storetest"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata/script")

// asProgram in the environment makes the test binary the program: something to kill.
const asProgram = "MERGESEARCH_TEST_PROGRAM"

func TestMain(m *testing.M) {
	faulttest.Child()
	reloading()
	if os.Getenv(asProgram) != "" {
		os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"mergesearch": func() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// TestScript runs the transcripts: each is a small shell session with the real
// program. QUICKSTART is the folder of the quickstart's models, data and tasks,
// FAKE_CUDA one with a driver without a GPU.
func TestScript(t *testing.T) {
	quickstart, err := filepath.Abs(filepath.Join("..", "..", "configs", "quickstart"))
	if err != nil {
		t.Fatal(err)
	}
	driver := t.TempDir()
	if _, err := exec.LookPath("cc"); err == nil && runtime.GOOS == "linux" {
		if err := os.Symlink(cudatest.Fake(t), filepath.Join(driver, "libcuda.so.1")); err != nil {
			t.Fatal(err)
		}
	}
	var refused refusals
	scripts := filepath.Join("testdata", "script")
	t.Run("script", func(t *testing.T) { // ends when all scripts have
		testscript.Run(t, testscript.Params{
			Dir:           scripts,
			UpdateScripts: *update,
			Setup: func(e *testscript.Env) error {
				e.Setenv("QUICKSTART", quickstart)
				e.Setenv("FAKE_CUDA", driver)
				e.Setenv("GOMAXPROCS", "2")
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"code":        commandCode,
				"killed":      func(ts *testscript.TestScript, neg bool, args []string) { commandEnded(ts, neg, args, os.Kill) },
				"interrupted": func(ts *testscript.TestScript, neg bool, args []string) { commandEnded(ts, neg, args, os.Interrupt) },
				"truncate":    commandTruncate,
				"setbytes":    commandSetBytes,
				"comes":       commandComes,
				"synthetic": func(ts *testscript.TestScript, neg bool, args []string) {
					candidates, err := strconv.Atoi(args[1])
					ts.Check(err)
					storetest.Synthetic(t, ts.MkAbs(args[0]), candidates, 16)
				},
				"refused": refused.command,
				"edit":    commandEdit,
				"write":   commandWrite,
				"weights": commandWeights,
			},
			RequireUniqueNames: true,
			ContinueOnError:    *update, // all refusals are said
		})
	})
	refused.check(t, scripts)
}

// commandCode runs the program and wants an exit code: code 2 run run.yaml. Its
// output stands in for that of exec.
func commandCode(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: code N ARG...")
	}
	err = ts.Exec("mergesearch", args[1:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// commandEnded runs the program and sends it a signal after so many milliseconds, such
// as killed 500 run run.yaml. Ending before is fine too.
func commandEnded(ts *testscript.TestScript, neg bool, args []string, signal os.Signal) {
	after, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: killed|interrupted MILLISECONDS ARG...")
	}
	path, err := exec.LookPath("mergesearch")
	if err != nil {
		path = filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "mergesearch")
	}
	c := exec.Command(path, args[1:]...)
	c.Dir = ts.MkAbs(".")
	c.Env = append(os.Environ(), "GOMAXPROCS=2")
	if err := c.Start(); err != nil {
		ts.Fatalf("%v", err)
	}
	timer := time.AfterFunc(time.Duration(after)*time.Millisecond, func() { _ = c.Process.Signal(signal) })
	_ = c.Wait()
	timer.Stop()
}

// commandComes repeats a call of the program until it succeeds: comes status DIR.
func commandComes(ts *testscript.TestScript, neg bool, args []string) {
	var err error
	for range 300 {
		if err = ts.Exec("mergesearch", args...); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Fatalf("%v", err)
}

// commandTruncate cuts a file: truncate FILE BYTES.
func commandTruncate(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	if neg || err != nil {
		ts.Fatalf("usage: truncate FILE BYTES")
	}
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// commandSetBytes writes text over a place in a file: setbytes FILE OFFSET TEXT.
func commandSetBytes(ts *testscript.TestScript, neg bool, args []string) {
	at, err := strconv.ParseInt(args[1], 10, 64)
	if neg || err != nil {
		ts.Fatalf("usage: setbytes FILE OFFSET TEXT")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_RDWR, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte(args[2]), at)
	ts.Check(err)
	ts.Check(f.Close())
}
