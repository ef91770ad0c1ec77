package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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
  0  the search ended with a verdict          5  a cap of time, tokens or disk ended it early
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
	k := kindOf(err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", oneLine(hint))
	}
	if k.exit != exitInput && k.exit != exitInterrupted {
		fmt.Fprintf(stderr, "more: mergesearch explain %s\n", k.Code)
	}
	return k.exit
}

// kind is a class of errors: its code for explain, and its exit code.
type kind struct {
	topic
	exit int
	is   func(error) bool
}

// kinds lists the classes; an error belongs to the first that it is of.
var kinds = []kind{
	{topic{"interrupted", "the command was stopped by Ctrl-C or SIGTERM", "Everything that was reported done is on the disk. The same command goes on where it stopped and ends with the same result."}, exitInterrupted, func(err error) bool {
		return ended(exitInterrupted)(err) || errors.Is(err, context.Canceled) && !as[*outcome](err)
	}},
	{topic{"missing_answers", "the search ended, but more than 0.5 % of the answers are missing", "Missing answers are never counted as wrong ones, but comparisons stand on fewer items. Look at the endpoint's log, then start again with --fork."}, exitDegraded, ended(exitDegraded)},
	{topic{"budget_spent", "a cap of time, tokens or disk ended the search early", "The verdict stands on what was searched until then. Take it as it is, or raise the cap in the run file and start with --fork."}, exitBudget, ended(exitBudget)},
	{topic{"no_gain", "no candidate beats the best parent, and --require-gain was given", "The interval of the verdict shows how much could have been missed. More held-out items detect smaller gains; more methods and genes find larger ones."}, exitNoGain, ended(exitNoGain)},
	{topic{"damaged", "the store of a run is damaged", "It is never repaired in silence. The newest backup beside it, run.backup-*.db, is a run that can be resumed once it is renamed to run.db in a directory of its own. Or start again in a new directory; mergesearch check DIR lists what is wrong."}, exitDamaged, func(err error) bool { return ended(exitDamaged)(err) || as[*store.DamagedError](err) }},
	{topic{"unfit", "the machine is not fit for the work", "A port, a GPU, room on the disk or a limit of the system is missing; the line says which. mergesearch doctor looks at all of them."}, exitUnfit, as[*unfit]},
	// Whoever asked for it and in whichever file, a machine that cannot is not a mistake of the user.
	{topic{"disk", "the disk is full or failed", "What was reported done is kept. Free some space, or look at the disk's health, and start the same command again."}, exitUnfit, func(err error) bool {
		return as[*store.DiskError](err) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)
	}},
	{topic{"memory", "the system has no memory left", "Give the merge fewer threads (GOMAXPROCS) or the machine less other work, and start the same command again."}, exitUnfit, func(err error) bool { return errors.Is(err, syscall.ENOMEM) }},
	{topic{"open_files", "the system allows no more open files", "Raise the limit (ulimit -n) or end what holds them, and start the same command again. What was reported done is kept."}, exitUnfit, func(err error) bool { return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) }},
	{topic{"input", "something that was written or handed in is refused", "The line names the file, the place and what is wrong with it; the hint says what would be taken. Nothing was started."}, exitInput, as[*mergesearch.InputError]},
	{topic{"changed", "the run directory belongs to a run of other models, data, settings or version", "A run is bound to what it was started with, so that its scores stay comparable. The line lists what changed. Change it back, or start a new run with --fork."}, exitInput, as[*store.ChangedError]},
	{topic{"not_found", "the run has no such candidate, or no verdict yet", "mergesearch candidates DIR lists what there is."}, exitInput, as[*store.NotFoundError]},
	{topic{"newer_store", "the store was written by a newer mergesearch", "It was left untouched. Use the version that wrote it, or a later one."}, exitInput, as[*store.NewerError]},
	{topic{"foreign_store", "run.db is a database of another program", "It was left untouched. Choose another directory with --dir."}, exitInput, as[*store.ForeignError]},
	{topic{"candidate", "a merge cannot be built or used", "The same reason makes a candidate of a search fail, where it is only recorded. The first word of the reason is a code of its own: not_finite, degenerate or not_served."}, exitInput, as[*mergesearch.Failure]},
	{topic{"too_many_failures", "candidates failed alike, one after the other", "Going on would not help: the cause they share is in the line. Mend it and start the same command again; what was recorded is kept."}, exitBreaker, as[*search.BreakerError]},
	{topic{"locked", "another process holds the run", "Two writers are never let in. The line says which process and since when; verbs that only look work meanwhile. The lock ends with its process, there is nothing to remove."}, exitLocked, as[*store.LockedError]},
	{topic{"endpoint", "the inference server cannot be reached, does not answer as it should, or serves other weights", "No score came of it. Look at the server and its log, then start the same command again; only what was not answered is asked again."}, exitUnfit, as[*eval.EndpointError]},
	{topic{"scorer", "a task's scorer program failed", "What it printed is in the line. Run it by hand on one line of JSON, then start the same command again."}, exitUnfit, as[*eval.ScorerError]},
	{topic{"judge", "a task's judge cannot be reached or gives no grade", "Look at the judge's endpoint, then start the same command again; grades that were given are kept."}, exitUnfit, as[*eval.JudgeError]},
	{topic{"gpu", "the GPU or its driver failed", "The line has the driver's own name for it. nvidia-smi shows the GPU's state and what else uses its memory; --device cpu works without it and gives the same bits."}, exitUnfit, as[*cuda.Error]},
	{topic{"proposer", "the program outside that proposes candidates failed", "What it printed is in the line. Start the same command again when it is mended: it is asked from the beginning, and what was answered is kept."}, exitUnfit, as[*external.Error]},
	{topic{"bug", "a fault of mergesearch, or trouble it does not know", "What was recorded is kept, and the same command resumes. Please report the line, the command and the version."}, exitBug, func(error) bool { return true }},
}

