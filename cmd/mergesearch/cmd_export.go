package main

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/evidence"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/report/page"
	"mergesearch/merge"
	"mergesearch/store"
)

func newExportCommand() *cobra.Command {
	var as format
	var bundle string
	c := &cobra.Command{
		Use: "export DIR [CANDIDATE OUT]", Short: "build a candidate of a run into a model directory, or pack the evidence of the run", Args: arguments(1, 3),
		Long: `export builds the candidate from the models that the run was made with and writes
a complete Hugging Face directory with a model card; recipe.yaml in it names the
models by path. With --format gguf it writes one file for llama.cpp instead
(Llama, Mistral, Qwen2, Qwen3), which holds the recipe under the key
mergesearch.recipe. CANDIDATE is an ID such as c0042, or "best" for the winner.

With --bundle it writes the evidence instead: run file, recipe, every score and
answer, hashes and report.json, without weights and texts of models. FILE.zip is
one file, any other name a directory. "check FILE" computes every number again.`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := as.check(); err != nil {
				return err
			}
			switch {
			case bundle != "" && len(args) > 1:
				return &mergesearch.InputError{Field: "--bundle", Problem: "takes the evidence of the whole run, not of " + args[1], Hint: "usage: mergesearch export DIR --bundle FILE.zip"}
			case bundle == "" && len(args) != 3:
				return &mergesearch.InputError{Problem: fmt.Sprintf("export takes 3 arguments, or 1 with --bundle, got %d", len(args)), Hint: "usage: " + c.UseLine()}
			}
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			e, err := r.Evidence(c.Context())
			if err != nil {
				return err
			}
			if bundle != "" {
				return exportBundle(c.OutOrStdout(), e, bundle, wantsJSON(c))
			}
			return exportCandidate(c.Context(), c.OutOrStdout(), e, as, args, wantsJSON(c))
		},
	}
	addFormatFlag(c, &as)
	c.Flags().StringVar(&bundle, "bundle", "", "write the evidence of the run to this file (.zip) or directory")
	return c
}

func exportCandidate(ctx context.Context, w io.Writer, e store.Evidence, as format, args []string, asJSON bool) error {
	id := mergesearch.CandidateID(args[1])
	if id == "best" {
		if e.Ending == nil {
			return &mergesearch.InputError{File: args[0], Problem: "no winner yet", Hint: "name a candidate, such as the best of: mergesearch candidates " + args[0] + " --best"}
		}
		id = e.Ending.Result.Best.Candidate
	}
	t, ok := trialOf(e, id)
	if !ok {
		return &store.NotFoundError{Path: args[0], What: "candidate " + string(id)}
	}
	engine, err := openFrozen(e.Run, t.Recipe)
	if err != nil {
		return err
	}
	defer engine.Close()
	mergesearch.Failpoint("export/before")
	done, err := as.write(ctx, engine, t.Recipe, args[2], merge.WriteOptions{Tool: tool, Paths: modelPaths(e.Run), Sections: sections(e, t)})
	if err != nil {
		return err
	}
	mergesearch.Failpoint("export/after")
	if asJSON {
		return report.Write(w, done)
	}
	_, err = fmt.Fprintf(w, "%s: %s, %d tensors, %s\n", report.Plain(done.Out), id, done.Tensors, bytesText(done.BytesWritten))
	return err
}

func trialOf(e store.Evidence, id mergesearch.CandidateID) (store.Trial, bool) {
	for _, t := range e.Trials {
		if t.ID() == id {
			return t, true
		}
	}
	return store.Trial{}, false
}

// bundleDocument is the JSON of export --bundle.
type bundleDocument struct {
	Out            string `json:"out"`
	Trials         int    `json:"trials"`
	Answers        int    `json:"answers"`
	PopulationHash string `json:"population_hash"`
}

func exportBundle(w io.Writer, e store.Evidence, path string, asJSON bool) error {
	b, err := newBundle(e)
	if err != nil {
		return err
	}
	if err := b.Write(path); err != nil {
		return err
	}
	d := bundleDocument{Out: path, Trials: len(e.Trials), PopulationHash: mergesearch.PopulationHash(b.Evidence.Records())}
	for _, a := range e.Answers {
		d.Answers += len(a.Outcomes)
	}
	if asJSON {
		return report.Write(w, d)
	}
	_, err = fmt.Fprintf(w, "%s: %d candidates, %s answers; verify it anywhere with: mergesearch check %s\n", report.Plain(path), d.Trials, report.Thousands(d.Answers), shellWord(path))
	return err
}

// newBundle packs the evidence with the report that follows from what is packed:
// report.json knows no more than the bundle.
func newBundle(e store.Evidence) (evidence.Bundle, error) {
	packed, err := evidence.Packed(e)
	if err != nil {
		return evidence.Bundle{}, err
	}
	b := evidence.Bundle{Evidence: packed}
	if packed.Ending != nil {
		b.Recipe = merge.FormatRecipe(packed.Ending.Result.Best.Recipe)
	}
	d, err := page.New(packed, page.Options{Format: formatRecipe})
	if err != nil {
		return b, err
	}
	b.Report, err = d.JSON()
	return b, err
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
