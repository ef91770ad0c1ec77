package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/store"
)

// diskEvery is how often a run that waits for space looks again, and how often it
// looks at its own size.
const diskEvery = 5 * time.Second

// night is what surrounds a run from its start to its end: the journal, the line on
// the terminal, the guard of the disk, the marker of what is in flight, and backups.
type night struct {
	dir     string
	line    *statusLine
	journal *journal
	watch   *watcher
	disk    *diskGuard
	marker  *marker
	stages  *stages
	drain   <-chan struct{}
	every   time.Duration // between backups
	limit   int64         // of the run directory
	wrote   bool          // the run went on, so a backup is worth while
}

// newNight prepares a run whose store is open. End ends it.
func (s *session) newNight(ctx context.Context, c *cobra.Command, db *store.DB, dir string, f runFlags, o search.Options) (*night, error) {
	files, err := s.parentFiles()
	if err != nil {
		return nil, err
	}
	clearBackups(dir)
	n := &night{dir: dir, line: newStatusLine(c.ErrOrStderr()), every: f.backupEvery, limit: int64(s.file.Budget.Disk * 1e9)}
	if n.marker, err = newMarker(dir, files); err != nil && !noSpace(err) {
		return nil, err
	}
	n.drain = drainFrom(ctx, drainTime, n.marker.remove)
	n.disk = &diskGuard{dir: dir, need: func() int64 { return s.toCome(dir) }, free: freeBytes, limit: n.limit, every: diskEvery, drain: n.drain}
	n.journal = &journal{DB: db, line: n.line, began: time.Now(), disk: n.disk}
	n.disk.say = n.journal.aside
	s.outages.record = n.journal.aside
	n.watch = &watcher{line: n.line, began: n.journal.began}
	n.stages = &stages{Builder: o.Builder, Scorer: o.Scorer, files: files, marker: n.marker, retry: n.disk.retry}
	return n, nil
}

// toCome is what a run writes next: records, and the checkpoint of its winner.
func (s *session) toCome(dir string) int64 {
	if complete(filepath.Join(dir, "best")) {
		return recordBytes
	}
	base, _ := s.engine.Model(s.baseName())
	return base.MappedBytes() + recordBytes
}

// begin records that a process takes up the run.
func (n *night) begin(ctx context.Context, workers int) error {
	counts, err := n.journal.Counts(ctx)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	attrs := map[string]any{"version": version, "pid": os.Getpid(), "host": host, "workers": workers}
	if counts.Trials == 0 {
		return n.journal.Event(ctx, eventStarted, attrs)
	}
	attrs["trials"] = counts.Trials
	return n.journal.Event(ctx, eventResumed, attrs)
}

// look starts what looks after the run, and returns what ends it.
func (n *night) look(ctx context.Context, s *session) (stop func()) {
	n.wrote = true
	looking, cancel := context.WithCancel(ctx)
	g := &guards{
		journal: n.journal, watch: n.watch, swaps: &s.swaps, every: n.every, backup: n.backUp,
		traffic: func() (int64, int64) { return s.evaluator.Requests(), s.evaluator.Retries() },
	}
	done := make(chan struct{})
	go func() { defer close(done); g.run(looking) }()
	return func() {
		cancel()
		<-done
		n.line.done()
	}
}

// options completes those of the search.
func (n *night) options(ctx context.Context, s *session, o search.Options) search.Options {
	o.Recorder, o.Progress, o.Drain = n.journal, s.accounts.follow(ctx, n.watch.update), n.drain
	o.Builder, o.Scorer = n.stages, n.stages
	if n.limit > 0 {
		o.Full = n.disk.full
	}
	drift := s.newDrift(n.journal, n.stages, n.stages)
	o.Ready = func(ctx context.Context) error {
		if err := n.disk.ready(ctx); err != nil || drift == nil {
			return err
		}
		p := n.watch.progress()
		if p.Phase != search.PhaseSearch {
			return nil
		}
		return drift.check(ctx, p.Candidates, p.BestParent, mergesearch.Passthrough(p.BestParent.Name, s.space.DType))
	}
	return o
}

// backUp writes a backup, unless there is too little room for it.
func (n *night) backUp(ctx context.Context) error {
	info, err := os.Stat(filepath.Join(n.dir, store.FileName))
	if err != nil {
		return err
	}
	if free, err := n.disk.free(n.dir); err == nil && free < n.disk.wanted()+2*info.Size() {
		return nil
	}
	_, err = backUp(ctx, n.journal.Reader, n.dir)
	return err
}

// ended records why a process ends before the run does.
func (n *night) ended(ctx context.Context, err error) {
	var ended *outcome
	switch s := interruptedBy(ctx); {
	case errors.As(err, &ended) && ended.code == exitInterrupted:
		n.journal.aside(eventInterrupted, map[string]any{"signal": fmt.Sprint(s), "in_flight": n.marker.flying()})
	default:
		n.journal.aside(eventFault, map[string]any{"what": "run", "text": err.Error()})
	}
}

// end closes what newNight opened. The last backup is taken here, of a run that is
// done as of one that was interrupted.
func (n *night) end() {
	n.line.done()
	if n.wrote && n.every > 0 {
		if err := n.backUp(context.Background()); err != nil {
			n.line.say("no backup of the store: %s", oneLine(err.Error()))
		}
	}
	n.disk.release()
	n.marker.remove()
}
