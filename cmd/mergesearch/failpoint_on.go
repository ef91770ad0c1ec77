//go:build failpoints

package main

import (
	"context"
	"fmt"
	"os"

	"mergesearch"
	"mergesearch/cmd/internal/failpoint"
	"mergesearch/search"
)

// With -tags failpoints the program ends where the environment says and writes down
// what it does, so that kill_test.go can tell what must have survived.
var kept *failpoint.Journal

func init() {
	plan, err := failpoint.ParsePlan(os.Getenv(failpoint.PlanVariable))
	if err == nil {
		kept, err = failpoint.OpenJournal(os.Getenv(failpoint.JournalVariable))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(exitBug)
	}
	mergesearch.OnFailpoint = failpoint.New(plan, kept).Hit
}

// watched puts places around the stages of a search.
func watched(o search.Options) search.Options {
	o.Builder, o.Scorer, o.Recorder = watchedBuilder{o.Builder}, watchedScorer{o.Scorer}, watchedRecorder{o.Recorder, o.Recorder.(search.Journal)}
	return o
}

type watchedBuilder struct{ search.Builder }

func (b watchedBuilder) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	mergesearch.Failpoint("build/before")
	c, err := b.Builder.Build(ctx, id, r)
	mergesearch.Failpoint("build/after")
	return c, err
}

type watchedScorer struct{ search.Scorer }

func (s watchedScorer) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	asked := failpoint.Asked{Recipe: string(c.Recipe)}
	for _, i := range items {
		asked.Items = append(asked.Items, string(i))
	}
	kept.Write(failpoint.Entry{Asked: &asked})
	mergesearch.Failpoint("score/before")
	out, err := s.Scorer.Score(ctx, c, items)
	mergesearch.Failpoint("score/after")
	return out, err
}

type watchedRecorder struct {
	search.Recorder
	search.Journal
}

func (r watchedRecorder) Answered(ctx context.Context, t mergesearch.Trial, split mergesearch.Split, outcomes []mergesearch.Outcome) error {
	if err := r.Recorder.Answered(ctx, t, split, outcomes); err != nil {
		return err
	}
	values := map[string]float64{}
	for _, o := range outcomes {
		values[string(o.Item)] = o.Value
	}
	kept.Write(failpoint.Entry{Kept: &failpoint.Kept{Recipe: string(t.RecipeID), Values: values}})
	return nil
}
