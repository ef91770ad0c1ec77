package search

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"mergesearch"
	"mergesearch/search/external"
)

// Brief is what there is to know when an algorithm is chosen and made. All of it
// comes from the run file, nothing from the machine, so that equal run files give
// equal runs.
type Brief struct {
	Space     *mergesearch.Space
	Benchmark mergesearch.Benchmark
	Items     []mergesearch.Item // of the search split
	Seed      uint64
	Budget    Budget
	Settings  Settings
	Dir       string // of the run file, where the command of a proposer starts
}

// Settings is what a run file may say about its algorithm, in the words of the
// run file. Zero takes the algorithm's own default.
type Settings struct {
	Population int // individuals of a cohort
	Islands    int // populations that breed apart
	Lookahead  int // cohorts asked before the first is told, for steady states

	Attraction bool // m2n2: the second parent is drawn for what the first one lacks

	Sigma     float64       // first step, as a share of each gene's range
	Separable bool          // learn no correlations
	Adapt     bool          // adapt the learning rates to the noise
	Start     string        // name of the usual recipe to start at
	Answer    string        // "mean" of the distribution, or "best" candidate seen
	Command   []string      // external: the program that proposes, and its arguments
	Timeout   time.Duration // external: of every wait for it
}

// given lists the settings that are not zero, by the names of the run file.
func (s Settings) given() []string {
	var out []string
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"population", s.Population != 0},
		{"islands", s.Islands != 0},
		{"lookahead", s.Lookahead != 0},
		{"attraction", s.Attraction},
		{"sigma", s.Sigma != 0},
		{"separable", s.Separable},
		{"adapt", s.Adapt},
		{"start", s.Start != ""},
		{"answer", s.Answer != ""},
		{"command", len(s.Command) > 0},
		{"timeout", s.Timeout != 0},
	} {
		if f.set {
			out = append(out, f.name)
		}
	}
	return out
}

// Plan is an algorithm ready to run.
type Plan struct {
	Algorithm Algorithm

	// Race, if set, is the one that goes with the algorithm where the run file
	// does not ask for one.
	Race *Race

	// Why says in one line what was chosen and for what reason, if there was a
	// choice.
	Why string
}

// entry is an algorithm of the catalogue.
type entry struct {
	settings []string // those that it takes
	create   func(Brief) (Plan, error)
}