// as reports whether an error is, or wraps, an E.
func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// ended is the class of outcomes with that exit code.
func ended(code int) func(error) bool {
	return func(err error) bool {
		var o *outcome
		return errors.As(err, &o) && o.code == code
	}
}

func kindOf(err error) *kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.is(err) })
	return &kinds[i] // the last is of every error
}

func codeOf(err error) int { return kindOf(err).exit }

// ofMachine reports whether the operating system said that the machine cannot do what
// is asked.
func ofMachine(err error) bool {
	return slices.ContainsFunc(machineErrors, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

var machineErrors = []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}

func hintOf(err error) string {
	var input *mergesearch.InputError
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "allow more open files (ulimit -n), or end what holds them, and start the same command again; what was recorded is kept"
	case errors.As(err, &input) && !ofMachine(err):
		return cmp.Or(input.Hint, usualHint(input))
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
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free some space and start the same command again; what was recorded is kept"
	case errors.Is(err, syscall.EIO):
		return "look at the system log, then start the same command again; what was recorded is kept"
	case errors.Is(err, syscall.ENOMEM):
		return "free some memory and start the same command again; what was recorded is kept"
	}
	if codeOf(err) == exitBug {
		return "this is a bug in mergesearch, or trouble it does not know; what was recorded is kept, and the same command resumes"
	}
	return ""
}

// usualHint says what to do about a refusal that does not say it itself.
func usualHint(in *mergesearch.InputError) string {
	switch name := filepath.Base(in.File); {
	case strings.HasPrefix(in.Field, "--"):
		return "--help after the command lists its flags and what they take"
	case strings.HasPrefix(name, "tokenizer") || strings.HasSuffix(name, "config.json") || strings.HasPrefix(name, "chat_template"):
		return "copy or download the file again from where the model came from"
	case slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name)):
		return "configs/ holds run files, recipes and tasks that work, with comments"
	case slices.Contains([]string{".json", ".jsonl", ".csv", ".parquet", ".gz", ".zst"}, filepath.Ext(name)):
		return "the task file says what the data is read as: JSON, JSON lines, CSV or parquet"
	}
	return "mergesearch explain input says what such a refusal means"
}

// oneLine makes a message safe for a terminal and keeps it on one line.
func oneLine(s string) string {
	return report.Plain(withoutKeys(strings.Join(strings.Fields(s), " ")))
}
