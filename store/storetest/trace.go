package storetest

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Trace is what a process asked of the file system and reported, in order.
type Trace struct {
	root  string
	Calls []Call
}

// Call is a system call that succeeded.
type Call struct {
	name string
	args []string // as strace writes them; strings decoded
	ret  int
}

// traced are the system calls that change files, or say which file a number means.
const traced = "openat,close,dup,dup2,dup3,fcntl,lseek,pwrite64,write,writev,ftruncate,fsync,fdatasync,unlink,unlinkat,rmdir,mkdir,mkdirat,rename,renameat,renameat2,fallocate"

var (
	wholeLine  = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	unfinished = regexp.MustCompile(`^(\d+) +(\w+\(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	encoded    = regexp.MustCompile(`^"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?$`)
)

// Record runs a command to its end under strace. Only what happens below root, an
// absolute path that exists, is looked at later. The command is changed. The error
// is that of strace or of the command.
func Record(c *exec.Cmd, root string) (Trace, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return Trace{}, err
	}
	dir, err := os.MkdirTemp("", "trace-")
	if err != nil {
		return Trace{}, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "trace")
	c.Args = append([]string{strace, "-f", "--seccomp-bpf", "-qq", "-xx", "-s", "20000000", "-o", file, "-e", "trace=" + traced, c.Path}, c.Args[1:]...)
	c.Path = strace
	if out, err := c.Output(); err != nil {
		return Trace{}, fmt.Errorf("strace: %w %s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		return Trace{}, err
	}
	defer f.Close()
	x := Trace{root: root}
	begun := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 128<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[2]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = m[1] + " " + begun[m[1]] + m[2]
		}
		m := wholeLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if ret, _ := strconv.Atoi(m[4]); ret >= 0 {
			args, err := decode(m[3])
			if err != nil {
				return Trace{}, err
			}
			x.Calls = append(x.Calls, Call{name: m[2], args: args, ret: ret})
		}
	}
	return x, lines.Err()
}

// Then returns what two processes asked, one after the other.
func (x Trace) Then(y Trace) Trace {
	calls := append(x.Calls[:len(x.Calls):len(x.Calls)], Call{name: exited})
	return Trace{root: x.root, Calls: append(calls, y.Calls...)}
}

// exited stands for the end of a process.
const exited = "exit"

func decode(args string) ([]string, error) {
	out := strings.Split(args, ", ")
	for i, a := range out {
		if m := encoded.FindStringSubmatch(a); m != nil {
			b, err := hex.DecodeString(strings.ReplaceAll(m[1], `\x`, ""))
			if err != nil || m[2] != "" {
				return nil, fmt.Errorf("an argument was cut: %.40q %v", a, err)
			}
			out[i] = string(b)
		}
	}
	return out, nil
}
