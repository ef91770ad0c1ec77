package endpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// separate puts the server into a process group of its own and has the kernel end
// it when this process is gone, however that happens.
func separate(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// group puts a command into a process group of its own.
func group(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func terminate(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
func kill(c *exec.Cmd)      { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }

// marked returns the processes with the token in their environment.
func marked(token string) []int {
	mark := []byte(tokenVariable + "=" + token)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue
		}
		for v := range bytes.SplitSeq(env, []byte{0}) {
			if bytes.Equal(v, mark) {
				out = append(out, pid)
			}
		}
	}
	return out
}

// endMarked ends the processes with the token, also those that have left the
// group. One of them may be forking, so it looks again until there are none.
func endMarked(token string) {
	for range 100 {
		pids := marked(token)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// startTime returns when a process began, in clock ticks since the machine did: a
// number that a later process with the same id does not have.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// notePrefix begins the names of notes. Each holds the id and the start of the
// process of mergesearch that started the server; its name ends with the token.
const notePrefix = "mergesearch-server-"

func writeNote(dir, token string) (string, error) {
	path := filepath.Join(dir, notePrefix+token)
	return path, os.WriteFile(path, fmt.Appendf(nil, "%d %s\n", os.Getpid(), startTime(os.Getpid())), 0o600)
}

// sweep ends the servers whose mergesearch is gone, and removes their notes and
// the directories of candidates that it left.
func sweep(dir string) {
	notes, _ := filepath.Glob(filepath.Join(dir, notePrefix+"*"))
	for _, note := range notes {
		text, err := os.ReadFile(note)
		if err != nil || ownerLives(text) {
			continue
		}
		endMarked(strings.TrimPrefix(filepath.Base(note), notePrefix))
		os.Remove(note)
	}
	shelves, _ := filepath.Glob(filepath.Join(dir, shelfPrefix+"*"))
	for _, shelf := range shelves {
		text, err := os.ReadFile(filepath.Join(shelf, ownerFile))
		if err == nil && !ownerLives(text) {
			os.RemoveAll(shelf)
		}
	}
}

// owner names this process: its id, its start, and where the two mean anything.
func owner() string {
	return fmt.Sprintf("%d.%s.%s", os.Getpid(), startTime(os.Getpid()), realm())
}

// abandoned reports whether an owner is a process that is gone. One of another
// machine or container cannot be seen from here, so it is taken to live.
func abandoned(owner string) bool {
	parts := strings.Split(owner, ".")
	return len(parts) == 3 && parts[2] == realm() && !ownerLives([]byte(parts[0]+" "+parts[1]))
}

// realm names the boot of the machine and the namespace of process ids.
func realm() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	sum := sha256.Sum256(append(boot, space...))
	return hex.EncodeToString(sum[:4])
}

func ownerLives(note []byte) bool {
	var pid int
	var began string
	if n, _ := fmt.Sscan(string(note), &pid, &began); n != 2 {
		return false
	}
	return startTime(pid) == began
}
