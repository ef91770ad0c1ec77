package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/evidence"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/report/page"
	"mergesearch/store"
)

func newCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check DIR|BUNDLE", Short: "verify a run or an evidence bundle, and compute its numbers again", Args: arguments(1, 1),
		Long: `check looks for damage in a run directory (pages, references, the chain of events)
and computes every score, interval and the verdict again from single answers. Of
a bundle that export --bundle wrote it does the same without the models, and
compares every number of its report.json. It names the first number that does not
agree, writes nothing, and exits with code 8 when something is wrong.`,
		RunE: func(c *cobra.Command, args []string) error {
			look := checkRun
			if evidence.IsBundle(args[0]) {
				look = checkBundle
			}
			d, err := look(c.Context(), args[0])
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				err = report.Write(c.OutOrStdout(), d)
			} else {
				err = d.print(c.OutOrStdout(), args[0])
			}
			if err != nil {
				return err
			}
			return d.outcome(args[0])
		},
	}
}

// checkDocument is the JSON of check.
type checkDocument struct {
	Bundle bool `json:"bundle"`
	store.Report
	Verified evidence.Verified `json:"verified"`
	Reported int               `json:"reported_numbers,omitempty"` // of report.json, in a bundle
}

func checkRun(ctx context.Context, dir string) (checkDocument, error) {
	r, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return checkDocument{}, err
	}
	defer r.Close()
	d := checkDocument{Verified: evidence.Verified{Mismatches: []evidence.Mismatch{}}}
	if d.Report, err = r.Check(ctx); err != nil || len(d.Problems) > 0 {
		return d, err
	}
	e, err := r.Evidence(ctx)
	var none *store.NotFoundError
	if errors.As(err, &none) {
		return d, nil // nothing was recorded yet
	} else if err != nil {
		return d, err
	}
	d.Verified = evidence.Verify(e)
	return d, nil
}

func checkBundle(_ context.Context, path string) (checkDocument, error) {
	d := checkDocument{Bundle: true}
	b, err := evidence.Read(path)
	if err != nil {
		return d, err
	}
	e := b.Evidence
	d.Trials, d.Events = len(e.Trials), len(e.Events)
	for _, a := range e.Answers {
		d.Answers += len(a.Outcomes)
	}
	d.PopulationHash = mergesearch.PopulationHash(e.Records())
	d.Verified = evidence.Verify(e)
	again := e
	if e.Ending != nil {
		ending := *e.Ending
		if ending.Result, err = evidence.Recompute(e); err != nil {
			return d, nil // Verify has said so
		}
		again.Ending = &ending
	}
	document, err := page.New(again, page.Options{Format: formatRecipe})
	if err != nil {
		return d, err
	}
	text, err := document.JSON()
	if err != nil {
		return d, err
	}
	found, numbers := evidence.Compare("report.json", b.Report, text)
	d.Reported = numbers
	d.Verified.Mismatches = append(found, d.Verified.Mismatches...)
	return d, nil
}

func (d checkDocument) print(w io.Writer, path string) error {
	fmt.Fprintf(w, "%s: %d trials, %d answers, %d events, population %s\n", report.Plain(path), d.Trials, d.Answers, d.Events, d.PopulationHash)
	for _, p := range d.Problems {
		fmt.Fprintf(w, "problem: %s\n", oneLine(p))
	}
	const shown = 10
	for i, m := range d.Verified.Mismatches {
		if i == shown {
			fmt.Fprintf(w, "and %d more\n", len(d.Verified.Mismatches)-shown)
			break
		}
		fmt.Fprintf(w, "does not agree: %s\n", oneLine(m.String()))
	}
	if len(d.Problems)+len(d.Verified.Mismatches) > 0 {
		return nil
	}
	text := fmt.Sprintf("computed again from the answers: %d scores", d.Verified.Scores)
	if d.Verified.Finalists > 0 {
		text += fmt.Sprintf(", the verdict and the intervals of %d models", d.Verified.Finalists)
	}
	if d.Bundle {
		text += fmt.Sprintf(", %d numbers of report.json", d.Reported)
	}
	if d.Verified.Unchecked > 0 {
		text += fmt.Sprintf("; %d scores of equal recipes that left a race earlier were not", d.Verified.Unchecked)
	}
	_, err := fmt.Fprintln(w, text+": all agree")
	return err
}

// outcome is the error for what was found.
func (d checkDocument) outcome(path string) error {
	switch {
	case len(d.Problems) > 0:
		return &outcome{code: exitDamaged, text: fmt.Sprintf("%s: %d problems", path, len(d.Problems)), hint: "restore a backup of run.db, or start again in a new directory with --dir"}
	case len(d.Verified.Mismatches) > 0:
		hint := "the record was changed after the run, or written by another version: do not trust it; start again in a new directory with --dir"
		if d.Bundle {
			hint = "the bundle was changed, or written by another version: ask for it again"
		}
		return &outcome{code: exitDamaged, text: fmt.Sprintf("%s: %s", path, d.Verified.Mismatches[0]), hint: hint}
	}
	return nil
}