// catalogue holds every algorithm by the name that run files use.
var catalogue = map[string]entry{
	"catcma": {[]string{"population", "sigma", "answer"}, func(b Brief) (Plan, error) {
		return plan(NewCatCMA(b.Space, b.Seed, DefaultCMAES().With(b.Settings)))
	}},
	"cmaes": {[]string{"population", "sigma", "separable", "adapt", "start", "answer"}, func(b Brief) (Plan, error) {
		return plan(NewCMAES(b.Space, b.Seed, DefaultCMAES().With(b.Settings)))
	}},
	"cycleqd": {[]string{"lookahead"}, func(b Brief) (Plan, error) {
		settings := DefaultCycleQD()
		settings.Lookahead = orElse(b.Settings.Lookahead, settings.Lookahead)
		settings.Start = b.founders(settings.Start)
		return plan(NewCycleQD(b.Space, b.Benchmark, b.Seed, settings))
	}},
	"dns": {[]string{"population", "lookahead"}, func(b Brief) (Plan, error) {
		settings := DefaultDNS().With(b.Settings)
		settings.Start = b.founders(settings.Start)
		return plan(NewDNS(b.Space, b.Benchmark, b.Seed, settings))
	}},
	"de": {[]string{"population"}, func(b Brief) (Plan, error) {
		return plan(NewDE(b.Space, b.Seed, DefaultDE().With(b.Settings).ForBudget(b.Budget.Candidates)))
	}},
	"external": {[]string{"population", "lookahead", "command", "timeout"}, func(b Brief) (Plan, error) {
		return plan(external.New(external.Options{
			Command: b.Settings.Command, Dir: b.Dir, Timeout: b.Settings.Timeout,
			Space: b.Space, Benchmark: b.Benchmark, Seed: b.Seed,
			Budget: external.Budget{
				Candidates: b.Budget.Candidates, ItemAnswers: b.Budget.ItemAnswers,
				Tokens: b.Budget.Tokens, Seconds: b.Budget.Time.Seconds(),
			},
			Population: b.Settings.Population, Lookahead: orElse(b.Settings.Lookahead, DefaultLookahead),
		}))
	}},
	"ga": {[]string{"population", "islands"}, func(b Brief) (Plan, error) {
		return plan(NewGA(b.Space, b.Seed, DefaultGA().With(b.Settings).ForBudget(b.Budget.Candidates)))
	}},
	"greedy-soup": {nil, func(b Brief) (Plan, error) { return plan(NewGreedySoup(b.Space)) }},
	"m2n2": {[]string{"population", "lookahead", "attraction"}, func(b Brief) (Plan, error) {
		settings := DefaultM2N2().With(b.Settings)
		settings.Start = b.founders(settings.Start)
		return plan(NewM2N2(b.Space, b.Benchmark, b.Seed, settings))
	}},
	"nsga2": {[]string{"population"}, func(b Brief) (Plan, error) {
		return plan(NewNSGA2(b.Space, b.Benchmark, b.Seed, DefaultNSGA2().With(b.Settings).ForBudget(b.Budget.Candidates)))
	}},
	"halton": {[]string{"population"}, func(b Brief) (Plan, error) {
		return plan(NewHalton(b.Space, b.Seed, orElse(b.Settings.Population, 24)))
	}},
	"near": {[]string{"population"}, func(b Brief) (Plan, error) {
		return plan(NewNear(b.Space, b.Seed, orElse(b.Settings.Population, 24), 0.1))
	}},
	"ridge":     {[]string{"population"}, Brief.ridge},
	"surrogate": {[]string{"population"}, Brief.surrogate},
	"random": {[]string{"population"}, func(b Brief) (Plan, error) {
		return plan(NewRandom(b.Space, b.Seed, orElse(b.Settings.Population, 24)))
	}},
	"soup": {nil, func(b Brief) (Plan, error) { return plan(NewSoup(b.Space)) }},
}

// Algorithms lists the names that New knows.
func Algorithms() []string { return slices.Sorted(maps.Keys(catalogue)) }

// New makes the named algorithm. The error is an *InputError: an unknown name, a
// setting that the algorithm does not take, or a space that it cannot search.
func New(name string, b Brief) (Plan, error) {
	e, ok := catalogue[name]
	if !ok {
		in := mergesearch.UnknownWord("algorithm", name, Algorithms())
		in.Field, in.Problem = "algorithm.name", fmt.Sprintf("unknown algorithm %q", name)
		return Plan{}, in
	}
	for _, setting := range b.Settings.given() {
		if !slices.Contains(e.settings, setting) {
			return Plan{}, &mergesearch.InputError{Field: "algorithm." + setting, Problem: name + " does not take it", Hint: "remove the key"}
		}
	}
	return e.create(b)
}

// founders returns how many of so many individuals without parents a steady state
// asks: at most three tenths of the candidates that the budget has room for.
func (b Brief) founders(n int) int {
	if c := b.Budget.Candidates; c > 0 {
		n = min(n, c*3/10)
	}
	if a := b.Budget.ItemAnswers; a > 0 && len(b.Items) > 0 {
		n = min(n, a/len(b.Items)*3/10)
	}
	return max(n, 1)
}

// plan wraps what a constructor returned.
func plan[A Algorithm](a A, err error) (Plan, error) {
	if err != nil {
		return Plan{}, err
	}
	return Plan{Algorithm: a}, nil
}

// orElse returns x, or the default when x is zero.
func orElse[T comparable](x, otherwise T) T {
	var zero T
	if x == zero {
		return otherwise
	}
	return x
}

// auto chooses among the others, so it joins them late.
func init() { catalogue["auto"] = entry{[]string{"population"}, Brief.auto} }
