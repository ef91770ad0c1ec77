package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func score(values ...float64) mergesearch.Score {
	s := mergesearch.Score{StdErr: 0.0123, Fingerprint: "f"}
	for i, v := range values {
		s.Tasks = append(s.Tasks, mergesearch.TaskScore{Task: []string{"arithmetic", "a task with a long name"}[i], Value: v, StdErr: 0.02, Items: 300})
		s.Items += 300
		s.Fitness += v / float64(len(values))
	}
	return s
}

func sample() report.Summary {
	finalist := func(name string, id mergesearch.CandidateID, values ...float64) mergesearch.Finalist {
		r := mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{{Model: name}}}
		return mergesearch.Finalist{Name: name, Candidate: id, RecipeID: r.ID(), Recipe: r, Search: score(values...), HeldOut: score(values...)}
	}
	result := &mergesearch.Result{
		Best:       finalist("winner", "c0042", 0.9, 0.8),
		Parents:    []mergesearch.Finalist{finalist("base", "c0000", 0.1, 0.2), finalist("expert-\x1b[31mred", "c0001", 0.9, 0.1)},
		BestParent: "expert-\x1b[31mred",
		Baselines:  []mergesearch.Finalist{finalist("naive soup", "c0002", 0.5, 0.6)},
		Verdict: mergesearch.Verdict{
			BeatsBestParent: true,
			Comparison:      mergesearch.Comparison{Gain: 0.35, CILow: 0.31, CIHigh: 0.39, PValue: 0.0001, Items: 600},
		},
		BestBaseline:     "naive soup",
		AgainstBaselines: []mergesearch.Comparison{{Gain: 0.3, CILow: 0.25, CIHigh: 0.34, PValue: 0.0001, Items: 600}},
		AgainstParents:   []mergesearch.Comparison{{Gain: 0.7, CILow: 0.6, CIHigh: 0.8, PValue: 0.0001, Items: 600}, {Gain: 0.35, CILow: 0.31, CIHigh: 0.39, PValue: 0.0001, Items: 600}},
		Shortlist: []mergesearch.Shortlisted{
			{Candidate: "c0042", RecipeID: "r42", Search: score(0.92, 0.84), Validation: score(0.9, 0.82), BestShare: 0.83},
			{Name: "naive soup", Candidate: "c0002", RecipeID: "r2", Search: score(0.5, 0.6), Validation: score(0.5, 0.62), BestShare: 0.17},
		},
	}
	result.Best.Search = score(0.92, 0.84)
	return report.Summary{
		Run: "demo-s1", Dir: "runs/demo-s1", Status: "done", Seed: 1, Evaluations: 43, Candidates: 40, ItemAnswers: 12345,
		Elapsed: 83 * time.Second, Reached: []int{40, 12, 12}, RungItems: []int{60, 0, 240},
		Failures: map[string]int{"not_finite": 2}, StopReason: "candidates", Result: result,
		Curve:        []report.Point{{Trial: 0, Fitness: 0.5}, {Trial: 11, Fitness: 0.7}, {Trial: 30, Fitness: 0.85}},
		HeldoutPeeks: 1, PopulationHash: "abc", BestDir: "runs/demo-s1/best",
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update after looking):\n%s", name, got)
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := report.Text(&b, sample()); err != nil {
		t.Fatal(err)
	}
	golden(t, "done.txt", b.Bytes())
	for line := range strings.Lines(b.String()) {
		if strings.ContainsRune(line, '\x1b') {
			t.Errorf("a control character reaches the terminal: %q", line)
		}
	}
}

