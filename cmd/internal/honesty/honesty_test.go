package honesty_test

import (
	"fmt"
	"math"
	"os"
	"testing"

	"mergesearch"
	"mergesearch/cmd/internal/honesty"
)

func study(t *testing.T, gain float64, change ...func(*honesty.Study)) honesty.Counts {
	t.Helper()
	s := honesty.Study{
		Searches: 60, Seed: 7, Gain: gain, Tilt: 0.2, Items: honesty.Items{Search: 90, Validation: 60, HeldOut: 240},
		Algorithm: "ga", Candidates: 30, Resamples: 400, Workers: 2,
	}
	for _, c := range change {
		c(&s)
	}
	c, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", c)
	return c
}

// The short form of the study: what a run prints is true often enough. Its bounds are
// wide, four standard errors of 60 searches and more.
func TestVerdictsAreHonest(t *testing.T) {
	none := study(t, 0)
	if none.ClaimedFalse > 6 {
		t.Errorf("%d of %d searches claim a gain that is not there", none.ClaimedFalse, none.Searches)
	}
	if none.True > 1e-9 {
		t.Errorf("a world without better recipes has one that is better by %v", none.True)
	}
	large := study(t, 0.12)
	if large.Claimed < 45 {
		t.Errorf("a gain of 12 points is found in %d of %d searches", large.Claimed, large.Searches)
	}
	for _, c := range []honesty.Counts{none, large} {
		if math.Abs(c.Bias) > 4*c.BiasStdErr+0.003 {
			t.Errorf("printed gains are off by %.4f ± %.4f", c.Bias, c.BiasStdErr)
		}
		if c.Covered < 50 {
			t.Errorf("the interval holds the truth in %d of %d searches", c.Covered, c.Searches)
		}
		if !(c.Optimism > 0) {
			t.Errorf("the search score is not flattered (%.4f), so this study shows nothing", c.Optimism)
		}
	}
}

func TestStudyIsAFunction(t *testing.T) {
	few := func(workers int) func(*honesty.Study) {
		return func(s *honesty.Study) { s.Searches, s.Workers = 6, workers }
	}
	if a, b := study(t, 0.03, few(1)), study(t, 0.03, few(3)); a != b {
		t.Errorf("one worker: %+v, three: %+v", a, b)
	}
}

// A model's answers have the mean that its world calls the truth.
func TestWorldAnswersAsItSays(t *testing.T) {
	w := honesty.NewWorld(3, 0.05, 0.2, honesty.Items{Search: 3, Validation: 3, HeldOut: 30000})
	var items []mergesearch.ItemID
	for _, item := range w.Items(mergesearch.HeldOutSplit) {
		items = append(items, item.ID)
	}
	for _, b := range append(w.Space.Baselines(), mergesearch.Baseline{Recipe: mergesearch.Passthrough("east", w.Space.DType)}) {
		c, err := w.Build(t.Context(), "c0001", b.Recipe)
		if err != nil {
			t.Fatal(err)
		}
		outcomes, err := w.Score(t.Context(), c, items)
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.Benchmark().Score(outcomes, c.Fingerprint)
		if err != nil {
			t.Fatal(err)
		}
		truth := w.Gain(b.Recipe, "north") + 0.5
		if math.Abs(s.Fitness-truth) > 4*s.StdErr {
			t.Errorf("%s: %.4f ± %.4f over %d items, the truth is %.4f", b.Name, s.Fitness, s.StdErr, s.Items, truth)
		}
	}
}

// TestStudy is the long form; it prints what docs/log/verdict.md holds. HONESTY is the
// number of searches of each kind, and if wanted the held-out items, the gain and the
// tilt of a single kind.
//
//	HONESTY=1000 go test -timeout 2h -run TestStudy -v ./cmd/internal/honesty
//	HONESTY="1000 1600 0.03 0.2" go test -timeout 2h -run TestStudy -v ./cmd/internal/honesty
func TestStudy(t *testing.T) {
	var n, only int
	var gain, tilt float64
	fields, _ := fmt.Sscan(os.Getenv("HONESTY"), &n, &only, &gain, &tilt)
	switch fields {
	case 4:
		long(t, n, only, gain, tilt)
	case 1:
		for _, heldOut := range []int{1600, 400, 100, 30} {
			for _, tilt := range []float64{0.05, 0.2} {
				long(t, n, heldOut, 0, tilt)
				long(t, n, heldOut, 0.03, tilt)
			}
		}
	default:
		t.Skip("HONESTY does not say which study")
	}
}

func long(t *testing.T, n, heldOut int, gain, tilt float64) {
	s := honesty.Study{
		Searches: n, Seed: 1, Gain: gain, Tilt: tilt, Items: honesty.Items{Search: 240, Validation: 240, HeldOut: heldOut},
		Algorithm: "ga", Candidates: 60, Resamples: 1000, Workers: 2,
	}
	c, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	share := func(k int) float64 { return float64(k) / float64(n) }
	t.Logf("held-out %d, gain %.2f, tilt %.2f: claimed %.3f (false %.3f; of %d with the full gain %.3f), over default %.3f, bias %+.4f ± %.4f, covered %.3f, width %.3f, optimism %+.3f, true %+.4f, other parent %.3f",
		heldOut, gain, tilt, share(c.Claimed), share(c.ClaimedFalse), c.Full, float64(c.ClaimedFull)/float64(max(1, c.Full)), share(c.OverDefault), c.Bias, c.BiasStdErr, share(c.Covered), c.Width, c.Optimism, c.True, share(c.OtherParent))
}
