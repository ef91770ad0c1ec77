package store_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// TestSimulation does the same random things to a store and to the plain
// recorder, legal or not, with restarts and readers in between: both must accept
// and refuse alike and end with equal contents.
func TestSimulation(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		must(t, flag.Set("rapid.checks", "30")) // every step syncs the disk
		defer func() { must(t, flag.Set("rapid.checks", f.DefValue)) }()
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "store")
		must(t, err)
		defer os.RemoveAll(dir)
		s := &simulation{dir: dir, sample: storetest.Sample{Recipes: 5}}
		s.open(t)
		t.Repeat(map[string]func(*rapid.T){
			"begin": s.begin, "answered": s.answered, "finish": s.finish, "event": s.event,
			"restart": s.restart, "": s.compare,
		})
		s.check(t)
	})
}

type simulation struct {
	dir    string
	sample storetest.Sample
	db     *store.DB
	memory storetest.Memory
}

func (s *simulation) open(t *rapid.T) {
	db, err := store.Open(context.Background(), s.dir, store.Options{})
	must(t, err)
	s.db = db
}

// trial draws a trial; now and then one that does not match its index.
func (s *simulation) trial(t *rapid.T) (mergesearch.Trial, string) {
	index := rapid.IntRange(0, 9).Draw(t, "index")
	trial, genome := s.sample.Trial(index)
	if rapid.IntRange(0, 9).Draw(t, "astray") == 0 {
		other, otherGenome := s.sample.Trial(index + 1)
		trial.Recipe, trial.RecipeID, genome = other.Recipe, other.RecipeID, otherGenome
	}
	return trial, genome
}

func (s *simulation) both(t *rapid.T, what string, db, memory error) {
	var a, b *store.DivergedError
	if (db == nil) != (memory == nil) || errors.As(db, &a) != errors.As(memory, &b) {
		t.Fatalf("%s: the store says %v, the plain recorder %v", what, db, memory)
	}
}

func (s *simulation) begin(t *rapid.T) {
	trial, genome := s.trial(t)
	s.both(t, "begin", s.db.Begin(context.Background(), trial, genome), s.memory.Begin(context.Background(), trial, genome))
}

func (s *simulation) answered(t *rapid.T) {
	index := rapid.IntRange(0, 9).Draw(t, "index")
	trial, _ := s.sample.Trial(index)
	trial.Fingerprint = rapid.SampledFrom([]string{"", storetest.Fingerprint(trial.RecipeID), "others"}).Draw(t, "weights")
	split := rapid.SampledFrom([]mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit}).Draw(t, "split")
	o := s.sample.Outcomes(trial.RecipeID, split, rapid.IntRange(0, 12).Draw(t, "first"), rapid.IntRange(0, 6).Draw(t, "n"))
	if len(o) > 0 {
		last := &o[len(o)-1]
		switch rapid.SampledFrom([]string{"", "", "", "value", "missing", "range", "twice", "split"}).Draw(t, "fault") {
		case "value":
			last.Value, last.Missing = 0.125, false
		case "missing":
			last.Value, last.Missing = 0, true
		case "range":
			last.Value = 2
		case "twice":
			o = append(o, *last)
		case "split":
			split = mergesearch.SearchSplit
		}
	}
	s.both(t, "answered", s.db.Answered(context.Background(), trial, split, o), s.memory.Answered(context.Background(), trial, split, o))
}

func (s *simulation) finish(t *rapid.T) {
	trial, _ := s.trial(t)
	trial.State = rapid.SampledFrom([]mergesearch.State{mergesearch.Scored, mergesearch.Eliminated, mergesearch.Failed, mergesearch.Cancelled}).Draw(t, "state")
	trial.Rung = rapid.IntRange(0, 1).Draw(t, "rung")
	trial.Reason.Code = rapid.SampledFrom([]string{"", "shape", "not_finite"}).Draw(t, "code")
	trial.Score = mergesearch.Score{Fitness: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "fitness"), Items: rapid.IntRange(0, 2).Draw(t, "items")}
	known, err := s.memory.Known(context.Background(), trial.RecipeID)
	must(t, err)
	trial.Score.Items = min(trial.Score.Items, len(known.Outcomes)) // else Check rightly complains
	s.both(t, "finish", s.db.Finish(context.Background(), trial), s.memory.Finish(context.Background(), trial))
}

func (s *simulation) event(t *rapid.T) {
	kind := rapid.SampledFrom([]string{"rung", "note"}).Draw(t, "kind")
	attrs := map[string]any{"text": rapid.String().Draw(t, "text")}
	s.both(t, "event", s.db.Event(context.Background(), kind, attrs), s.memory.Event(context.Background(), kind, attrs))
}

func (s *simulation) restart(t *rapid.T) {
	must(t, s.db.Close())
	s.open(t)
}

// compare looks at everything that both can show.
func (s *simulation) compare(t *rapid.T) {
	want := s.memory.Records()
	got, err := s.db.Records(context.Background())
	must(t, err)
	if a, b := mergesearch.PopulationHash(got), mergesearch.PopulationHash(want); a != b {
		t.Fatalf("population: %s", cmp.Diff(want, got))
	}
	for i := range s.sample.Recipes {
		trial, _ := s.sample.Trial(i)
		a, err := s.db.Known(context.Background(), trial.RecipeID)
		must(t, err)
		b, err := s.memory.Known(context.Background(), trial.RecipeID)
		must(t, err)
		if diff := cmp.Diff(b, a); diff != "" {
			t.Fatalf("known of recipe %d: %s", i, diff)
		}
	}
}

func (s *simulation) check(t *rapid.T) {
	events, err := s.db.Events(context.Background(), 0, 0)
	must(t, err)
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, s.memory.Events) {
		t.Errorf("events %v, want %v", kinds, s.memory.Events)
	}
	report, err := s.db.Check(context.Background())
	must(t, err)
	if len(report.Problems) > 0 {
		t.Error(strings.Join(report.Problems, "\n"))
	}
	must(t, s.db.Close())
}
