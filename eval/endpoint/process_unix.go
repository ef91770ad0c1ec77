//go:build unix && !linux

package endpoint

import (
	"os/exec"
	"syscall"
)

// Outside Linux a server is ended with its group, and nothing ends it when this
// process is killed.

func group(c *exec.Cmd)     { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
func separate(c *exec.Cmd)  { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
func terminate(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
func kill(c *exec.Cmd)      { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }

func endMarked(string)                            {}
func sweep(string)                                {}
func owner() string                               { return "" }
func abandoned(string) bool                       { return false }
func writeNote(dir, token string) (string, error) { return "", nil }
