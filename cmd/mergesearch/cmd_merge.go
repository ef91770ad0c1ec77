package main

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/merge"
)

func newMergeCommand() *cobra.Command {
	var threads int
	var as format
	c := &cobra.Command{
		Use: "merge RECIPE OUT", Short: "build one recipe into a model directory", Args: arguments(2, 2),
		Long: `merge reads a recipe in mergekit's YAML, checks it against the headers of all
models before it reads a tensor, and writes a complete Hugging Face directory.
Paths in the recipe are relative to the working directory. With --format gguf it
writes one file for llama.cpp instead (Llama, Mistral, Qwen2, Qwen3).`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			recipe, err := merge.ReadRecipe(args[0])
			if err != nil {
				return err
			}
			engine, err := openFor(recipe, threads)
			if err != nil {
				return err
			}
			defer engine.Close()
			if err := engine.Check(recipe); err != nil {
				return mergesearch.InFile(err, args[0])
			}
			done, err := as.write(c.Context(), engine, recipe, args[1], merge.WriteOptions{Tool: tool})
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
	c.Flags().IntVar(&threads, "threads", runtime.GOMAXPROCS(0), "threads of the merge engine")
	addFormatFlag(c, &as)
	return c
}

// openFor opens the models that a recipe names by their paths.
func openFor(r mergesearch.Recipe, threads int) (*merge.Engine, error) {
	models := map[string]string{}
	for _, in := range r.Models {
		models[in.Model] = filepath.Clean(in.Model)
	}
	base := r.Base
	if base == "" && len(r.Models) > 0 {
		base = r.Models[0].Model
	}
	models[base] = filepath.Clean(base)
	return merge.Open(merge.Options{Models: models, Base: base, Threads: threads})
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
