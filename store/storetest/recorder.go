package storetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/store"
)

// Recorder is search.Recorder, which has the contract of each method.
type Recorder interface {
	Begin(ctx context.Context, t mergesearch.Trial, genome string) error
	Known(ctx context.Context, id mergesearch.RecipeID) (mergesearch.Known, error)
	Answered(ctx context.Context, t mergesearch.Trial, split mergesearch.Split, outcomes []mergesearch.Outcome) error
	Finish(ctx context.Context, t mergesearch.Trial) error
	Event(ctx context.Context, kind string, attrs map[string]any) error
}

var (
	_ Recorder = (*store.DB)(nil)
	_ Recorder = (*Memory)(nil)
)

// Run checks a recorder against the contract. Open returns an empty one for each
// case and cleans up after itself.
func Run(t *testing.T, open func(t *testing.T) Recorder) {
	for _, c := range []struct {
		rule string
		test func(t *testing.T, r Recorder)
	}{
		{"an unknown recipe is the zero value", knowsNothing},
		{"begin may be repeated and refuses what differs", beginAgain},
		{"answers come back complete and in all splits", answersComeBack},
		{"equal recipes share their answers", sharedRecipe},
		{"equal answers may be repeated, different ones are refused whole", answersOnce},
		{"what is no outcome is refused whole", refusesNonsense},
		{"an item stays in its split", oneSplit},
		{"answers of two sets of weights do not mix", oneFingerprint},
		{"a failure is known to its recipe", failureKnown},
		{"finish may be repeated and refuses another end", finishAgain},
		{"a cancelled trial may still end otherwise", cancelled},
		{"what is handed out belongs to the caller", ownCopy},
		{"events take any JSON and refuse the rest", events},
		{"calls may come at once", atOnce},
	} {
		t.Run(strings.ReplaceAll(c.rule, " ", "_"), func(t *testing.T) { c.test(t, open(t)) })
	}
}

var ctx = context.Background()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refuse(t *testing.T, err error, what string) {
	t.Helper()
	if err == nil {
		t.Fatalf("%s: accepted", what)
	}
}

func begin(t *testing.T, r Recorder, s Sample, index int) mergesearch.Trial {
	t.Helper()
	trial, genome := s.Trial(index)
	must(t, r.Begin(ctx, trial, genome))
	trial.Fingerprint = Fingerprint(trial.RecipeID)
	return trial
}

func known(t *testing.T, r Recorder, id mergesearch.RecipeID) mergesearch.Known {
	t.Helper()
	k, err := r.Known(ctx, id)
	must(t, err)
	return k
}

func knowsNothing(t *testing.T, r Recorder) {
	if k := known(t, r, "0123456789abcdef"); k.Fingerprint != "" || k.Outcomes != nil || k.Failure != nil {
		t.Errorf("got %+v", k)
	}
	trial := begin(t, r, Sample{}, 0)
	if k := known(t, r, trial.RecipeID); k.Fingerprint != "" || len(k.Outcomes) > 0 || k.Failure != nil {
		t.Errorf("after begin: got %+v", k)
	}
}

func beginAgain(t *testing.T, r Recorder) {
	begin(t, r, Sample{}, 0)
	begin(t, r, Sample{}, 0)
	first, genome := Sample{}.Trial(0)
	other, _ := Sample{}.Trial(1)
	refuse(t, r.Begin(ctx, first, genome+" "), "another genome")
	other.Index = 0
	refuse(t, r.Begin(ctx, other, genome), "another recipe")
	var d *store.DivergedError
	if _, isStore := r.(*store.DB); isStore && !errors.As(r.Begin(ctx, other, genome), &d) {
		t.Error("the error is no DivergedError")
	}
}

