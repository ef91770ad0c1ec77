package eval_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/eval"
)

var bench = mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}, {Task: "b", Weight: 3}}}

// outcomesOf names the values of tasks a and b.
func outcomesOf(a, b []float64) []mergesearch.Outcome {
	var out []mergesearch.Outcome
	for i, v := range a {
		out = append(out, mergesearch.Outcome{Item: mergesearch.ItemID(fmt.Sprintf("a/%d", i)), Value: v})
	}
	for i, v := range b {
		out = append(out, mergesearch.Outcome{Item: mergesearch.ItemID(fmt.Sprintf("b/%d", i)), Value: v})
	}
	return out
}

func compare(t interface {
	Helper()
	Fatal(...any)
}, a, b []mergesearch.Outcome,
) mergesearch.Comparison {
	t.Helper()
	c, err := eval.Judge{Benchmark: bench, Resamples: 1000}.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The laws of a paired comparison.
func TestCompareLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]float64{0, 0.5, 1})
		n, m := rapid.IntRange(1, 40).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "m")
		draw := func(label string) []mergesearch.Outcome {
			return outcomesOf(rapid.SliceOfN(value, n, n).Draw(t, label+"a"), rapid.SliceOfN(value, m, m).Draw(t, label+"b"))
		}
		a, b := draw("first "), draw("second ")
		c := compare(t, a, b)
		x, _ := bench.Score(a, "")
		y, _ := bench.Score(b, "")
		if math.Abs(c.Gain-(x.Fitness-y.Fitness)) > 1e-12 || c.Items != n+m {
			t.Fatalf("gain %v, fitnesses %v and %v", c.Gain, x.Fitness, y.Fitness)
		}
		if !(c.CILow <= c.Gain+1e-12 && c.Gain <= c.CIHigh+1e-12 && c.CILow >= -1 && c.CIHigh <= 1 && c.PValue > 0 && c.PValue <= 1) {
			t.Fatalf("%+v", c)
		}
		mirrored := compare(t, b, a)
		if math.Abs(mirrored.CILow+c.CIHigh) > 1e-12 || math.Abs(mirrored.CIHigh+c.CILow) > 1e-12 || mirrored.PValue != c.PValue {
			t.Fatalf("%+v mirrored is %+v", c, mirrored)
		}
		shuffled := rapid.Permutation(a).Draw(t, "order")
		if again := compare(t, shuffled, b); again != c {
			t.Fatalf("another order gives %+v, not %+v", again, c)
		}
		// That no item tells two models apart is no proof that none would.
		if same := compare(t, a, a); same.Gain != 0 || same.CILow != -same.CIHigh || !(same.CIHigh > 0) || same.PValue != 1 || same.Ahead() {
			t.Fatalf("a model against itself: %+v", same)
		}
	})
}

func TestCompareRefuses(t *testing.T) {
	a := outcomesOf([]float64{1, 0}, []float64{1})
	for name, b := range map[string][]mergesearch.Outcome{
		"fewer items":  a[:2],
		"other items":  {{Item: "a/0"}, {Item: "a/7"}, {Item: "b/0"}},
		"item twice":   {{Item: "a/0"}, {Item: "a/0"}, {Item: "b/0"}},
		"not a number": {{Item: "a/0", Value: math.NaN()}, {Item: "a/1"}, {Item: "b/0"}},
	} {
		if c, err := (eval.Judge{Benchmark: bench}).Compare(a, b); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	for name, both := range map[string][]mergesearch.Outcome{
		"foreign task": outcomesOf([]float64{1}, []float64{1}), "task without items": outcomesOf([]float64{1}, nil),
	} {
		if name == "foreign task" {
			both = append(both, mergesearch.Outcome{Item: "c/0"})
		}
		if c, err := (eval.Judge{Benchmark: bench}).Compare(both, both); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// Exact values: with four equal gains in one task of one item each way, two of
// sixteen sign patterns are as far from zero.
func TestSignFlipsExact(t *testing.T) {
	one := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}}}
	c, err := eval.Judge{Benchmark: one}.Compare(outcomesOf([]float64{1, 1, 1, 1}, nil), outcomesOf([]float64{0, 0, 0, 0}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(c.PValue-2.0/16) > 0.01 || c.Gain != 1 || c.CILow != 0.5 || c.CIHigh != 1 || c.Ahead() {
		t.Errorf("%+v, want p = 1/8 and two items in doubt", c)
	}
}

// Few items decide by what they might have shown: won without a loss, four or five of
// thirty are no gain, as McNemar's exact test has it (p = 1/8 and 1/16); six are.
func TestFewWinsAreNoGain(t *testing.T) {
	one := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}}}
	for wins, ahead := range map[int]bool{3: false, 4: false, 5: false, 6: true, 9: true} {
		a, b := make([]float64, 30), make([]float64, 30)
		for i := range wins {
			a[i] = 1
		}
		c, err := eval.Judge{Benchmark: one}.Compare(outcomesOf(a, nil), outcomesOf(b, nil))
		if err != nil {
			t.Fatal(err)
		}
		if c.Ahead() != ahead || (c.CILow > 0) != ahead {
			t.Errorf("%d wins: %+v", wins, c)
		}
	}
}

