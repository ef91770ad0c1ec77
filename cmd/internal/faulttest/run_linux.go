package faulttest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kind is a way to fail.
type Kind string

// The ways to fail: an error of a disk, no space, no more descriptors, and half of
// what was to be written.
const (
	EIO        Kind = "EIO"
	ENOSPC     Kind = "ENOSPC"
	EMFILE     Kind = "EMFILE"
	ShortWrite Kind = "short write"
)

// Kinds are all of them.
var Kinds = []Kind{EIO, ENOSPC, EMFILE, ShortWrite}

// Fault says which call fails: the Nth of those that can fail in this way, from 1.
// 0 counts and lets all through.
type Fault struct {
	Kind    Kind
	N       int
	Forever bool // and all after it
}

func (f Fault) String() string {
	if f.Forever {
		return fmt.Sprintf("%s from call %d on", f.Kind, f.N)
	}
	return fmt.Sprintf("%s at call %d", f.Kind, f.N)
}

// hits reports whether a call can fail in this way.
func (f Fault) hits(o operation, creates bool) bool {
	switch f.Kind {
	case ENOSPC:
		return o.writes || creates || o.name == "ftruncate" || o.name == "fallocate" || o.name == "mkdirat" || o.name == "mkdir"
	case EMFILE:
		return o.opens
	case ShortWrite:
		return o.writes
	}
	return true
}

func (k Kind) errno() unix.Errno {
	return map[Kind]unix.Errno{EIO: unix.EIO, ENOSPC: unix.ENOSPC, EMFILE: unix.EMFILE}[k]
}

// Result is what came of a run.
type Result struct {
	Calls int    // that could have failed
	At    string // the call that failed, with its file; empty when none did
	Hung  bool   // it had to be killed
	Code  int    // exit code; -1 for a signal
}

// ErrUnsupported says that the kernel cannot hand calls over.
var ErrUnsupported = errors.New("faulttest: seccomp notifications are not available here")

// Run starts a command of this test binary, whose TestMain calls Child first, with a
// fault among its operations on files below the directories, which are absolute
// and free of links. A process that has not ended after the patience is killed.
func Run(c *exec.Cmd, roots []string, f Fault, patience time.Duration) (Result, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Result{}, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	defer unix.Close(pair[0])
	c.ExtraFiles = append(c.ExtraFiles, theirs)
	c.Env = append(c.Env, fmt.Sprintf("%s=%d", socketVariable, 2+len(c.ExtraFiles)))
	err = c.Start()
	theirs.Close()
	if err != nil {
		return Result{}, err
	}
	timer := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	listener, err := receive(pair[0])
	if err != nil {
		_ = c.Wait()
		timer.Stop()
		return Result{}, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	s := &supervisor{listener: listener, roots: roots, fault: f}
	served := make(chan error, 1)
	go func() { served <- s.serve() }()
	_ = c.Wait() // the code says it
	hung := !timer.Stop()
	err = <-served
	unix.Close(listener)
	return Result{Calls: s.calls, At: s.at, Hung: hung, Code: c.ProcessState.ExitCode()}, err
}

// receive takes the listener from the child.
func receive(socket int) (int, error) {
	one, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	n, controls, _, _, err := unix.Recvmsg(socket, one, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("the child sent no listener (%v)", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil || len(messages) != 1 {
		return 0, fmt.Errorf("the child sent no listener (%v)", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return 0, fmt.Errorf("the child sent no listener (%v)", err)
	}
	return fds[0], nil
}

// supervisor answers the calls of a child.
type supervisor struct {
	listener int
	roots    []string
	fault    Fault
	calls    int
	at       string
}

// notification is struct seccomp_notif.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

func (s *supervisor) serve() error {
	for {
		poll := []unix.PollFd{{Fd: int32(s.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return err
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return nil // nobody has the filter any more
		}
		var n notification
		switch err := s.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err {
		case nil:
		case unix.EINTR, unix.ENOENT:
			continue
		default:
			return err
		}
		r := s.answer(&n)
		if err := s.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)); err != nil && err != unix.ENOENT {
			return err
		}
	}
}

func (s *supervisor) ioctl(request uint, p unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.listener), uintptr(request), uintptr(p)); errno != 0 {
		return errno
	}
	return nil
}

// answer decides what becomes of a call.
func (s *supervisor) answer(n *notification) response {
	through := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	o := operations[uint32(n.nr)]
	creates := o.name == "openat" && n.args[2]&unix.O_CREAT != 0 || o.name == "open" && n.args[1]&unix.O_CREAT != 0
	if !s.fault.hits(o, creates) {
		return through
	}
	path := s.file(n, o)
	if !under(path, s.roots) {
		return through
	}
	s.calls++
	if s.fault.N == 0 || s.calls < s.fault.N || s.calls > s.fault.N && !s.fault.Forever {
		return through
	}
	if s.at == "" {
		s.at = o.name + " " + path
	}
	if s.fault.Kind != ShortWrite {
		return response{id: n.id, errno: -int32(s.fault.Kind.errno())}
	}
	done, err := s.half(n, o)
	if err != nil {
		s.at = ""
		return through
	}
	return response{id: n.id, val: int64(done)}
}

// file returns the path that a call is about; empty where there is none.
func (s *supervisor) file(n *notification, o operation) string {
	base := ""
	if o.fd >= 0 && int32(n.args[o.fd]) >= 0 {
		base, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, int32(n.args[o.fd])))
	}
	if o.path < 0 {
		return base
	}
	path, err := s.text(n, n.args[o.path])
	if err != nil {
		return ""
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	if base == "" {
		base, _ = os.Readlink(fmt.Sprintf("/proc/%d/cwd", n.pid))
	}
	return filepath.Join(base, path)
}

// text reads a string of the child.
func (s *supervisor) text(n *notification, at uint64) (string, error) {
	b := make([]byte, 4096)
	m, err := s.memory(n, b, at)
	if m == 0 {
		return "", err
	}
	for i, c := range b[:m] {
		if c == 0 {
			return string(b[:i]), nil
		}
	}
	return "", syscall.ENAMETOOLONG
}

func (s *supervisor) memory(n *notification, b []byte, at uint64) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", n.pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(b, int64(at))
}

// half writes the first half of what the child wanted to write.
func (s *supervisor) half(n *notification, o operation) (int, error) {
	size := n.args[2] / 2
	if size == 0 {
		return 0, syscall.EINVAL
	}
	b := make([]byte, size)
	if m, err := s.memory(n, b, n.args[1]); uint64(m) != size {
		return 0, err
	}
	leader, err := threadGroup(n.pid)
	if err != nil {
		return 0, err
	}
	process, err := unix.PidfdOpen(leader, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, int(int32(n.args[0])), 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if o.name == "pwrite64" {
		return unix.Pwrite(fd, b, int64(n.args[3]))
	}
	return unix.Write(fd, b)
}

// threadGroup returns the process that a thread belongs to.
func threadGroup(thread uint32) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return 0, err
	}
	var group int
	for _, line := range splitLines(text) {
		if n, _ := fmt.Sscanf(line, "Tgid: %d", &group); n == 1 {
			return group, nil
		}
	}
	return 0, errors.New("no Tgid")
}
