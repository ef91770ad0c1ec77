package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/merge"
	"mergesearch/store"
)

func newExportCommand() *cobra.Command {
	var as format
	c := &cobra.Command{
		Use: "export DIR CANDIDATE OUT", Short: "build a candidate of a run into a model directory, with its recipe as mergekit YAML", Args: arguments(3, 3),
		Long: `export builds the candidate from the models that the run was made with and writes
a complete Hugging Face directory; recipe.yaml in it names the models by path.
With --format gguf it writes one file for llama.cpp instead (Llama, Mistral,
Qwen2, Qwen3), which holds the recipe under the key mergesearch.recipe.
CANDIDATE is an ID such as c0042, or "best" for the winner.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			id := mergesearch.CandidateID(args[1])
			if id == "best" {
				ending, err := r.Ending(c.Context())
				if err != nil {
					return err
				}
				id = ending.Result.Best.Candidate
			}
			t, _, err := r.Trial(c.Context(), id)
			if err != nil {
				return err
			}
			run, err := r.Run(c.Context())
			if err != nil {
				return err
			}
			engine, err := openFrozen(run, t.Recipe)
			if err != nil {
				return err
			}
			defer engine.Close()
			mergesearch.Failpoint("export/before")
			done, err := as.write(c.Context(), engine, t.Recipe, args[2], merge.WriteOptions{Tool: tool, Paths: modelPaths(run)})
			if err != nil {
				return err
			}
			mergesearch.Failpoint("export/after")
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), done)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s, %d tensors, %s\n", report.Plain(done.Out), id, done.Tensors, bytesText(done.BytesWritten))
			return err
		},
	}
	addFormatFlag(c, &as)
	return c
}

// openFrozen opens the models of a run and refuses those that changed since.
func openFrozen(run store.Run, recipe mergesearch.Recipe) (*merge.Engine, error) {
	models, digests := modelPaths(run), map[string]string{}
	for _, m := range run.Models {
		digests[m.Name] = m.Digest
	}
	base := recipe.Base
	if base == "" && len(recipe.Models) > 0 {
		base = recipe.Models[0].Model
	}
	engine, err := merge.Open(merge.Options{Models: models, Base: base, Threads: runtime.GOMAXPROCS(0)})
	if err != nil {
		return nil, err
	}
	for name, want := range digests {
		if checkpoint, ok := engine.Model(name); !ok || checkpoint.Digest() != want {
			engine.Close()
			return nil, &mergesearch.InputError{File: models[name], Field: name, Problem: "the weights are not those of the run", Hint: "put the model back that the run was made with"}
		}
	}
	return engine, nil
}

// modelPaths returns where the models of a run were, by name.
func modelPaths(run store.Run) map[string]string {
	paths := map[string]string{}
	for _, m := range run.Models {
		paths[m.Name] = m.Path
	}
	return paths
}
