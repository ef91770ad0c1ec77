package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
)

// TestInterruptedIsNoBug covers the commands that have no ending of their own for
// an interruption.
func TestInterruptedIsNoBug(t *testing.T) {
	var stderr bytes.Buffer
	code := exitCode(fmt.Errorf("write tensor: %w", context.Canceled), &stderr)
	want := "error: interrupted\nhint: nothing was left half-written; the same command starts again\n"
	if code != exitInterrupted || stderr.String() != want {
		t.Errorf("exit code %d, %q; want %d, %q", code, stderr.String(), exitInterrupted, want)
	}
}

func TestShellWordsAreCopiedSafely(t *testing.T) {
	for in, want := range map[string]string{
		"runs/quickstart-s1": "runs/quickstart-s1",
		"my runs":            "'my runs'",
		"it's":               `'it'\''s'`,
		"$(id)":              "'$(id)'",
		"":                   "''",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", in, got, want)
		}
	}
}

// Every exit code but success is of some class, and no two topics share a code.
func TestEveryExitCodeIsExplained(t *testing.T) {
	for _, code := range []int{exitBug, exitInput, exitDegraded, exitUnfit, exitBudget, exitBreaker, exitLocked, exitDamaged, exitNoGain, exitInterrupted} {
		if len(about(strconv.Itoa(code))) == 0 {
			t.Errorf("exit code %d is not explained", code)
		}
		if code == exitBug || code == exitInput || code == exitUnfit || code == exitBreaker || code == exitLocked {
			continue // of errors with types of their own
		}
		if got := codeOf(&outcome{code: code}); got != code {
			t.Errorf("an outcome with exit code %d has %d", code, got)
		}
	}
	seen := map[string]bool{}
	for _, e := range explained() {
		if seen[e.Code] || e.What == "" || e.Advice == "" {
			t.Errorf("%s is explained twice or not at all", e.Code)
		}
		seen[e.Code] = true
	}
}
