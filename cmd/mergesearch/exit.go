package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/eval"
	"mergesearch/merge/kernel/cuda"
	"mergesearch/search"
	"mergesearch/search/external"
	"mergesearch/store"
)

// The exit codes. They are a public list: none changes its meaning.
const (
	exitDone        = 0
	exitBug         = 1
	exitInput       = 2
	exitDegraded    = 3
	exitUnfit       = 4
	exitBudget      = 5
	exitBreaker     = 6
	exitLocked      = 7
	exitDamaged     = 8
	exitNoGain      = 9
	exitInterrupted = 130
)

const exitCodeHelp = `Exit codes:
  0  the search ended with a verdict          5  a cap of time or tokens ended it early
  1  a bug                                    6  too many candidates failed alike
  2  something wrong in what was written      7  another process holds the run
  3  ended, but answers are missing           8  the store is damaged
  4  machine or endpoint not fit              9  no candidate beats the best parent
                                                 (only with --require-gain)
  130  interrupted (the same command resumes)`

// outcome ends a command that did its work with a code that is not 0.
type outcome struct {
	code int
	text string // for standard error; may be empty
	hint string
}

func (o *outcome) Error() string { return o.text }

// Hint says what to do next.
func (o *outcome) Hint() string { return o.hint }

// unfit marks trouble of the machine, the disk or the endpoint.
type unfit struct {
	err  error
	hint string
}

func (u *unfit) Error() string { return u.err.Error() }
func (u *unfit) Unwrap() error { return u.err }

// Hint says what to do next.
func (u *unfit) Hint() string { return u.hint }

// exitCode prints err as one line with a hint and returns the code for it.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	var ended *outcome
	if errors.Is(err, context.Canceled) && !errors.As(err, &ended) {
		err = &outcome{code: exitInterrupted, text: "interrupted", hint: "nothing was left half-written; the same command starts again"}
	}
	if text := oneLine(err.Error()); text != "" {
		fmt.Fprintf(stderr, "error: %s\n", text)
	}
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", oneLine(hint))
	}
	return codeOf(err)
}

func codeOf(err error) int {
	var (
		ended    *outcome
		input    *mergesearch.InputError
		breaker  *search.BreakerError
		locked   *store.LockedError
		damaged  *store.DamagedError
		newer    *store.NewerError
		foreign  *store.ForeignError
		changed  *store.ChangedError
		notFound *store.NotFoundError
		disk     *store.DiskError
		failed   *mergesearch.Failure
		machine  *unfit
		endpoint *eval.EndpointError
		scorer   *eval.ScorerError
		judge    *eval.JudgeError
		gpu      *cuda.Error
		proposer *external.Error
	)
	switch {
	case errors.As(err, &ended):
		return ended.code
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &machine):
		return exitUnfit
	case errors.As(err, &input), errors.As(err, &changed), errors.As(err, &notFound), errors.As(err, &newer), errors.As(err, &foreign), errors.As(err, &failed):
		return exitInput
	case errors.As(err, &breaker):
		return exitBreaker
	case errors.As(err, &locked):
		return exitLocked
	case errors.As(err, &damaged):
		return exitDamaged
	case errors.As(err, &endpoint), errors.As(err, &scorer), errors.As(err, &judge), errors.As(err, &gpu), errors.As(err, &proposer), errors.As(err, &disk), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENOMEM):
		return exitUnfit
	}
	return exitBug
}

func hintOf(err error) string {
	var input *mergesearch.InputError
	if errors.As(err, &input) {
		return input.Hint
	}
	var hinted interface {
		error
		Hint() string
	}
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	var endpoint *eval.EndpointError
	if errors.As(err, &endpoint) {
		return "look at the inference server, then start the same command again; what was recorded is kept"
	}
	var gpu *cuda.Error
	if errors.As(err, &gpu) {
		return "nvidia-smi shows the GPU's state and what else uses its memory; --device cpu merges without it"
	}
	if errors.Is(err, syscall.ENOSPC) {
		return "free some space and start the same command again; what was recorded is kept"
	}
	if codeOf(err) == exitBug {
		return "this is a bug in mergesearch, or trouble it does not know; what was recorded is kept, and the same command resumes"
	}
	return ""
}

// oneLine makes a message safe for a terminal and keeps it on one line.
func oneLine(s string) string {
	return report.Plain(strings.Join(strings.Fields(s), " "))
}
