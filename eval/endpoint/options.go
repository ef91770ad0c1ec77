package endpoint

import (
	"context"
	"time"

	"mergesearch"
	"mergesearch/eval"
)

// ServerOptions say how to run or reach inference servers.
type ServerOptions struct {
	// URLs of servers that run already, each with the name of its model in Model.
	// They are never stopped or started. Empty: servers are started here.
	URLs   []string
	Model  string // at URLs
	APIKey string // at URLs; empty for none

	// Command is the program and its first arguments; nil: that of the kind, found
	// in PATH. Args are added at the end, such as "--max-model-len", "4096".
	Command, Args []string

	// Servers is how many are started; 0: one, or as many as Devices.
	Servers int
	// Devices holds what each server gets as CUDA_VISIBLE_DEVICES; nil: all see all.
	Devices []string
	// Environment of this process; servers get the part of it that is known to
	// matter to them (paths, CUDA_, VLLM_ and so on), and the names in Pass.
	Environment, Pass []string

	// Parents are two models of the family with different weights. The first is
	// what servers start with; the two are swapped in turns to see whether swapping
	// works and how far answers repeat.
	Parents []mergesearch.Candidate

	// Write puts a candidate that has no directory into a new one, complete when it
	// returns; WriteGGUF does so with a file for llama.cpp. Nil: every candidate
	// must have a directory (or, for llama.cpp, cannot be served).
	Write, WriteGGUF func(ctx context.Context, c mergesearch.Candidate, path string) error

	// Storage is the directory below which candidates are written, two for each
	// server at most; empty: memory-backed storage where there is some.
	Storage string

	// LoadOnce scores a new candidate after one load. Otherwise a candidate that
	// was changed in a running server is loaded twice and must answer alike: a load
	// that went wrong once, half-way or under other names, cannot be told from an
	// unknown candidate in another way.
	LoadOnce bool

	// Swapped is called after every change of weights. Nil: nobody is told.
	Swapped func(SwapReport)

	Limits Limits

	kind  string
	env   []string
	check func(path string) error
	write func(ctx context.Context, c mergesearch.Candidate, path string) error
	file  string // name of the one file that is written; empty: a directory
	text  bool   // a server without log-probabilities will do
}

// Limits are how long things may take. Zero values take the defaults.
type Limits struct {
	Start  time.Duration // from launching a server to its first answer; 10 minutes
	Swap   time.Duration // a change of weights in a running server; 2 minutes
	Canary time.Duration // all questions that prove a change; 1 minute
	Grace  time.Duration // from SIGTERM to SIGKILL; 15 seconds
}

func (l Limits) filled() Limits {
	for at, d := range map[*time.Duration]time.Duration{&l.Start: 10 * time.Minute, &l.Swap: 2 * time.Minute, &l.Canary: time.Minute, &l.Grace: 15 * time.Second} {
		if *at == 0 {
			*at = d
		}
	}
	return l
}

// SwapReport says how one candidate came into a server.
type SwapReport struct {
	Candidate mergesearch.CandidateID
	Server    int       // place in the pool
	How       eval.Swap // SwapDisk, SwapInPlace or SwapRestart; SwapNone: it was there already
	Version   string    // of the weights, as the server reports it; may be empty
	Bytes     int64     // written for it

	// Apply is the time of the changes that came to stand, Canary that of all
	// questions; the rest of Total went into what did not.
	Apply, Canary, Total time.Duration

	// Doubt is what was seen before, and led to a restart; nil when nothing was.
	Doubt error
	// Err is why the candidate is not served after all.
	Err error
}

// Counts are what happened since the servers were opened.
type Counts struct {
	Served    int64 // sessions begun
	Swaps     int64 // changes in a running server
	Restarts  int64 // after the first start
	Doubts    int64 // answers that were not believed; each led to a restart or a retry
	Voided    int64 // sessions whose answers must not count
	Lost      int64 // servers given up
	Requests  int64 // for completions that passed
	NotServed int64 // candidates that no server could serve, by their own fault
}