// A gain over the parent that is taken for the best is no claim while another parent
// may be as good.
func TestTextNamesTheParentThatIsNotBeaten(t *testing.T) {
	s := sample()
	s.Result.Verdict.BeatsBestParent = false
	s.Result.AgainstParents[0] = mergesearch.Comparison{Gain: 0.01, CILow: -0.02, CIHigh: 0.04, PValue: 0.4, Items: 600}
	var b bytes.Buffer
	if err := report.Text(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"does not beat the best parent", "not shown to be better than base: +1.0 points (-2.0 to +4.0)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
}

// withFront is the sample of a run with two objectives, a cost and a constraint.
func withFront() report.Summary {
	s := sample()
	gain := func(g, low, high float64) mergesearch.Comparison {
		return mergesearch.Comparison{Gain: g, CILow: low, CIHigh: high, PValue: 0.01, Items: 300}
	}
	member := func(id mergesearch.CandidateID, a, b float64, gains ...mergesearch.Comparison) mergesearch.FrontMember {
		f := s.Result.Best
		f.Name, f.Candidate, f.HeldOut = "", id, score(a, b)
		measures := func(off float64) []mergesearch.Measure {
			return []mergesearch.Measure{{Name: "arithmetic", Value: a + off, StdErr: 0.02}, {Name: "a task with a long name", Value: b + off, StdErr: 0.02}, {Name: "depth", Value: -24}}
		}
		return mergesearch.FrontMember{Finalist: f, Chosen: measures(0.01), Measures: measures(0), Gains: gains}
	}
	s.Result.Front = &mergesearch.Front{
		Objectives: []string{"arithmetic", "a task with a long name", "depth"}, BestParents: []string{"expert-\x1b[31mred", "base"},
		Reference: []float64{0, 0, -26.4}, Hypervolume: 1.9, ParentHypervolume: 0.3,
		Members: []mergesearch.FrontMember{
			member("c0042", 0.9, 0.8, gain(0, -0.01, 0.01), gain(0.6, 0.5, 0.7)), member("c0050", 0.7, 0.85, gain(-0.2, -0.3, -0.1), gain(0.65, 0.6, 0.7)),
		},
	}
	s.Result.Kept = []mergesearch.Kept{{Constraint: mergesearch.Constraint{Task: "arithmetic", Keep: 0.98, Parent: "base"}, Value: 0.9, Reference: 0.95}}
	return s
}

func TestFront(t *testing.T) {
	var text, document bytes.Buffer
	if err := report.Text(&text, withFront()); err != nil {
		t.Fatal(err)
	}
	golden(t, "front.txt", text.Bytes())
	if err := report.JSON(&document, withFront(), func(r mergesearch.Recipe) string { return "merge_method: " + r.Method + "\n" }); err != nil {
		t.Fatal(err)
	}
	golden(t, "front.json", document.Bytes())
}

func TestTextOfAnUnfinishedRun(t *testing.T) {
	s := sample()
	s.Result, s.BestDir, s.Curve, s.StopReason = nil, "", nil, "not finished"
	var b bytes.Buffer
	if err := report.Text(&b, s); err != nil {
		t.Fatal(err)
	}
	golden(t, "unfinished.txt", b.Bytes())
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, sample(), func(r mergesearch.Recipe) string { return "merge_method: " + r.Method + "\n" }); err != nil {
		t.Fatal(err)
	}
	golden(t, "done.json", b.Bytes())
	var d map[string]any
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	// The names that other programs rely on.
	for _, key := range []string{"run", "status", "seed", "evaluations", "item_answers", "best", "parents", "verdict", "baselines", "heldout_peeks", "stop_reason", "population_hash", "faults"} {
		if _, ok := d[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	for _, key := range []string{"beats_best_parent", "gain", "ci_low", "ci_high", "p_value", "items"} {
		if _, ok := d["verdict"].(map[string]any)[key]; !ok {
			t.Errorf("no verdict.%s", key)
		}
	}
	for _, key := range []string{"candidate", "recipe_id", "recipe", "fitness", "search_score", "heldout"} {
		if _, ok := d["best"].(map[string]any)[key]; !ok {
			t.Errorf("no best.%s", key)
		}
	}
}

func TestPlainStopsWhatDrivesATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain é 字":         "plain é 字",
		"a\x1b[2Jb":         "a?[2Jb",
		"line\nbreak":       "line?break",
		"bidi\u202eevil":    "bidi?evil",
		"zero\u200bwidth":   "zero?width",
		"cut \xff":          "cut ?",
		"separator\u2028up": "separator?up",
	} {
		if got := report.Plain(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
