package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// TestMain makes the test binary a small program that uses the store, when the
// environment says so: something to kill.
func TestMain(m *testing.M) {
	if os.Getenv("STORE_SYNCHRONOUS") == "NORMAL" {
		store.Relax()
	}
	if task := os.Getenv("STORE_HELPER"); task != "" {
		exit(helpers[task](os.Getenv("STORE_DIR")))
	}
	os.Exit(m.Run())
}

// helpers are the tasks of the small program.
var helpers = map[string]func(dir string) error{"write": helperWrite, "hold": helperHold, "limited": helperLimited}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%T: %v\n", err, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// helper returns the command that runs this binary for a task.
func helper(t *testing.T, task, dir string) *exec.Cmd {
	binary, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(t.Context(), binary)
	c.Env = append(os.Environ(), "STORE_HELPER="+task, "STORE_DIR="+dir)
	c.Stderr = os.Stderr
	return c
}

const (
	crashTrials  = 60
	crashWorkers = 3
)

var crashSample = storetest.Sample{Recipes: 45}

// helperWrite replays a run and continues it, telling of each thing when the
// store has said that it is done.
func helperWrite(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		return err
	}
	if err := db.Freeze(ctx, configuration()); err != nil {
		return err
	}
	fmt.Println("frozen")
	// Parents are begun in the order of asking, as the search does it; answers
	// come in any order.
	n := crashTrials
	if given, err := strconv.Atoi(os.Getenv("STORE_TRIALS")); err == nil {
		n = given
	}
	for i := range n {
		trial, genome := crashSample.Trial(i)
		if err := db.Begin(ctx, trial, genome); err != nil {
			return err
		}
		fmt.Println("begun", i)
	}
	indices := make(chan int)
	errs := make(chan error, crashWorkers)
	var group sync.WaitGroup
	for range crashWorkers {
		group.Go(func() {
			for i := range indices {
				if err := work(ctx, db, i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := range n {
		select {
		case indices <- i:
		case err := <-errs:
			return err
		}
	}
	close(indices)
	group.Wait()
	if _, err := db.SetEnding(ctx, store.Ending{Status: "done"}); err != nil {
		return err
	}
	fmt.Println("ended")
	return db.Close()
}

// work answers what a trial has not answered yet, in parts, and finishes it.
func work(ctx context.Context, db *store.DB, i int) error {
	trial, _ := crashSample.Trial(i)
	trial.Fingerprint = storetest.Fingerprint(trial.RecipeID)
	var all []mergesearch.Outcome
	for part, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.SearchSplit, mergesearch.HeldOutSplit} {
		o := crashSample.Outcomes(trial.RecipeID, split, part*20, 20)
		known, err := db.Known(ctx, trial.RecipeID)
		if err != nil {
			return err
		}
		if len(known.Outcomes) < 20*(part+1) {
			if err := db.Answered(ctx, trial, split, o); err != nil {
				return err
			}
		}
		fmt.Println("answered", i, 20*(part+1))
		if split == mergesearch.SearchSplit {
			all = append(all, o...)
		}
	}
	if err := db.Finish(ctx, crashSample.Finished(trial, all)); err != nil {
		return err
	}
	fmt.Println("finished", i)
	return db.Event(ctx, "finished", map[string]any{"trial": i})
}

// helperHold takes a directory and keeps it until it is told to end.
func helperHold(dir string) error {
	db, err := store.Open(context.Background(), dir, store.Options{})
	if err != nil {
		return err
	}
	fmt.Println("held")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return db.Close()
}

// helperLimited writes until files may grow no further, as on a full disk or
// over a quota, and says what it got.
func helperLimited(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	limit := &syscall.Rlimit{Cur: 600 << 10, Max: 600 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, limit); err != nil {
		return err
	}
	db, err := store.Open(context.Background(), dir, store.Options{})
	if err != nil {
		return err
	}
	n, err := fill(db)
	var disk *store.DiskError
	if !errors.As(err, &disk) || !disk.Full {
		return fmt.Errorf("after %d trials: %w", n, err)
	}
	fmt.Println("full", n)
	fmt.Println(err)
	return nil
}

// fill records trials until the store refuses, and returns how many it took.
func fill(db *store.DB) (int, error) {
	var s storetest.Sample
	for i := 0; ; i++ {
		trial, genome := s.Trial(i)
		if err := db.Begin(context.Background(), trial, genome); err != nil {
			return i, err
		}
		o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 100)
		if err := db.Answered(context.Background(), trial, mergesearch.SearchSplit, o); err != nil {
			return i, err
		}
	}
}

// told collects what a helper reported, line by line.
type told struct {
	mu    sync.Mutex
	lines []string
	grown chan struct{}
}

func listen(r io.Reader) *told {
	l := &told{grown: make(chan struct{}, 1)}
	go func() {
		s := bufio.NewScanner(r)
		for s.Scan() {
			l.mu.Lock()
			l.lines = append(l.lines, s.Text())
			l.mu.Unlock()
			select {
			case l.grown <- struct{}{}:
			default:
			}
		}
		close(l.grown)
	}()
	return l
}

// wait returns when n lines have come, or all that ever will.
func (l *told) wait(n int) {
	for l.count() < n {
		if _, ok := <-l.grown; !ok {
			return
		}
	}
}

func (l *told) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

func (l *told) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

func configuration() store.Configuration {
	return store.Configuration{
		Run: "quickstart-s1", Seed: 1<<64 - 1, Version: "0.3.1", RunFile: "configs/quickstart/run.yaml",
		Effective: `{"name": "quickstart", "budget": {"candidates": 150}, "tasks": [{"name": "add", "weight": 1}, {"name": "reverse", "weight": 0.5}], "empty": []}`,
		Models: []store.Model{
			{Name: "base", Path: "models/base", Digest: "aa", Bytes: 1000, ModTime: time.Unix(5, 7)},
			{Name: "add", Path: "models/add", Digest: "bb", Bytes: 1001},
		},
		Data: []store.Dataset{{Name: "add/search", Path: "data/add.jsonl", SHA256: "cc", Bytes: 10}},
	}
}
