//go:build linux

package endpoint_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/evaltest"
)

// children returns the processes of fakes, told by a word of their command line.
func children(t testing.TB, word string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, e := range entries {
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		pid, number := strconv.Atoi(e.Name())
		if err != nil || number != nil || pid == os.Getpid() {
			continue
		}
		if bytes.Contains(line, []byte(word)) {
			out = append(out, pid)
		}
	}
	return out
}

// gone waits until no process has the word in its command line. The kernel takes a
// moment to end what was killed; how long is no matter.
func gone(t testing.TB, word string) {
	t.Helper()
	for range 2000 {
		if len(children(t, word)) == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("left behind: %v", children(t, word))
}

// empty fails when something was left in the directory.
func empty(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("left behind: %s", e.Name())
	}
}

// starting opens a server that goes wrong at its start.
func starting(t *testing.T, fault string) (*endpoint.Servers, endpoint.ServerOptions, error) {
	t.Helper()
	f := newFamily(t)
	faults := filepath.Join(t.TempDir(), "faults")
	if err := evaltest.WriteFaults(faults, evaltest.Faults{Start: fault}); err != nil {
		t.Fatal(err)
	}
	o := f.options(evaltest.VLLM, faults)
	o.Limits.Canary, o.Limits.Grace = 500*time.Millisecond, 200*time.Millisecond
	s, err := endpoint.VLLM(context.Background(), o)
	return s, o, err
}

// Servers that start badly and still serve are stopped with everything they began.
func TestStopsEverything(t *testing.T) {
	for _, fault := range []string{"", "ignore-term", "hold-port", "detach", "log-flood", "slow"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s, o, err := starting(t, fault)
			if err != nil {
				t.Fatal(err)
			}
			mark := o.Args[1] // the file of faults names this test's servers
			if len(children(t, mark)) == 0 {
				t.Fatal("no server runs")
			}
			s.Close()
			gone(t, mark)
			empty(t, o.Storage)
		})
	}
}

// Servers that cannot serve are refused with what was seen.
func TestRefusesServers(t *testing.T) {
	for fault, want := range map[string]string{
		"die":        "out of memory while loading",
		"dead":       "deadline exceeded",
		"wrong-name": "serves no model",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			s, o, err := starting(t, fault)
			if fault == "wrong-name" && err == nil { // only its first start was wrong
				s.Close()
			} else {
				var in *mergesearch.InputError
				if !errors.As(err, &in) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want an InputError on one line with %q", err, want)
				}
			}
			gone(t, o.Args[1])
			empty(t, o.Storage)
		})
	}
}

// No secret of this process reaches a server.
func TestEnvironment(t *testing.T) {
	f := newFamily(t)
	o := f.options(evaltest.SGLang, filepath.Join(t.TempDir(), "faults"))
	o.Environment = append(os.Environ(), "OPENAI_API_KEY=canary-secret", "AWS_SECRET=canary-secret", "CUDA_CACHE_PATH=yes", "WANTED=yes")
	o.Pass, o.Devices = []string{"WANTED"}, []string{"3"}
	openKind(t, evaltest.SGLang, o)
	for _, pid := range children(t, o.Args[1]) {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(env, []byte("canary-secret")) {
			t.Error("a key reached the server")
		}
		for _, want := range []string{"CUDA_CACHE_PATH=yes", "WANTED=yes", "CUDA_VISIBLE_DEVICES=3", "PATH="} {
			if !bytes.Contains(env, []byte(want)) {
				t.Errorf("%s did not reach the server", want)
			}
		}
	}
}

// ownerEnv makes TestOwner open a server in the storage that it names and wait.
const ownerEnv = "MERGESEARCH_TEST_OWNER"

