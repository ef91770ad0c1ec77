package simulation

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"mergesearch"
	"mergesearch/search"
)

// BenchOptions says what is measured.
type BenchOptions struct {
	Problems   []string // of Problems; none: all
	Algorithms []string // of Contestants; none: all
	Seeds      int      // how many
	First      int      // the first of them; 0: 1, where those of the tables begin
	Answers    int      // that each search may ask; 0: 25,000
	Workers    int      // searches at a time; 0: 1

	// Row, if set, is called with each row as it is done, from one goroutine.
	Row func(BenchRow)
}

// BenchRow is an algorithm on a problem: means over seeds.
type BenchRow struct {
	Problem     string  `json:"problem"`
	Algorithm   string  `json:"algorithm"`
	Dimension   int     `json:"dimension"`
	Seeds       int     `json:"seeds"`
	Evaluations float64 `json:"evaluations"` // candidates of the search
	Answers     float64 `json:"item_answers"`
	Fixed       float64 `json:"item_answers_fixed"` // of these, of parents and usual recipes
	GapClosed   float64 `json:"gap_closed"`         // by what the algorithm recommends, or else by its best
	StdErr      float64 `json:"gap_closed_stderr"`
	Winner      float64 `json:"winner_gap_closed"` // by the run's winner, for which validation items were asked too
	Optimism    float64 `json:"optimism"`          // what its score on search items is too high by

	// Reference is the best gap closed known before, of CMA-ES with a large population
	// or of regression steps, at 25,000 answers; 0 where there is none.
	Reference float64 `json:"reference,omitempty"`
}

// Problems lists the landscapes of the tables.
func Problems() []string { return []string{"layers-32", "layers-64", "pairs-32", "pairs-64"} }

var references = map[string]float64{"layers-32": 0.28, "layers-64": 0.13}

// contestant is an algorithm under the name of the tables.
type contestant struct {
	name   string
	create func(search.Brief) (search.Plan, error)
}

// contestants holds every algorithm of the catalogue that can search numbers, and what
// peers do.
func contestants() []contestant {
	out := []contestant{{"ga-uniform", uniformGA}, {"cmaes-sixth", evolveCMA}}
	for _, name := range search.Algorithms() {
		if slices.Contains([]string{"greedy-soup", "soup", "external"}, name) {
			continue
		}
		out = append(out, contestant{name, func(b search.Brief) (search.Plan, error) { return search.New(name, b) }})
	}
	return out
}

// Contestants lists the algorithms of the tables.
func Contestants() []string {
	var out []string
	for _, c := range contestants() {
		out = append(out, c.name)
	}
	return out
}

// uniformGA is a genetic algorithm of 25 that starts from uniform draws and knows no
// usual recipe, as Mergenetic's does.
func uniformGA(b search.Brief) (search.Plan, error) {
	s := search.DefaultGA()
	s.Population, s.Start, s.Islands, s.Jitter = 25, 25, 1, 1
	a, err := search.NewGA(b.Space, b.Seed, s)
	return search.Plan{Algorithm: blind{a}}, err
}

// evolveCMA is CMA-ES as mergekit-evolve runs it: a first step of a sixth, the
// population of the tutorial, and the best candidate as the answer.
func evolveCMA(b search.Brief) (search.Plan, error) {
	b.Settings = search.Settings{
		Sigma: 1.0 / 6, Population: 4 + int(3*math.Log(float64(len(b.Space.Genes)))), Answer: "best",
	}
	return search.New("cmaes", b)
}

// blind hides the usual recipes from an algorithm.
type blind struct{ search.Algorithm }

func (b blind) Tell(trials []mergesearch.Trial) {
	var told []mergesearch.Trial
	for _, t := range trials {
		if t.Name == "" {
			told = append(told, t)
		}
	}
	b.Algorithm.Tell(told)
}

