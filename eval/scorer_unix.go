//go:build unix

package eval

import (
	"os/exec"
	"syscall"
)

// ownGroup gives a program a process group of its own, so that what it starts can
// be killed with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