// TestOwner is not a test: it is the process that TestKilledOwner kills.
func TestOwner(t *testing.T) {
	dir, fault, set := strings.Cut(os.Getenv(ownerEnv), "|")
	if !set {
		t.Skip("only for another test")
	}
	f := newFamily(t)
	faults := filepath.Join(dir, "faults")
	if err := evaltest.WriteFaults(faults, evaltest.Faults{Start: fault}); err != nil {
		t.Fatal(err)
	}
	o := f.options(evaltest.VLLM, faults)
	o.Storage = dir
	if _, err := endpoint.VLLM(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	select {}
}

// A killed mergesearch leaves no server: its own process ends with it, and what
// that began is ended by the next start.
func TestKilledOwner(t *testing.T) {
	for _, fault := range []string{"", "ignore-term", "detach", "hold-port"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			owner := exec.Command(os.Args[0], "-test.run", "^TestOwner$", "-test.v")
			owner.Env = append(os.Environ(), ownerEnv+"="+dir+"|"+fault)
			out, err := owner.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			owner.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := owner.Start(); err != nil {
				t.Fatal(err)
			}
			for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
				if strings.Contains(lines.Text(), "FAIL") {
					t.Fatal("the owner failed")
				}
			}
			servers := children(t, filepath.Join(dir, "faults"))
			if len(servers) == 0 {
				t.Fatal("no server runs")
			}
			if err := owner.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = owner.Wait()
			if fault == "" || fault == "ignore-term" {
				gone(t, filepath.Join(dir, "faults")) // by the kernel
			}
			marks := tokens(t, dir)
			f := newFamily(t)
			o := f.options(evaltest.VLLM, filepath.Join(t.TempDir(), "faults"))
			o.Storage = dir
			s, err := endpoint.VLLM(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			for _, mark := range marks {
				if pids := withToken(t, mark); len(pids) > 0 {
					t.Errorf("left behind: %v", pids)
				}
			}
			gone(t, filepath.Join(dir, "faults"))
			empty(t, dir)
		})
	}
}

// tokens returns the tokens of servers that are noted in a directory.
func tokens(t testing.TB, dir string) []string {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(dir, "mergesearch-server-*"))
	if err != nil || len(notes) == 0 {
		t.Fatalf("no notes: %v", err)
	}
	var out []string
	for _, n := range notes {
		out = append(out, strings.TrimPrefix(filepath.Base(n), "mergesearch-server-"))
	}
	return out
}

func withToken(t testing.TB, token string) (pids []int) {
	t.Helper()
	for _, pid := range children(t, evaltest.ChildArgument) {
		if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil && bytes.Contains(env, []byte(token)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// launchesEnv raises the number of launches of TestLaunches.
const launchesEnv = "MERGESEARCH_LAUNCHES"

// Hundreds of launches, a fifth of which end badly, leave nothing behind.
func TestLaunches(t *testing.T) {
	launches := 20
	if testing.Short() {
		launches = 6
	}
	if n, err := strconv.Atoi(os.Getenv(launchesEnv)); err == nil {
		launches = n
	}
	rng := rand.New(rand.NewPCG(5, 6))
	f := newFamily(t)
	faults := filepath.Join(t.TempDir(), "faults")
	o := f.options(evaltest.VLLM, faults)
	o.Args = append(o.Args, "--missing", "/collective_rpc") // so that every swap is a launch
	o.Limits.Grace, o.Limits.Canary = 100*time.Millisecond, 2*time.Second
	s, err := endpoint.VLLM(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Profile(); p.Swap != eval.SwapRestart {
		t.Errorf("swap %q", p.Swap)
	}
	deaths := 0
	for i := range launches {
		fault := ""
		if rng.IntN(5) == 0 {
			fault = []string{"die", "ignore-term", "hold-port", "detach", "wrong-name"}[rng.IntN(5)]
			deaths++
			if err := evaltest.WriteFaults(faults, evaltest.Faults{Start: fault}); err != nil {
				t.Fatal(err)
			}
		}
		session, err := s.Serve(context.Background(), f.candidate(10+i))
		if err != nil {
			t.Fatalf("launch %d, %s: %v", i, fault, err)
		}
		if err := session.Check(context.Background()); err != nil {
			t.Errorf("launch %d: %v", i, err)
		}
		session.Close()
	}
	t.Logf("%d launches, %d of them bad: %+v", launches, deaths, s.Counts())
	s.Close()
	gone(t, faults)
	empty(t, o.Storage)
}
