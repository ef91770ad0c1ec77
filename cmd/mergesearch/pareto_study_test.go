package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/search"
	"mergesearch/search/pareto"
	"mergesearch/search/searchtest"
)

// TestParetoStudy compares the fronts of three ways to spend the same answers to
// search items on the quickstart: NSGA-II, weighted sums that share them, and one
// search for the mean. The environment names the number of seeds; each takes minutes.
// docs/log/pareto-quickstart.md keeps the results.
func TestParetoStudy(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("MERGESEARCH_PARETO_STUDY"))
	for seed := 1; seed <= seeds; seed++ {
		for _, way := range []struct {
			name, algorithm, objective string
			weights                    [][]float64
		}{
			{"nsga2", "nsga2", "pareto", [][]float64{{1, 1, 1}}},
			{"weighted sums", "ga", "", [][]float64{{1, 1, 1}, {4, 1, 1}, {1, 4, 1}, {1, 1, 4}}},
			{"mean", "ga", "", [][]float64{{1, 1, 1}}},
		} {
			var trials []mergesearch.Trial
			for _, weights := range way.weights {
				s := studySession(t, uint64(seed), way.algorithm, way.objective, weights)
				trials = append(trials, studyTrials(t, s, len(way.weights))...)
				s.Close()
			}
			s := studySession(t, uint64(seed), "ga", "pareto", []float64{1, 1, 1})
			members, volume := studyFront(t, s, trials)
			s.Close()
			fmt.Printf("seed %d, %s: %d recipes scored, %d on the front, hypervolume on held-out items %.4f\n", seed, way.name, len(trials), members, volume)
		}
	}
}

// studyAnswers is what each way may spend, and studyFixed what parents and usual
// recipes take of it: once, also where several runs share the rest.
const (
	studyAnswers = 40_000
	studyFixed   = 17 * 360
)

func studySession(t *testing.T, seed uint64, algorithm, objective string, weights []float64) *session {
	t.Helper()
	file, err := runfile.Read("../../configs/quickstart/pareto.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file.Seed, file.Objective, file.Algorithm = seed, objective, runfile.Algorithm{Name: algorithm, Population: 24}
	for i := range file.Tasks {
		file.Tasks[i].Weight = &weights[i]
	}
	s, err := openSession(context.Background(), file, deviceFlag{text: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// studyTrials runs a search for its share of the answers.
func studyTrials(t *testing.T, s *session, share int) []mergesearch.Trial {
	t.Helper()
	s.file.Budget = runfile.Budget{Answers: studyFixed + (studyAnswers-studyFixed)/share}
	options, err := s.options(2)
	if err != nil {
		t.Fatal(err)
	}
	recorder := searchtest.NewRecorder()
	options.Recorder = recorder
	if _, err := search.Run(context.Background(), options); err != nil {
		t.Fatal(err)
	}
	var out []mergesearch.Trial
	for _, x := range recorder.Trials() {
		if x.State == mergesearch.Scored && x.Individual.Operator != "parent" {
			out = append(out, x)
		}
	}
	return out
}

// studyFront scores the front of trials, by search items, on held-out items.
func studyFront(t *testing.T, s *session, trials []mergesearch.Trial) (members int, volume float64) {
	t.Helper()
	var items []mergesearch.ItemID
	for _, item := range s.evaluator.Items(mergesearch.HeldOutSplit) {
		items = append(items, item.ID)
	}
	var points [][]float64
	for _, i := range search.Front(s.benchmark, trials) {
		c, err := s.builder().Build(context.Background(), trials[i].ID(), trials[i].Recipe)
		if err != nil {
			t.Fatal(err)
		}
		outcomes, err := s.evaluator.Score(context.Background(), c, items)
		c.Release()
		if err != nil {
			t.Fatal(err)
		}
		score, err := s.benchmark.Score(outcomes, c.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, s.benchmark.Objectives(score))
	}
	return len(points), pareto.Hypervolume(points, []float64{0, 0, 0})
}