func answersComeBack(t *testing.T, r Recorder) {
	var s Sample
	trial := begin(t, r, s, 0)
	var want []mergesearch.Outcome
	for _, part := range []struct {
		split    mergesearch.Split
		first, n int
	}{
		{mergesearch.SearchSplit, 0, 10},
		{mergesearch.SearchSplit, 10, 30},
		{mergesearch.ValidationSplit, 0, 5},
		{mergesearch.HeldOutSplit, 0, 7},
	} {
		o := s.Outcomes(trial.RecipeID, part.split, part.first, part.n)
		must(t, r.Answered(ctx, trial, part.split, o))
		want = append(want, o...)
	}
	k := known(t, r, trial.RecipeID)
	if diff := cmp.Diff(byItem(want), byItem(k.Outcomes)); diff != "" {
		t.Error(diff)
	}
	if k.Fingerprint != trial.Fingerprint {
		t.Errorf("fingerprint %q", k.Fingerprint)
	}
}

func byItem(in []mergesearch.Outcome) []mergesearch.Outcome {
	return slices.SortedFunc(slices.Values(in), func(a, b mergesearch.Outcome) int { return strings.Compare(string(a.Item), string(b.Item)) })
}

func sharedRecipe(t *testing.T, r Recorder) {
	s := Sample{Recipes: 1}
	a, b := begin(t, r, s, 0), begin(t, r, s, 1)
	must(t, r.Answered(ctx, a, mergesearch.SearchSplit, s.Outcomes(a.RecipeID, mergesearch.SearchSplit, 0, 3)))
	must(t, r.Answered(ctx, b, mergesearch.SearchSplit, s.Outcomes(b.RecipeID, mergesearch.SearchSplit, 2, 3)))
	if n := len(known(t, r, b.RecipeID).Outcomes); n != 5 {
		t.Errorf("%d outcomes, want 5", n)
	}
}

func answersOnce(t *testing.T, r Recorder) {
	var s Sample
	trial := begin(t, r, s, 0)
	o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 6)
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, o[:4]))
	again := slices.Clone(o)
	again[0].Completion = "the text is for reading"
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, again[:3]))
	again[3].Value, again[3].Missing = math.Mod(again[3].Value+0.25, 1.25), false
	refuse(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{o[4], again[3], o[5]}), "a different answer")
	k := known(t, r, trial.RecipeID)
	if diff := cmp.Diff(byItem(o[:4]), byItem(k.Outcomes)); diff != "" {
		t.Error(diff)
	}
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, o))
	if n := len(known(t, r, trial.RecipeID).Outcomes); n != 6 {
		t.Errorf("%d outcomes, want 6", n)
	}
}

func refusesNonsense(t *testing.T, r Recorder) {
	trial := begin(t, r, Sample{}, 0)
	good := mergesearch.Outcome{Item: "task0/1", Value: 1}
	for _, v := range []float64{math.NaN(), math.Inf(1), -0.001, 1.001} {
		refuse(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{good, {Item: "task0/2", Value: v}}), "a value that is none")
	}
	refuse(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{good, {Value: 1}}), "no item")
	refuse(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{good, {Item: "task0/3", CompletionTokens: -1}}), "fewer tokens than none")
	refuse(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{good, {Item: "task0/3", Missing: true, Value: 1}}), "a missing answer with a value")
	unbegun, _ := Sample{}.Trial(3)
	refuse(t, r.Answered(ctx, unbegun, mergesearch.SearchSplit, []mergesearch.Outcome{good}), "a trial that has not begun")
	if k := known(t, r, trial.RecipeID); len(k.Outcomes) != 0 {
		t.Errorf("recorded %v", k.Outcomes)
	}
}

func oneSplit(t *testing.T, r Recorder) {
	a, b := begin(t, r, Sample{}, 0), begin(t, r, Sample{}, 1)
	o := []mergesearch.Outcome{{Item: "task0/1", Value: 1}}
	must(t, r.Answered(ctx, a, mergesearch.SearchSplit, o))
	refuse(t, r.Answered(ctx, b, mergesearch.HeldOutSplit, o), "a search item as held-out")
	must(t, r.Answered(ctx, b, mergesearch.SearchSplit, o))
}

func oneFingerprint(t *testing.T, r Recorder) {
	trial := begin(t, r, Sample{}, 0)
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{{Item: "task0/1", Value: 1}}))
	trial.Fingerprint = "others"
	refuse(t, r.Answered(ctx, trial, mergesearch.SearchSplit, []mergesearch.Outcome{{Item: "task0/2", Value: 1}}), "other weights")
	if k := known(t, r, trial.RecipeID); len(k.Outcomes) != 1 {
		t.Errorf("recorded %v", k.Outcomes)
	}
}