// With the worst task as the aim the gain is that of the fitness, which is no mean of
// differences.
func TestCompareWorstTask(t *testing.T) {
	worst := bench
	worst.Aim = mergesearch.WorstTask
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]float64{0, 0.5, 1})
		n, m := rapid.IntRange(1, 40).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "m")
		draw := func(label string) []mergesearch.Outcome {
			return outcomesOf(rapid.SliceOfN(value, n, n).Draw(t, label+"a"), rapid.SliceOfN(value, m, m).Draw(t, label+"b"))
		}
		a, b := draw("first "), draw("second ")
		c, err := eval.Judge{Benchmark: worst, Resamples: 400}.Compare(a, b)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := worst.Score(a, "")
		y, _ := worst.Score(b, "")
		if math.Abs(c.Gain-(x.Fitness-y.Fitness)) > 1e-12 || c.Items != n+m {
			t.Fatalf("gain %v, fitnesses %v and %v", c.Gain, x.Fitness, y.Fitness)
		}
		if !(c.CILow <= c.Gain && c.Gain <= c.CIHigh && c.CILow >= -1 && c.CIHigh <= 1 && c.PValue > 0 && c.PValue <= 1) {
			t.Fatalf("%+v", c)
		}
		mirrored, err := eval.Judge{Benchmark: worst, Resamples: 400}.Compare(b, a)
		if err != nil || math.Abs(mirrored.CILow+c.CIHigh) > 1e-12 || mirrored.PValue != c.PValue {
			t.Fatalf("%+v mirrored is %+v, %v", c, mirrored, err)
		}
	})
}

// Over simulated pairs of models the interval covers the true gain about as often
// as it says, and under no difference the p-value is below 5 % about that often.
func TestCompareCalibrated(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	const trials = 600
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(p float64) float64 {
		if random.Float64() < p {
			return 1
		}
		return 0
	}
	// Pairs as merges of the same parents make them: most items are answered alike.
	pair := func(n int, up, down float64) (a, b []float64) {
		for range n {
			x := pick(0.6)
			y := x
			if x == 0 && random.Float64() < up {
				y = 1
			} else if x == 1 && random.Float64() < down {
				y = 0
			}
			a, b = append(a, y), append(b, x)
		}
		return a, b
	}
	covered, rejected := 0, 0
	truth := (0.4*0.3-0.6*0.05)/4 + 3*(0.4*0.1-0.6*0.05)/4
	for range trials {
		a1, b1 := pair(60, 0.3, 0.05)
		a2, b2 := pair(120, 0.1, 0.05)
		if c := compare(t, outcomesOf(a1, a2), outcomesOf(b1, b2)); c.CILow <= truth && truth <= c.CIHigh {
			covered++
		}
		a1, b1 = pair(60, 0.15, 0.1)
		a2, b2 = pair(120, 0.15, 0.1) // 0.4 * 0.15 = 0.6 * 0.1: no gain
		if compare(t, outcomesOf(a1, a2), outcomesOf(b1, b2)).PValue < 0.05 {
			rejected++
		}
	}
	// Four standard errors of a proportion of 600: 0.036.
	if f := float64(covered) / trials; f < 0.91 || f > 0.986 {
		t.Errorf("the interval covers the truth in %.3f of the trials, want 0.95", f)
	}
	if f := float64(rejected) / trials; f > 0.086 {
		t.Errorf("p < 0.05 without a difference in %.3f of the trials", f)
	}
	t.Logf("covered %d, rejected %d of %d", covered, rejected, trials)
}

func BenchmarkCompare(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 4))
	values := func() []float64 {
		out := make([]float64, 500)
		for i := range out {
			out[i] = float64(random.IntN(2))
		}
		return out
	}
	x, y := outcomesOf(values(), values()), outcomesOf(values(), values())
	for b.Loop() {
		if _, err := (eval.Judge{Benchmark: bench}).Compare(x, y); err != nil {
			b.Fatal(err)
		}
	}
}
