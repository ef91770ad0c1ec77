package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
)

func newMergeCommand() *cobra.Command {
	var o mergeOptions
	c := &cobra.Command{
		Use: "merge RECIPE OUT", Short: "build one recipe into a model directory", Args: arguments(1, 2),
		Long: `merge reads a recipe in mergekit's YAML, checks it against the headers of all
models before it reads a tensor, and writes a complete Hugging Face directory.
Models are named by directory, relative to the working directory, or by OWNER/NAME
where the Hugging Face cache has them. With --dry-run it prints the plan instead,
and OUT may be left out. With --format gguf it writes one file for llama.cpp
(Llama, Mistral, Qwen2, Qwen3).`,
		RunE: func(c *cobra.Command, args []string) error {
			if o.threads < 1 {
				return &mergesearch.InputError{Field: "--threads", Problem: "must be at least 1", Hint: "leave it out for one each processor"}
			}
			if len(args) == 1 && !o.dryRun {
				return arguments(2, 2)(c, args)
			}
			if err := o.format.check(); err != nil {
				return err
			}
			recipe, err := o.read(args[0])
			if err != nil {
				return err
			}
			engine, closeAll, err := o.openEngine(c, recipe, args[0])
			if err != nil {
				return err
			}
			defer closeAll()
			if err := engine.CheckVocabulary(recipe); err != nil {
				return mergesearch.InFile(err, args[0])
			}
			if o.dryRun {
				return printPlan(c, engine, recipe)
			}
			done, err := o.format.write(c.Context(), engine, recipe, args[1], merge.WriteOptions{Tool: tool, ShardBytes: o.shardBytes})
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d tensors, %s written in %.2f s (%s)\n", report.Plain(done.Out), done.Tensors, bytesText(done.BytesWritten), done.Seconds, recipe.Method)
			return err
		},
	}
	o.addFlags(c)
	return c
}

// mergeOptions are the flags of merge.
type mergeOptions struct {
	threads    int
	device     deviceFlag
	format     format
	dryRun     bool
	compat     bool
	shardSize  string
	shardBytes int64
}

func (o *mergeOptions) addFlags(c *cobra.Command) {
	c.Flags().IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "threads of the merge engine")
	o.device.add(c, "auto")
	addFormatFlag(c, &o.format)
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the plan: tensors, sources, parameters for each layer, bytes, time, memory")
	c.Flags().BoolVar(&o.compat, "compat", false, "give mergekit's numbers, its rounding and its defects (docs/mergekit-differences.md)")
	c.Flags().StringVar(&o.shardSize, "shard-size", "5GB", "most bytes of tensors in one file, such as 500MB")
}

// openEngine opens the recipe's models for the GPU if one is asked for, or takes it with
// auto and has room, and tells where the merge runs if that is not the CPU.
func (o *mergeOptions) openEngine(c *cobra.Command, r mergesearch.Recipe, file string) (e *merge.Engine, done func(), err error) {
	device, err := o.openDevice(c, r, file)
	if err != nil {
		return nil, nil, err
	}
	if device == nil {
		e, err = openFor(r, o.threads, nil)
		return e, func() { e.Close() }, mergesearch.InFile(err, file)
	}
	done = func() {
		if e != nil {
			e.Close()
		}
		device.Close()
	}
	if e, err = openFor(r, o.threads, device); err != nil {
		done()
		return nil, nil, mergesearch.InFile(err, file)
	}
	plan, err := e.Plan(r)
	if err != nil {
		return e, done, nil // said again, with all that belongs to it
	}
	d := e.DevicePlan(plan)
	if _, must, _, _ := o.device.parse(); must || d.Fits() {
		if !o.dryRun {
			fmt.Fprintln(c.ErrOrStderr(), report.Plain(d.String()))
		}
		return e, done, nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "merging on the CPU: %s has room for %s, and the merge needs %s there\n",
		report.Plain(d.Device), bytesText(d.LimitBytes), bytesText(d.LeastBytes()))
	done()
	e, err = openFor(r, o.threads, nil)
	return e, func() { e.Close() }, mergesearch.InFile(err, file)
}

// openDevice opens the GPU that merges the recipe, or none.
func (o *mergeOptions) openDevice(c *cobra.Command, r mergesearch.Recipe, file string) (*kernel.Device, error) {
	if r.Compat != "" {
		if _, must, _, err := o.device.parse(); err != nil || must {
			return nil, cmp.Or(err, error(&mergesearch.InputError{File: file, Field: "compat", Problem: "mergekit's arithmetic is for the CPU alone", Hint: "use --device cpu, or leave compat out"}))
		}
		return nil, nil
	}
	devices, note, err := o.device.open(false)
	if note != "" {
		fmt.Fprintln(c.ErrOrStderr(), oneLine(note))
	}
	if err != nil || len(devices) == 0 {
		return nil, err
	}
	return devices[0], nil
}

// read reads the recipe with what the flags change of it.
func (o *mergeOptions) read(file string) (mergesearch.Recipe, error) {
	var err error
	if o.shardBytes, err = parseBytes("--shard-size", o.shardSize); err != nil {
		return mergesearch.Recipe{}, err
	}
	r, err := merge.ReadRecipe(file)
	if err != nil || !o.compat {
		return r, err
	}
	r.Compat = "mergekit"
	for i := range r.Stages {
		r.Stages[i].Recipe.Compat = "mergekit"
	}
	return r, nil
}

func printPlan(c *cobra.Command, e *merge.Engine, r mergesearch.Recipe) error {
	plan, err := planMerge(e, r)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return report.Write(c.OutOrStdout(), plan)
	}
	return plan.print(c.OutOrStdout())
}

// parseBytes reads a number of bytes with a unit: 500MB, 5GB, 64kB, 1000.
func parseBytes(flag, text string) (int64, error) {
	number, unit := strings.TrimSpace(text), float64(1)
	for _, u := range []struct {
		suffix string
		bytes  float64
	}{{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"b", 1}} {
		if rest, ok := strings.CutSuffix(strings.ToLower(number), u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !(x*unit >= 1 && x*unit < 1<<62) {
		return 0, &mergesearch.InputError{Field: flag, Problem: fmt.Sprintf("%q is no number of bytes", text), Hint: "write 500MB or 5GB"}
	}
	return int64(x * unit), nil
}

func bytesText(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}
