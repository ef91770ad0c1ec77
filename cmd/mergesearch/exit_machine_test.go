package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"mergesearch"
)

// TestMachineIsNobodysMistake wraps what an operating system says when the machine
// fails as the readers of run files and models do: it is not what the user wrote.
func TestMachineIsNobodysMistake(t *testing.T) {
	for _, errno := range machineErrors {
		cause := &fs.PathError{Op: "open", Path: "x", Err: errno}
		for _, err := range []error{cause, fmt.Errorf("write out: %w", cause), &mergesearch.InputError{File: "x", Problem: cause.Error(), Hint: "copy it again", Cause: cause}} {
			var stderr bytes.Buffer
			code := exitCode(err, &stderr)
			if code != exitUnfit || !strings.Contains(stderr.String(), "hint: ") || strings.Contains(stderr.String(), "copy it again") {
				t.Errorf("%v: exit code %d: %s", err, code, stderr.String())
			}
		}
	}
	refused := &mergesearch.InputError{File: "x", Problem: "no such file", Cause: syscall.ENOENT}
	if code := codeOf(refused); code != exitInput {
		t.Errorf("%v: exit code %d", refused, code)
	}
}
