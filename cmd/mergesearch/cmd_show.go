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

func newShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show DIR [CANDIDATE]", Short: "show a run, running or done, or one of its candidates", Args: arguments(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			if len(args) == 2 {
				return showCandidate(c.Context(), c.OutOrStdout(), r, mergesearch.CandidateID(args[1]), wantsJSON(c))
			}
			s, err := summarize(c.Context(), r, args[0])
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.JSON(c.OutOrStdout(), s, formatRecipe)
			}
			return report.Text(c.OutOrStdout(), s)
		},
	}
}

// showDocument is the JSON of one candidate.
type showDocument struct {
	candidateDocument
	Recipe string           `json:"recipe"`
	Score  *report.Score    `json:"score"` // null without one
	Items  []answerDocument `json:"answers"`
}

type answerDocument struct {
	Item       mergesearch.ItemID `json:"item"`
	Split      mergesearch.Split  `json:"split"`
	Value      float64            `json:"value"`
	Completion string             `json:"completion"`
	Missing    bool               `json:"missing,omitempty"`
	Truncated  bool               `json:"truncated,omitempty"`
	Empty      bool               `json:"empty,omitempty"`
}

func showCandidate(ctx context.Context, w io.Writer, r *store.Reader, id mergesearch.CandidateID, asJSON bool) error {
	t, answers, err := r.Trial(ctx, id)
	if err != nil {
		return err
	}
	documents, err := candidateDocuments(ctx, r, store.Filter{From: t.Index, Limit: 1})
	if err != nil {
		return err
	}
	d := showDocument{candidateDocument: documents[0], Recipe: formatRecipe(t.Recipe), Items: []answerDocument{}}
	if m, ok := t.Member(); ok {
		score := report.ScoreOf(m.Score())
		d.Score = &score
	}
	for _, a := range answers {
		d.Items = append(d.Items, answerDocument{Item: a.Item, Split: a.Split, Value: a.Value, Completion: a.Completion, Missing: a.Missing, Truncated: a.Truncated, Empty: a.Empty})
	}
	if asJSON {
		return report.Write(w, d)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  generation %d, %s", d.ID, d.State, d.Generation, report.Plain(d.Operator))
	for i, p := range d.Parents {
		b.WriteString(map[bool]string{true: " of ", false: " and "}[i == 0])
		b.WriteString(string(p))
	}
	b.WriteByte('\n')
	if d.FailedReason != "" {
		fmt.Fprintf(&b, "failed: %s: %s\n", report.Plain(d.FailedReason), oneLine(d.FailedText))
	}
	if d.Score != nil {
		fmt.Fprintf(&b, "fitness %.3f ± %.3f on %d search items\n", d.Score.Fitness, d.Score.StdErr, d.Score.Items)
		if d.Score.Cost > 0 {
			fmt.Fprintf(&b, "  of which costs took %.3f\n", d.Score.Cost)
		}
		if d.Score.Violation > 0 {
			fmt.Fprintf(&b, "  constraints violated by %.3f\n", d.Score.Violation)
		}
		for _, task := range d.Score.Tasks {
			fmt.Fprintf(&b, "  %-16s %.3f ± %.3f (%d items, %d truncated, %d empty, %d missing)\n", report.Plain(task.Task), task.Value, task.StdErr, task.Items, task.Truncated, task.Empty, task.Missing)
		}
	}
	fmt.Fprintf(&b, "built in %.3f s, scored in %.3f s, weights %s\nrecipe %s:\n", d.BuildSeconds, d.EvalSeconds, d.Fingerprint, d.RecipeID)
	for line := range strings.Lines(d.Recipe) {
		b.WriteString("  " + report.Plain(strings.TrimSuffix(line, "\n")) + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
