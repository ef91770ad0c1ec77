package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// candidateDocument is one candidate in the JSON of candidates. Index,
// generation, genome, recipe_id, state, failed_reason and items_digest are what
// mergesearch.PopulationHash covers.
type candidateDocument struct {
	ID           mergesearch.CandidateID   `json:"id"`
	Name         string                    `json:"name,omitempty"`
	Index        int                       `json:"index"`
	RecipeID     mergesearch.RecipeID      `json:"recipe_id"`
	Generation   int                       `json:"generation"`
	Operator     string                    `json:"operator"`
	Parents      []mergesearch.CandidateID `json:"parents"`
	Genome       string                    `json:"genome"`
	ItemsDigest  string                    `json:"items_digest"`
	Rung         int                       `json:"rung"`
	State        mergesearch.State         `json:"state"`
	Fitness      *float64                  `json:"fitness"`
	StdErr       *float64                  `json:"stderr"`
	Items        int                       `json:"items"`
	FailedReason string                    `json:"failed_reason"` // code, empty when it did not fail
	FailedText   string                    `json:"failed_text,omitempty"`
	Fingerprint  string                    `json:"fingerprint,omitempty"`
	BuildSeconds float64                   `json:"build_s"`
	EvalSeconds  float64                   `json:"eval_s"`
}

func newCandidatesCommand() *cobra.Command {
	var sorted bool
	var states []string
	c := &cobra.Command{
		Use: "candidates DIR", Short: "list the candidates of a run, running or done", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			filter := store.Filter{ByRank: sorted}
			for _, s := range states {
				if err := knownState(s); err != nil {
					return err
				}
				filter.States = append(filter.States, mergesearch.State(s))
			}
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			documents, err := candidateDocuments(c.Context(), r, filter)
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), documents)
			}
			return candidateTable(c.OutOrStdout(), documents)
		},
	}
	c.Flags().BoolVar(&sorted, "best", false, "best fitness first instead of the order of asking")
	c.Flags().StringSliceVar(&states, "state", nil, "only candidates in this state (scored, eliminated, failed, ...)")
	return c
}

func knownState(s string) error {
	known := []string{"pending", "building", "scoring", "scored", "eliminated", "failed", "cancelled"}
	for _, k := range known {
		if s == k {
			return nil
		}
	}
	e := mergesearch.UnknownWord("state", s, known)
	e.Field, e.Problem = "--state", fmt.Sprintf("unknown state %q", s)
	return e
}

func candidateDocuments(ctx context.Context, r *store.Reader, filter store.Filter) ([]candidateDocument, error) {
	trials, err := r.Trials(ctx, filter)
	if err != nil {
		return nil, err
	}
	records, err := r.Records(ctx)
	if err != nil {
		return nil, err
	}
	answered := make(map[int][]mergesearch.Outcome, len(records))
	for _, record := range records {
		answered[record.Index] = record.Outcomes
	}
	documents := make([]candidateDocument, 0, len(trials))
	for _, t := range trials {
		d := candidateDocument{
			ID: t.ID(), Name: t.Name, Index: t.Index, RecipeID: t.RecipeID, Generation: t.Individual.Generation,
			Operator: t.Individual.Operator, Parents: t.Individual.Parents, Genome: t.Genome, Rung: t.Rung, State: t.State,
			ItemsDigest: mergesearch.ItemsDigest(answered[t.Index]), FailedReason: t.Reason.Code, FailedText: t.Reason.Text,
			Fingerprint: t.Fingerprint, BuildSeconds: t.BuildSeconds, EvalSeconds: t.EvalSeconds,
		}
		if d.Parents == nil {
			d.Parents = []mergesearch.CandidateID{}
		}
		if m, ok := t.Member(); ok {
			fitness, stderr := m.Fitness(), m.Score().StdErr
			d.Fitness, d.StdErr, d.Items = &fitness, &stderr, m.Score().Items
		}
		documents = append(documents, d)
	}
	return documents, nil
}

func candidateTable(w io.Writer, documents []candidateDocument) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-6s %4s  %-10s %15s %6s  %-12s %-14s %s\n", "id", "gen", "state", "fitness", "items", "operator", "parents", "recipe")
	for _, d := range documents {
		fitness := ""
		if d.Fitness != nil {
			fitness = fmt.Sprintf("%.3f ± %.3f", *d.Fitness, *d.StdErr)
		}
		var parents []string
		for _, p := range d.Parents {
			parents = append(parents, string(p))
		}
		what := d.Name
		if what == "" {
			what, _, _ = strings.Cut(d.Genome, ";")
		}
		if d.FailedReason != "" {
			what += " (" + d.FailedReason + ": " + d.FailedText + ")"
		}
		fmt.Fprintf(&b, "%-6s %4d  %-10s %15s %6d  %-12s %-14s %s\n", d.ID, d.Generation, d.State, fitness, d.Items, report.Plain(d.Operator), strings.Join(parents, " "), report.Plain(what))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
