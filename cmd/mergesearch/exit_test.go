package main

import (
	"bytes"
	"context"
	"fmt"
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
