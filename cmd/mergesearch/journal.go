package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/search"
	"mergesearch/store"
)

// The kinds of the events that the command writes. docs/design/run-directory.md lists
// them with those of the loop.
const (
	eventStarted     = "started"
	eventResumed     = "resumed"
	eventCrash       = "crash"
	eventInterrupted = "interrupted"
	eventFault       = "fault"
	eventVerdict     = "verdict"
	eventCheckpoint  = "checkpoint"
	eventDiskShort   = "disk_short"
	eventDiskEnough  = "disk_enough"
	eventClock       = "clock_jump"
	eventSuspended   = "suspended"
	eventStopped     = "process_stopped"
	eventStorm       = "retry_storm"
	eventCalm        = "retry_calm"
	eventRestarted   = "server_restarted"
	eventLost        = "server_lost"
	eventAway        = "endpoint_away"
	eventBack        = "endpoint_back"
	eventDrift       = "drift"
)

var (
	_ search.Recorder = (*journal)(nil)
	_ search.Journal  = (*journal)(nil)
)

// journal is the store as the loop sees it: it waits where the disk is full, and says
// in one line each what changed a decision.
type journal struct {
	*store.DB
	line  *statusLine
	began time.Time
	disk  *diskGuard
}

// Begin implements search.Recorder.
func (j *journal) Begin(ctx context.Context, t mergesearch.Trial, genome string) error {
	return j.disk.retry(ctx, func() error { return j.DB.Begin(ctx, t, genome) })
}

// Answered implements search.Recorder.
func (j *journal) Answered(ctx context.Context, t mergesearch.Trial, split mergesearch.Split, outcomes []mergesearch.Outcome) error {
	return j.disk.retry(ctx, func() error { return j.DB.Answered(ctx, t, split, outcomes) })
}

// Finish implements search.Recorder.
func (j *journal) Finish(ctx context.Context, t mergesearch.Trial) error {
	return j.disk.retry(ctx, func() error { return j.DB.Finish(ctx, t) })
}

// Stop implements search.Recorder.
func (j *journal) Stop(ctx context.Context, trials int) error {
	return j.disk.retry(ctx, func() error { return j.DB.Stop(ctx, trials) })
}

// Event implements search.Recorder.
func (j *journal) Event(ctx context.Context, kind string, attrs map[string]any) error {
	err := j.disk.retry(ctx, func() error { return j.DB.Event(ctx, kind, attrs) })
	if err == nil {
		j.tell(kind, attrs)
	}
	return err
}

// Once implements search.Journal.
func (j *journal) Once(ctx context.Context, kind, key string, attrs map[string]any) error {
	var fresh bool
	err := j.disk.retry(ctx, func() (err error) {
		fresh, err = j.DB.Once(ctx, kind, key, attrs)
		return err
	})
	if err == nil && fresh {
		j.tell(kind, attrs)
	}
	return err
}

// aside writes an event that nothing depends on: one that cannot be written is said
// all the same. On a full disk it takes the reserve, and does not wait.
func (j *journal) aside(kind string, attrs map[string]any) {
	j.tell(kind, attrs)
	ctx := context.Background()
	if err := j.DB.Event(ctx, kind, attrs); noSpace(err) {
		_ = os.Remove(filepath.Join(j.disk.dir, reserveName))
		_ = j.DB.Event(ctx, kind, attrs)
	}
}

// tell says an event.
func (j *journal) tell(kind string, attrs map[string]any) {
	if text := describe(kind, attrs); text != "" {
		j.line.say("%6s  %s", since(j.began), oneLine(text))
	}
}

// describe puts an event into words; what the status line says anyway has none.
func describe(kind string, a map[string]any) string {
	bytes := func(name string) string {
		n, _ := a[name].(int64)
		return bytesText(n)
	}
	switch kind {
	case search.EventBest:
		return fmt.Sprintf("%v is the best so far: %.3f ± %.3f (best parent %.3f)", a["candidate"], a["fitness"], a["stderr"], a["best_parent"])
	case search.EventQuarantine:
		return fmt.Sprintf("%v is set aside: %v: %v", a["candidate"], a["reason"], a["text"])
	case search.EventBudget:
		if a["limit"] == nil {
			return fmt.Sprintf("the budget of %v is spent", a["of"])
		}
		return fmt.Sprintf("%v %% of the budget of %v is spent: %.4g of %.4g", a["percent"], a["of"], a["spent"], a["limit"])
	case search.EventFinalist:
		return fmt.Sprintf("%v cannot answer %v items and is left out: %v: %v", a["candidate"], a["split"], a["reason"], a["text"])
	case eventResumed:
		return fmt.Sprintf("resumed with %v trials on record", a["trials"])
	case eventCrash:
		return fmt.Sprint(a["text"])
	case eventCheckpoint:
		return fmt.Sprintf("the winner's checkpoint is in %v", a["out"])
	case eventDiskShort:
		return fmt.Sprintf("waiting for disk space: %s has %s free, %s are wanted; it goes on by itself", report.Plain(fmt.Sprint(a["dir"])), bytes("free"), bytes("wanted"))
	case eventDiskEnough:
		return fmt.Sprintf("going on: %s are free after %.0f s", bytes("free"), a["seconds"])
	case eventClock:
		return fmt.Sprintf("the clock was moved by %+.0f s; times and deadlines are not affected", a["seconds"])
	case eventSuspended:
		return fmt.Sprintf("the machine slept for %.0f s, which count for no deadline", a["seconds"])
	case eventStopped:
		return fmt.Sprintf("this process stood still for %.0f s", a["seconds"])
	case eventStorm:
		return fmt.Sprintf("%v of %v requests of the last minute had to be sent again: the endpoint is in trouble", a["retried"], a["sent"])
	case eventCalm:
		return "requests get through again"
	case eventRestarted:
		return fmt.Sprintf("server %v was started again for %v: %v", a["server"], a["candidate"], a["why"])
	case eventLost:
		return fmt.Sprintf("server %v failed with %v: %v", a["server"], a["candidate"], a["why"])
	case eventAway:
		return fmt.Sprintf("waiting for the endpoint, %s at most: %v", outagePatience, a["text"])
	case eventBack:
		return fmt.Sprintf("the endpoint answers again after %.0f s", a["seconds"])
	case eventDrift:
		if a["alarm"] == true {
			return fmt.Sprintf("the server changed: %v of %v answers of %v differ from those on record", a["changed"], a["items"], a["candidate"])
		}
	}
	return ""
}