// Bench measures algorithms on problems, all with the same seeds.
func Bench(ctx context.Context, o BenchOptions) ([]BenchRow, error) {
	if len(o.Problems) == 0 {
		o.Problems = Problems()
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = Contestants()
	}
	if o.Answers == 0 {
		o.Answers = 25_000
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	all := contestants()
	var rows []BenchRow
	for _, problem := range o.Problems {
		kind, dimension := parseProblem(problem)
		tops := make([]float64, o.Seeds)
		for _, name := range o.Algorithms {
			k := slices.IndexFunc(all, func(c contestant) bool { return c.name == name })
			results, err := repeat(ctx, o, Study{Kind: kind, Dimension: dimension, Answers: o.Answers, Algorithm: name, Plan: all[k].create}, tops)
			if err != nil {
				return nil, err
			}
			row := average(results)
			row.Problem, row.Algorithm, row.Dimension = problem, name, dimension
			if o.Answers == 25_000 {
				row.Reference = references[problem]
			}
			if o.Row != nil {
				o.Row(row)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// check refuses names that are not known, under the flags of bench search.
func (o BenchOptions) check() error {
	for _, list := range []struct {
		kind         string
		names, known []string
	}{{"problem", o.Problems, Problems()}, {"algorithm", o.Algorithms, Contestants()}} {
		for _, name := range list.names {
			if !slices.Contains(list.known, name) {
				in := mergesearch.UnknownWord(list.kind, name, list.known)
				in.Field, in.Problem = "--"+list.kind+"s", fmt.Sprintf("unknown %s %q", list.kind, name)
				return in
			}
		}
	}
	return nil
}

func parseProblem(name string) (Kind, int) {
	var dimension int
	kind := Layers
	if _, err := fmt.Sscanf(name, "layers-%d", &dimension); err != nil {
		kind = Pairs
		fmt.Sscanf(name, "pairs-%d", &dimension)
	}
	return kind, dimension
}

// repeat runs a study with every seed, some at a time; results come in order. It fills
// in the optima that are not known.
func repeat(ctx context.Context, o BenchOptions, s Study, tops []float64) ([]Result, error) {
	results, errs := make([]Result, o.Seeds), make([]error, o.Seeds)
	var group sync.WaitGroup
	slots := make(chan struct{}, max(1, o.Workers))
	for k := range o.Seeds {
		group.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; group.Done() }()
			one := s
			one.Seed = uint64(max(1, o.First) + k)
			if tops[k] == 0 {
				_, tops[k] = NewLandscape(s.Kind, s.Dimension, one.Seed).Optimum()
			}
			one.Top = tops[k]
			results[k], errs[k] = Search(ctx, one)
		}()
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

func average(results []Result) BenchRow {
	n := float64(len(results))
	row := BenchRow{Seeds: len(results)}
	for _, r := range results {
		row.GapClosed += r.GapClosed / n
		row.Winner += r.Winner / n
		row.Optimism += r.Optimism / n
		row.Evaluations += float64(r.Candidates) / n
		row.Answers += float64(r.Answers) / n
		row.Fixed += float64(r.Fixed) / n
	}
	for _, r := range results {
		row.StdErr += (r.GapClosed - row.GapClosed) * (r.GapClosed - row.GapClosed) / (n * max(1, n-1))
	}
	row.StdErr = math.Sqrt(row.StdErr)
	return row
}

// RankRow is a ranker on siblings: means over seeds, with the standard error of tau.
type RankRow struct {
	Ranker string  `json:"ranker"`
	Items  int     `json:"items"`
	Seeds  int     `json:"seeds"`
	Tau    float64 `json:"tau"`
	StdErr float64 `json:"tau_stderr"`
	Error  float64 `json:"error"`
	Regret float64 `json:"regret"`

	// Reference is the best tau known before.
	Reference float64 `json:"reference"`
}

// BenchRanks measures every ranker with about 100 and 250 items on landscapes of the
// kind Layers in 32 dimensions.
func BenchRanks(seeds, workers int) []RankRow {
	var rows []RankRow
	for _, c := range []struct {
		items     int
		reference float64
	}{{99, 0.41}, {249, 0.60}} {
		for _, r := range Rankers() {
			results := make([]Ranking, seeds)
			var group sync.WaitGroup
			slots := make(chan struct{}, max(1, workers))
			for k := range seeds {
				group.Add(1)
				slots <- struct{}{}
				go func() {
					defer func() { <-slots; group.Done() }()
					results[k] = Rank(NewLandscape(Layers, 32, uint64(k+1)), r, c.items)
				}()
			}
			group.Wait()
			row, n := RankRow{Ranker: string(r), Items: c.items, Seeds: seeds, Reference: c.reference}, float64(seeds)
			for _, x := range results {
				row.Tau += x.Tau / n
				row.Error += x.Error / n
				row.Regret += x.Regret / n
			}
			for _, x := range results {
				row.StdErr += (x.Tau - row.Tau) * (x.Tau - row.Tau) / (n * max(1, n-1))
			}
			row.StdErr = math.Sqrt(row.StdErr)
			rows = append(rows, row)
		}
	}
	return rows
}
