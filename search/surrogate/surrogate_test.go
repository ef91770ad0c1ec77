package surrogate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"mergesearch/search/surrogate"
)

// world has items that turn at a difficulty, and an ability that is best where every
// coordinate is 0.7.
type world struct {
	model        *surrogate.Model
	difficulties []float64
	rng          *rand.Rand
}

func newWorld(d int) *world {
	w := &world{rng: rand.New(rand.NewPCG(1, 2))}
	tasks := make([]int, 80)
	for i := range tasks {
		tasks[i] = i % 2
		w.difficulties = append(w.difficulties, 1.3*w.rng.NormFloat64())
	}
	origin, track := make([]float64, d), make([]int, d)
	for j := range d {
		origin[j], track[j] = 0.5, j
	}
	w.model = surrogate.New(tasks, []float64{1, 2}, surrogate.NewBasis(origin, [][]int{track}))
	return w
}

func ability(x []float64) float64 {
	a := 1.0
	for _, v := range x {
		a -= 8 / float64(len(x)) * (v - 0.7) * (v - 0.7)
	}
	return a
}

func (w *world) answer(x []float64, items ...int) []surrogate.Observation {
	var out []surrogate.Observation
	for _, i := range items {
		o := surrogate.Observation{Item: i, Weight: 1}
		if ability(x) > w.difficulties[i] {
			o.Value = 1
		}
		out = append(out, o)
	}
	return out
}

func (w *world) ask(candidates, items int) {
	for range candidates {
		x := make([]float64, 6)
		for j := range x {
			x[j] = min(1, max(0, 0.5+0.15*w.rng.NormFloat64()))
		}
		w.model.Add(x, w.answer(x, w.rng.Perm(80)[:items]...))
	}
	w.model.Fit()
}

// From 1,500 right and wrong answers the model finds where abilities are highest, and
// the level there.
func TestModelFindsTheMaximum(t *testing.T) {
	w := newWorld(6)
	for range 5 {
		w.ask(20, 15)
	}
	middle := []float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5}
	best := w.model.Maximise(middle, 1)
	if gain := (ability(best) - ability(middle)) / (1 - ability(middle)); gain < 0.7 {
		t.Errorf("closed %.2f of the gap, at %.2f", gain, best)
	}
	near := w.model.Maximise(middle, 0.05)
	for j := range near {
		if math.Abs(near[j]-0.5) > 0.05+1e-12 {
			t.Errorf("went %v beyond its reach", near[j])
		}
	}
	if a, b, c := w.model.Fitness(middle), w.model.Fitness(near), w.model.Fitness(best); !(a <= b && b <= c) {
		t.Errorf("fitness %v, %v, %v does not climb", a, b, c)
	}
}

// The level's error is that of moving each task's ability by its own.
func TestUncertain(t *testing.T) {
	w := newWorld(6)
	w.ask(40, 20)
	for _, worst := range []bool{false, true} {
		w.model.Worst = worst
		level, stderr := w.model.Uncertain([]float64{0.3, -0.2}, []float64{0.04, 0.09})
		at := w.model.Level([]float64{0.3, -0.2})
		want := math.Hypot(w.model.Level([]float64{0.5, -0.2})-at, w.model.Level([]float64{0.3, 0.1})-at)
		if level != at || math.Abs(stderr-want) > 1e-12 || !(stderr > 0) {
			t.Errorf("level %v with %v, want %v with %v", level, stderr, at, want)
		}
	}
}

// The items that tell most stand where the candidates do.
func TestInformativeItemsAreUndecided(t *testing.T) {
	w := newWorld(6)
	w.ask(100, 20)
	mean, _ := w.model.Abilities([]float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5})
	truth := ability([]float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5})
	distance := func(items []int) (sum float64) {
		for _, i := range items {
			sum += math.Abs(w.difficulties[i]-truth) / float64(len(items))
		}
		return sum
	}
	order := w.model.Informative(0, mean[0]-0.2, mean[0]+0.2)
	if len(order) != 40 {
		t.Fatalf("%d items of a task of 40", len(order))
	}
	if first, last := distance(order[:8]), distance(order[32:]); first > last/2 {
		t.Errorf("the first lie %.2f from the abilities, the last %.2f", first, last)
	}
}

// Whoever answers more rightly has the higher level, and without an answer that of
// the average.
func TestLocate(t *testing.T) {
	w := newWorld(6)
	w.ask(60, 20)
	high, low := []float64{0.7, 0.7, 0.7, 0.7, 0.7, 0.7}, []float64{0.3, 0.3, 0.3, 0.3, 0.3, 0.3}
	all := w.rng.Perm(80)
	a, _ := w.model.Locate(w.answer(high, all...))
	b, _ := w.model.Locate(w.answer(low, all...))
	none, wide := w.model.Locate(nil)
	if _, narrow := w.model.Locate(w.answer(high, all...)); narrow[0] >= wide[0] {
		t.Errorf("answers leave the variance at %v, none at %v", narrow[0], wide[0])
	}
	if x, y, z := w.model.Level(a), w.model.Level(none), w.model.Level(b); !(x > y && y > z) {
		t.Errorf("levels %v, %v, %v", x, y, z)
	}
}

// A smooth minimum is at most the worst task's value, and follows it.
func TestWorstTask(t *testing.T) {
	w := newWorld(6)
	w.ask(60, 20)
	mean := w.model.Level([]float64{0, 1})
	w.model.Worst = true
	worst := w.model.Level([]float64{0, 1})
	if !(worst < mean) || w.model.Level([]float64{0, 1}) >= w.model.Level([]float64{0.5, 1}) {
		t.Errorf("worst %v, mean %v", worst, mean)
	}
}

// A model without an answer, and one of all wrong answers, is finite.
func TestNothingIsKnown(t *testing.T) {
	w := newWorld(6)
	w.model.Fit()
	x := []float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5}
	for range 2 {
		if f := w.model.Fitness(w.model.Maximise(x, 1)); math.IsNaN(f) || f < 0 || f > 1 {
			t.Fatalf("fitness %v", f)
		}
		var wrong []surrogate.Observation
		for i := range 80 {
			wrong = append(wrong, surrogate.Observation{Item: i, Weight: 1})
		}
		w.model.Add(x, wrong)
		w.model.Add(nil, wrong)
		w.model.Fit()
	}
}
