package inspect

import (
	"cmp"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/search/evidence"
	"mergesearch/store"
)

// Pair is two candidates on the items of one split that both answered. Everything
// in it is A against B: what A won, B lost.
type Pair struct {
	A, B  mergesearch.CandidateID
	Split mergesearch.Split

	// Fitness of each on these items, without what costs take.
	FitnessA, FitnessB float64

	// Comparison has the gain of A with its interval; its Items is 0 when there are no
	// common ones, and everything else then means nothing.
	mergesearch.Comparison

	Won, Lost, Same int
	McNemar         float64 // exact two-sided p-value of won against lost, for one look

	Tasks []TaskPair // in the order of the benchmark; those without common items are left out
	Items []ItemPair // in the order of the items' first appearance in the run
}

// TaskPair is a pair on the items of one task.
type TaskPair struct {
	Task            string
	Items           int
	A, B            float64 // means
	Won, Lost, Same int
}

// ItemPair is what two candidates answered to one item.
type ItemPair struct {
	Item mergesearch.ItemID
	A, B mergesearch.Outcome
}

// Side says whom an item speaks for.
type Side string

// The sides.
const (
	Won  Side = "won"  // A's value is higher
	Lost Side = "lost" // B's value is higher
	Same Side = "same"
)

// Side returns whom the item speaks for.
func (p ItemPair) Side() Side {
	switch cmp.Compare(p.A.Value, p.B.Value) {
	case 1:
		return Won
	case -1:
		return Lost
	}
	return Same
}

// Select returns the items of a side, of one task or of all ("").
func (p Pair) Select(side Side, task string) []ItemPair {
	var out []ItemPair
	for _, i := range p.Items {
		if i.Side() == side && (task == "" || i.Item.Task() == task) {
			out = append(out, i)
		}
	}
	return out
}

// Resamples behind an interval: of one comparison that somebody asked for, and of
// each of many, which are to be there at once.
const (
	fullResamples  = 10_000
	quickResamples = 2_000
)

// Compare compares two subjects on the items of a split that both answered.
func (r *Run) Compare(a, b Subject, split mergesearch.Split) (Pair, error) {
	return r.compare(a, b, split, fullResamples)
}

func (r *Run) compare(a, b Subject, split mergesearch.Split, resamples int) (Pair, error) {
	p := Pair{A: a.ID(), B: b.ID(), Split: split, Items: common(a.Answers, b.Answers, split)}
	tasks := map[string]*TaskPair{}
	var left, right []mergesearch.Outcome
	for _, i := range p.Items {
		t := tasks[i.Item.Task()]
		if t == nil {
			t = &TaskPair{Task: i.Item.Task()}
			tasks[t.Task] = t
		}
		t.Items++
		t.A += i.A.Value
		t.B += i.B.Value
		switch i.Side() {
		case Won:
			t.Won++
		case Lost:
			t.Lost++
		default:
			t.Same++
		}
		left, right = append(left, i.A), append(right, i.B)
	}
	b1 := r.Benchmark // of the tasks that have items
	b1.Tasks = nil
	for _, w := range r.Benchmark.Tasks {
		t := tasks[w.Task]
		if t == nil {
			continue
		}
		t.A, t.B = t.A/float64(t.Items), t.B/float64(t.Items)
		p.Won, p.Lost, p.Same = p.Won+t.Won, p.Lost+t.Lost, p.Same+t.Same
		p.Tasks = append(p.Tasks, *t)
		b1.Tasks = append(b1.Tasks, w)
	}
	p.McNemar = evidence.McNemar(p.Won, p.Lost)
	if len(b1.Tasks) == 0 {
		p.Items = nil
		return p, nil
	}
	for side, outcomes := range map[*float64][]mergesearch.Outcome{&p.FitnessA: left, &p.FitnessB: right} {
		s, err := b1.Score(outcomes, "")
		if err != nil {
			return p, err
		}
		*side = s.Fitness
	}
	var err error
	p.Comparison, err = eval.Judge{Benchmark: b1, Resamples: resamples}.Compare(left, right)
	return p, err
}

// common matches the answers to a split by item.
func common(a, b []store.Answer, split mergesearch.Split) []ItemPair {
	theirs := make(map[mergesearch.ItemID]mergesearch.Outcome, len(b))
	for _, x := range b {
		if x.Split == split {
			theirs[x.Item] = x.Outcome
		}
	}
	var out []ItemPair
	for _, x := range a {
		if y, both := theirs[x.Item]; both && x.Split == split {
			out = append(out, ItemPair{Item: x.Item, A: x.Outcome, B: y})
		}
	}
	return out
}

// Splits lists the splits of which both have answers, search items first.
func Splits(a, b Subject) []mergesearch.Split {
	var out []mergesearch.Split
	for _, s := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		of := func(x store.Answer) bool { return x.Split == s }
		if slices.ContainsFunc(a.Answers, of) && slices.ContainsFunc(b.Answers, of) {
			out = append(out, s)
		}
	}
	return out
}

// Rates are the shares of answers that say nothing of what a model knows.
type Rates struct {
	Answers                   int
	Truncated, Empty, Missing float64
}

// RatesOf returns the rates behind a score.
func RatesOf(s mergesearch.Score) Rates {
	var r Rates
	var truncated, empty, missing int
	for _, t := range s.Tasks {
		r.Answers += t.Items
		truncated += t.Truncated
		empty += t.Empty
		missing += t.Missing
	}
	if n := float64(r.Answers); n > 0 {
		r.Truncated, r.Empty, r.Missing = float64(truncated)/n, float64(empty)/n, float64(missing)/n
	}
	return r
}

// taskOrder sorts by the order of the benchmark, then by name.
func (r *Run) taskOrder(x, y string) int {
	at := func(task string) int {
		i := slices.IndexFunc(r.Benchmark.Tasks, func(w mergesearch.TaskWeight) bool { return w.Task == task })
		if i < 0 {
			return len(r.Benchmark.Tasks)
		}
		return i
	}
	return cmp.Or(cmp.Compare(at(x), at(y)), strings.Compare(x, y))
}