func failureKnown(t *testing.T, r Recorder) {
	trial := begin(t, r, Sample{}, 0)
	trial.State = mergesearch.Failed
	refuse(t, r.Finish(ctx, trial), "a failure without reason")
	trial.Reason = mergesearch.Reason{Code: "not_finite", Text: "tensor model.norm.weight: NaN at 3"}
	must(t, r.Finish(ctx, trial))
	must(t, r.Finish(ctx, trial))
	k := known(t, r, trial.RecipeID)
	if k.Failure == nil || *k.Failure != trial.Reason {
		t.Errorf("failure %+v", k.Failure)
	}
	trial.Reason.Code = "shape"
	refuse(t, r.Finish(ctx, trial), "another reason")
}

func finishAgain(t *testing.T, r Recorder) {
	var s Sample
	trial := begin(t, r, s, 0)
	o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 8)
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, o))
	done := s.Finished(trial, o)
	unbegun, _ := s.Trial(3)
	refuse(t, r.Finish(ctx, s.Finished(unbegun, o)), "a trial that has not begun")
	bad := done
	bad.Score.Fitness = math.NaN()
	refuse(t, r.Finish(ctx, bad), "a fitness that is not a number")
	must(t, r.Finish(ctx, done))
	again := done
	again.BuildSeconds, again.EvalSeconds = 0, 0 // a replay builds nothing
	must(t, r.Finish(ctx, again))
	again.Score.Fitness = math.Nextafter(again.Score.Fitness, 2)
	refuse(t, r.Finish(ctx, again), "another fitness")
	again = done
	again.State = mergesearch.Eliminated
	refuse(t, r.Finish(ctx, again), "another state")
}

func cancelled(t *testing.T, r Recorder) {
	var s Sample
	trial := begin(t, r, s, 0)
	o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 4)
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, o))
	trial.State = mergesearch.Cancelled
	must(t, r.Finish(ctx, trial))
	begin(t, r, s, 0)
	must(t, r.Finish(ctx, s.Finished(trial, o)))
	refuse(t, r.Finish(ctx, trial), "cancelled after it was scored")
}

func ownCopy(t *testing.T, r Recorder) {
	var s Sample
	trial := begin(t, r, s, 0)
	o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 4)
	must(t, r.Answered(ctx, trial, mergesearch.SearchSplit, o))
	want := slices.Clone(o)
	o[0].Value = 9
	known(t, r, trial.RecipeID).Outcomes[1].Value = 9
	if diff := cmp.Diff(byItem(want), byItem(known(t, r, trial.RecipeID).Outcomes)); diff != "" {
		t.Error(diff)
	}
}

func events(t *testing.T, r Recorder) {
	must(t, r.Event(ctx, "rung", map[string]any{"rung": 1, "kept": []string{"c0001"}, "best": 0.5}))
	must(t, r.Event(ctx, "note", nil))
	refuse(t, r.Event(ctx, "note", map[string]any{"x": math.NaN()}), "a value that JSON has no word for")
}

func atOnce(t *testing.T, r Recorder) {
	s := Sample{Recipes: 5}
	for i := range 12 {
		begin(t, r, s, i)
	}
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			trial, genome := s.Trial(i)
			trial.Fingerprint = Fingerprint(trial.RecipeID)
			o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 12)
			_, knownErr := r.Known(ctx, trial.RecipeID)
			err := errors.Join(knownErr,
				r.Begin(ctx, trial, genome),
				r.Answered(ctx, trial, mergesearch.SearchSplit, o[:6]),
				r.Event(ctx, "rung", map[string]any{"trial": i}),
				r.Answered(ctx, trial, mergesearch.SearchSplit, o),
				r.Finish(ctx, s.Finished(trial, o)))
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range 5 {
		trial, _ := s.Trial(i)
		if n := len(known(t, r, trial.RecipeID).Outcomes); n != 12 {
			t.Errorf("%s: %d outcomes, want 12", trial.ID(), n)
		}
	}
}
