//go:build !unix

package endpoint

import (
	"errors"
	"os/exec"
)

var errNoProcesses = errors.New("servers can be started on Unix only; name a running one by its URL")

func separate(*exec.Cmd)    {}
func group(*exec.Cmd)       {}
func terminate(c *exec.Cmd) { _ = c.Process.Kill() }
func kill(c *exec.Cmd)      { _ = c.Process.Kill() }

func endMarked(string) {}
func sweep(string)     {}

func owner() string         { return "" }
func abandoned(string) bool { return false }

func writeNote(string, string) (string, error) { return "", errNoProcesses }
