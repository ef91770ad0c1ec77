package main

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/search/simulation"
)

// searchBench is what bench search reports.
type searchBench struct {
	Problems []simulation.BenchRow `json:"problems"`
	Ranks    []simulation.RankRow  `json:"ranks,omitempty"`
}

func newBenchSearchCommand() *cobra.Command {
	var o simulation.BenchOptions
	var full, ranks bool
	c := &cobra.Command{
		Use: "search", Short: "measure the search algorithms on simulated merges", Args: arguments(0, 0),
		Long: `bench search lets algorithms search simulated families of merges, whose true fitness
is known, with 25,000 item answers each, and reports which share of the gap between
the usual recipe and the optimum they closed: 0 is no better than not searching.
With --ranks it measures too how well few items rank 40 candidates that hardly differ.

The short form takes about a minute on two processors: two seeds of the smaller
problems. --full takes 24 seeds of all of them, and 48 for the ranks.`,
		RunE: func(c *cobra.Command, _ []string) error {
			given := c.Flags().Changed
			if full && !given("seeds") {
				o.Seeds = 24
			}
			if !full && !given("problems") {
				o.Problems = []string{"layers-32", "pairs-32"}
			}
			if o.Seeds < 1 || o.Seeds > 10_000 {
				return &mergesearch.InputError{Field: "--seeds", Problem: fmt.Sprintf("%d does not lie between 1 and 10000", o.Seeds)}
			}
			if o.First < 1 {
				return &mergesearch.InputError{Field: "--first-seed", Problem: "must be at least 1"}
			}
			if o.Answers < 2000 || o.Answers > 10_000_000 {
				return &mergesearch.InputError{Field: "--answers", Problem: fmt.Sprintf("%d does not lie between 2000 and 10000000", o.Answers)}
			}
			o.Workers = runtime.GOMAXPROCS(0)
			out := c.OutOrStdout()
			if !wantsJSON(c) {
				first := sync.OnceFunc(func() {
					fmt.Fprintf(out, searchColumns, "problem", "algorithm", "gap closed", "known", "winner", "optimism", "candidates", "answers")
				})
				o.Row = func(r simulation.BenchRow) {
					first()
					printSearchRow(out, r)
				}
			}
			var done searchBench
			var err error
			if done.Problems, err = simulation.Bench(c.Context(), o); err != nil {
				return err
			}
			if ranks || full {
				seeds := o.Seeds
				if full && !given("seeds") {
					seeds = 48
				}
				done.Ranks = simulation.BenchRanks(seeds, o.Workers)
			}
			if wantsJSON(c) {
				return report.Write(out, done)
			}
			printRanks(out, done.Ranks)
			return nil
		},
	}
	c.Flags().StringSliceVar(&o.Problems, "problems", nil, fmt.Sprintf("problems: %v (default layers-32 and pairs-32)", simulation.Problems()))
	c.Flags().StringSliceVar(&o.Algorithms, "algorithms", nil, "algorithms (default all)")
	c.Flags().IntVar(&o.Seeds, "seeds", 2, "landscapes of each problem")
	c.Flags().IntVar(&o.First, "first-seed", 1, "seed of the first landscape; constants are tuned on 1000 to 1099 alone")
	c.Flags().IntVar(&o.Answers, "answers", 25_000, "item answers of each search, those of parents included")
	c.Flags().BoolVar(&full, "full", false, "24 seeds of all problems, and the ranks")
	c.Flags().BoolVar(&ranks, "ranks", false, "rank siblings with few items")
	return c
}

const searchColumns = "%-10s %-12s %15s %6s %7s %9s %11s %8s\n"

func printSearchRow(out io.Writer, r simulation.BenchRow) {
	known := "-"
	if r.Reference != 0 {
		known = fmt.Sprintf("%.2f", r.Reference)
	}
	fmt.Fprintf(out, searchColumns, r.Problem, r.Algorithm, fmt.Sprintf("%.3f ± %.3f", r.GapClosed, r.StdErr), known,
		fmt.Sprintf("%.3f", r.Winner), fmt.Sprintf("%+.1f pp", 100*r.Optimism), fmt.Sprintf("%.0f", r.Evaluations), fmt.Sprintf("%.0f", r.Answers))
}

func printRanks(out io.Writer, rows []simulation.RankRow) {
	if len(rows) == 0 {
		return
	}
	const columns = "%-28s %6s %15s %6s %9s %9s\n"
	fmt.Fprintf(out, "\n"+columns, "ranker", "items", "tau", "known", "error", "regret")
	for _, r := range rows {
		fmt.Fprintf(out, columns, r.Ranker, fmt.Sprint(r.Items), fmt.Sprintf("%.3f ± %.3f", r.Tau, r.StdErr), fmt.Sprintf("%.2f", r.Reference),
			fmt.Sprintf("%.1f pp", 100*r.Error), fmt.Sprintf("%.1f pp", 100*r.Regret))
	}
}
