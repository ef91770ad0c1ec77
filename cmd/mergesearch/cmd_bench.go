package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/merge"
)

func newBenchCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "bench", Short: "measure this machine against its limits", Args: arguments(0, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			err := mergesearch.UnknownWord("benchmark", args[0], []string{"merge", "eval", "search"})
			return err
		},
	}
	c.AddCommand(newBenchMergeCommand(), newBenchEvalCommand(), newBenchSearchCommand())
	return c
}

func newBenchMergeCommand() *cobra.Command {
	var o merge.BenchOptions
	var dtypes []string
	var megabytes int64
	var device deviceFlag
	c := &cobra.Command{
		Use: "merge", Short: "measure every merge method against a plain copy", Args: arguments(0, 0),
		Long: `bench merge merges random models that lie in memory and compares the rate, bytes
read and written in a second, with that of a plain copy of as many bytes on as
many threads. On a GPU the results stay there, and the copy is one of its memory.
Rows that end in _at_hand are those of a run's later candidates, for which
thresholds and sums are known from the earlier ones.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkBench(&o, dtypes, megabytes); err != nil {
				return err
			}
			devices, note, err := device.open(false)
			if err != nil {
				return err
			}
			if note != "" {
				fmt.Fprintln(c.ErrOrStderr(), oneLine(note))
			}
			defer closeDevices(devices)
			if len(devices) > 0 {
				o.Device = devices[0]
			}
			out := c.OutOrStdout()
			if !wantsJSON(c) {
				if err := benchTitle(out); err != nil {
					return err
				}
				o.Row = func(r merge.BenchRow) { printBenchRow(out, r) }
			}
			done, err := merge.Bench(c.Context(), o)
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(out, done)
			}
			_, err = fmt.Fprintf(out, "copy %.1f GB/s on %d threads, last-level cache %s\n", done.CopyGBs, done.Threads, bytesText(done.CacheBytes))
			return err
		},
	}
	c.Flags().StringSliceVar(&dtypes, "dtype", []string{"bf16", "f32"}, "types of the models: bf16, f16, f32")
	c.Flags().IntSliceVar(&o.Experts, "experts", []int{2, 3, 5}, "numbers of experts")
	c.Flags().StringSliceVar(&o.Methods, "methods", nil, "methods (default all)")
	c.Flags().IntVar(&o.Threads, "threads", 0, "threads (default one for each processor)")
	device.add(c, "cpu")
	c.Flags().Int64Var(&megabytes, "size", 0, "size of one model in MB (default by the last-level cache)")
	return c
}

// checkBench takes over what the flags say.
func checkBench(o *merge.BenchOptions, dtypes []string, megabytes int64) error {
	known := map[string]mergesearch.DType{"bf16": mergesearch.BF16, "f16": mergesearch.F16, "f32": mergesearch.F32}
	for _, name := range dtypes {
		d, ok := known[name]
		if !ok {
			return inFlag("--dtype", mergesearch.UnknownWord("type", name, []string{"bf16", "f16", "f32"}))
		}
		o.DTypes = append(o.DTypes, d)
	}
	var methods []string
	for _, m := range merge.Methods() {
		methods = append(methods, m.Name)
	}
	for _, name := range o.Methods {
		if !slices.Contains(methods, name) {
			return inFlag("--methods", mergesearch.UnknownWord("method", name, methods))
		}
	}
	if len(o.Experts) == 0 || slices.Min(o.Experts) < 2 || slices.Max(o.Experts) > 16 {
		return &mergesearch.InputError{Field: "--experts", Problem: "numbers must lie between 2 and 16"}
	}
	if megabytes < 0 || megabytes > 1<<20 {
		return &mergesearch.InputError{Field: "--size", Problem: fmt.Sprintf("%d MB is not a size between 0 and 1048576", megabytes)}
	}
	o.Bytes = megabytes << 20
	return nil
}

func inFlag(flag string, err *mergesearch.InputError) error {
	err.Field = flag
	return err
}

const benchColumns = "%-24s %-5s %7s %6s %8s %6s  %s\n"

func benchTitle(out io.Writer) error {
	_, err := fmt.Fprintf(out, benchColumns, "method", "type", "experts", "device", "GB/s", "copy", "")
	return err
}

func printBenchRow(out io.Writer, r merge.BenchRow) {
	rate, ratio, note := fmt.Sprintf("%.2f", r.GBs), fmt.Sprintf("%.2f", r.RatioToCopy), ""
	if r.InCache {
		note = "in cache"
	}
	if r.Err != "" {
		rate, ratio, note = "-", "-", report.Plain(r.Err)
	}
	fmt.Fprintf(out, benchColumns, r.Method, strings.ToLower(string(r.DType)), fmt.Sprint(r.Experts), r.Device, rate, ratio, note)
}
