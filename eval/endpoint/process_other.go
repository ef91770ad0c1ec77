//go:build !unix

package endpoint

import "os/exec"

func separate(*exec.Cmd)    {}
func group(*exec.Cmd)       {}
func terminate(c *exec.Cmd) { _ = c.Process.Kill() }
func kill(c *exec.Cmd)      { _ = c.Process.Kill() }

func endMarked(string) {}
func sweep(string)     {}

func writeNote(string, string) (string, error) { return "", errNoProcesses }
