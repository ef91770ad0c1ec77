package evaltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ChildArgument is the first argument with which a test binary becomes a Fake.
const ChildArgument = "fake-inference-server"

// Child runs the process as a Fake, if it was started as one, and does not return
// then. TestMain calls it first. The arguments after ChildArgument are the
// dialect and those of the real server; --faults, --missing and --noise are ours.
func Child() {
	if len(os.Args) > 2 && os.Args[1] == ChildArgument {
		os.Exit(child(os.Args[2], os.Args[3:]))
	}
}

// Command returns the command line that starts a Fake of the dialect by way of
// this test binary.
func Command(dialect string) []string { return []string{os.Args[0], ChildArgument, dialect} }

// linger is a process that stays: a worker that its server left behind.
const linger = "linger"

// flags reads "--name value" and "-n value"; a word without a dash is the model.
func flags(args []string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(args); i++ {
		name, dashed := strings.CutPrefix(strings.TrimPrefix(args[i], "-"), "-")
		dashed = dashed || strings.HasPrefix(args[i], "-")
		switch {
		case !dashed && args[i] != "serve":
			out["model"] = args[i]
		case dashed && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-"):
			out[name] = args[i+1]
			i++
		case dashed:
			out[name] = "yes"
		}
	}
	return out
}

func child(dialect string, args []string) int {
	if dialect == linger {
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(10 * time.Minute)
		return 0
	}
	got := flags(args)
	o := FakeOptions{Dialect: dialect, Faults: got["faults"], NoCache: got["no-cache-prompt"] != "", Exit: func() { os.Exit(137) }}
	switch dialect {
	case VLLM:
		o.Path, o.Name = got["model"], got["served-model-name"]
	case SGLang:
		o.Path, o.Name = got["model-path"], got["served-model-name"]
	case LlamaCpp:
		o.Path, o.Name = got["m"], got["a"]
	}
	if got["missing"] != "" {
		o.Missing = strings.Split(got["missing"], ",")
	}
	o.Noise, _ = strconv.ParseFloat(got["noise"], 64)
	fmt.Println("loading", o.Path)
	f, err := NewFake(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return f.run(net.JoinHostPort(got["host"], got["port"]))
}

// run serves until SIGTERM.
func (f *Fake) run(address string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	switch f.start {
	case "die":
		fmt.Fprintln(os.Stderr, "error: out of memory while loading", f.path)
		return 1
	case "ignore-term":
		stop()
		signal.Ignore(syscall.SIGTERM)
		ctx = context.Background()
	case "hold-port":
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
		leaveBehind(nil, file)
	case "detach":
		leaveBehind(detached)
	case "log-flood":
		go flood()
	}
	s := &http.Server{Handler: f, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		s.Close()
	}()
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	<-done
	return 0
}

// leaveBehind starts a process that outlives this one.
func leaveBehind(attributes *syscall.SysProcAttr, files ...*os.File) {
	// It carries its server's arguments, so that a test can tell whose it is.
	c := exec.Command(os.Args[0], append([]string{ChildArgument, linger}, os.Args[3:]...)...)
	c.SysProcAttr, c.ExtraFiles = attributes, files
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
}

// flood writes 16 MB of log.
func flood() {
	line := strings.Repeat("all work and no play ", 50)
	for i := range 16 << 10 {
		fmt.Println(i, line)
	}
}
