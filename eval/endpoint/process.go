package endpoint

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// tokenVariable marks the processes of a server in their environment, so that
// those which left its group are found too.
const tokenVariable = "MERGESEARCH_SERVER"

// passed are the environment variables that servers get; a name that ends with _
// stands for all that begin so. Everything else, keys above all, stays here.
var passed = []string{
	"PATH", "HOME", "USER", "LANG", "LC_", "TZ", "TMPDIR", "SHELL", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME",
	"LD_LIBRARY_PATH", "CUDA_", "NVIDIA_", "NCCL_", "GGML_", "LLAMA_", "VLLM_", "SGLANG_", "SGL_", "TORCH_",
	"TORCHINDUCTOR_", "TRITON_", "HF_HOME", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "XDG_CACHE_HOME", "OMP_NUM_THREADS",
	"SYSTEMROOT", "TEMP", "TMP",
}

// environment returns what a server gets of ours.
func environment(all, more []string) []string {
	names := append(slices.Clone(passed), more...)
	var out []string
	for _, e := range all {
		name, _, _ := strings.Cut(e, "=")
		for _, n := range names {
			if name == n || strings.HasSuffix(n, "_") && strings.HasPrefix(name, n) {
				out = append(out, e)
				break
			}
		}
	}
	return out
}

// process is a server that was started here.
type process struct {
	cmd   *exec.Cmd
	log   *ring
	token string
	note  string        // the file that tells the next run of it
	ended chan struct{} // closed when the server's own process is gone
	err   error         // how it ended; valid after ended
	stop  sync.Once
}

// launch says how to start a server.
type launch struct {
	command []string
	env     []string
	notes   string // directory of the files that tell the next run what to end
}

// start starts a server in a process group of its own. The kernel ends it when
// this process dies (Linux), and the next run ends what it left behind (sweep).
func start(l launch) (*process, error) {
	p := &process{log: &ring{size: 64 << 10}, token: rand.Text(), ended: make(chan struct{})}
	p.cmd = exec.Command(l.command[0], l.command[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(l.env[:len(l.env):len(l.env)], tokenVariable+"="+p.token)
	p.cmd.WaitDelay = time.Second // for output that its children hold open
	separate(p.cmd)
	var err error
	if p.note, err = writeNote(l.notes, p.token); err != nil {
		return nil, err
	}
	started := make(chan error)
	go func() {
		// The kernel ties the child to the thread that forked it, so that must live
		// as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		os.Remove(p.note)
		return nil, fmt.Errorf("start %s: %w", l.command[0], err)
	}
	return p, nil
}

// alive reports whether the server's own process still runs.
func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// died describes the end of a server, with the last it printed.
func (p *process) died() error {
	how := "status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	if tail := p.log.tail(600); tail != "" {
		return fmt.Errorf("the server ended (%s): %s", how, tail)
	}
	return fmt.Errorf("the server ended (%s) and printed nothing", how)
}

// end stops the server and everything that it started: SIGTERM to the group, after
// the grace SIGKILL, then whatever carries its token elsewhere.
func (p *process) end(grace time.Duration) {
	p.stop.Do(func() {
		if p.alive() {
			terminate(p.cmd)
			timer := time.NewTimer(grace)
			select {
			case <-p.ended:
			case <-timer.C:
			}
			timer.Stop()
		}
		kill(p.cmd)
		<-p.ended
		endMarked(p.token)
		os.Remove(p.note)
	})
}

// freePort returns a loopback port that was free a moment ago. That somebody else
// takes it is found out by the server's random name.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("no free loopback port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// until calls try, more and more rarely, until it succeeds, the process ends or
// the context does. P is nil for a server that runs elsewhere.
func until(ctx context.Context, p *process, try func(context.Context) error) error {
	var ended <-chan struct{}
	if p != nil {
		ended = p.ended
	}
	var last error
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if last = try(ctx); last == nil {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ended:
			timer.Stop()
			return p.died()
		case <-ctx.Done():
			timer.Stop()
			err := fmt.Errorf("not ready: %w (last: %w)", context.Cause(ctx), last)
			if p != nil {
				if tail := p.log.tail(600); tail != "" {
					err = fmt.Errorf("%w; it printed: %s", err, tail)
				}
			}
			return err
		case <-timer.C:
		}
	}
}
