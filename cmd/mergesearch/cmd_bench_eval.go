package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/eval"
)

func newBenchEvalCommand() *cobra.Command {
	var o eval.BenchOptions
	c := &cobra.Command{
		Use: "eval", Short: "measure the client that asks the items", Args: arguments(0, 0),
		Long: `bench eval asks log-likelihoods of a server on loopback that sends the same bytes
each time and computes nothing, and measures beside it how often these bytes can
be exchanged without a client. Client and server share the processors.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkBenchEval(o); err != nil {
				return err
			}
			done, err := eval.Bench(c.Context(), o)
			if err != nil {
				return &unfit{err: err, hint: "the benchmark needs a loopback port"}
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%.0f responses/s of %s, %.3f s of processor time per 1000 (server included)\n%.0f bare exchanges/s of the same bytes, %.3f s per 1000: the client reaches %.2f of them\n%s of private memory with %d items queued\n",
				done.Responses, bytesText(int64(done.ResponseBytes)), done.CPU, done.Bare, done.BareCPU, done.RatioToBare, bytesText(done.PeakAnon), done.Queue)
			return err
		},
	}
	c.Flags().IntVar(&o.Tokens, "tokens", 200, "tokens of each prompt")
	c.Flags().IntVar(&o.Queue, "queue", 1_000_000, "items that wait to be asked")
	c.Flags().IntVar(&o.Concurrency, "concurrency", 16, "requests in flight")
	c.Flags().DurationVar(&o.Time, "time", 0, "length of each of the two measurements (default 3s)")
	return c
}

func checkBenchEval(o eval.BenchOptions) error {
	for _, f := range []struct {
		flag           string
		n, least, most int
	}{{"--tokens", o.Tokens, 2, 100_000}, {"--queue", o.Queue, 1, 100_000_000}, {"--concurrency", o.Concurrency, 1, 4096}} {
		if f.n < f.least || f.n > f.most {
			return &mergesearch.InputError{Field: f.flag, Problem: fmt.Sprintf("%d does not lie between %d and %d", f.n, f.least, f.most)}
		}
	}
	if o.Time < 0 {
		return &mergesearch.InputError{Field: "--time", Problem: "is negative"}
	}
	return nil
}
