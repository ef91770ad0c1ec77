package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

func newLineageCommand() *cobra.Command {
	return &cobra.Command{
		Use: "lineage DIR [CANDIDATE]", Short: "show who a candidate descends from; without one, the winner or the whole run with --json",
		Args: arguments(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			var l store.Lineage
			switch {
			case len(args) == 2:
				l, err = r.Ancestors(c.Context(), mergesearch.CandidateID(args[1]))
			case wantsJSON(c):
				l, err = r.Lineage(c.Context())
			default:
				var e store.Ending
				if e, err = r.Ending(c.Context()); err == nil {
					l, err = r.Ancestors(c.Context(), e.Result.Best.Candidate)
				}
			}
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), l)
			}
			return lineageTree(c.OutOrStdout(), l)
		},
	}
}

// lineageTree draws the last node with what it was made from below it, indented;
// a candidate that was drawn before is named without its own parents again.
func lineageTree(w io.Writer, l store.Lineage) error {
	if len(l.Nodes) == 0 {
		return nil
	}
	nodes := map[mergesearch.CandidateID]store.Node{}
	for _, n := range l.Nodes {
		nodes[n.ID] = n
	}
	parents := map[mergesearch.CandidateID][]mergesearch.CandidateID{}
	for _, e := range l.Edges {
		parents[e.Child] = append(parents[e.Child], e.Parent)
	}
	var b strings.Builder
	drawn := map[mergesearch.CandidateID]bool{}
	var draw func(id mergesearch.CandidateID, indent string, depth int)
	draw = func(id mergesearch.CandidateID, indent string, depth int) {
		n := nodes[id]
		fitness := "no fitness"
		if n.Fitness != nil {
			fitness = fmt.Sprintf("%.3f", *n.Fitness)
		}
		fmt.Fprintf(&b, "%s%s  %s  generation %d, %s", indent, n.ID, fitness, n.Generation, report.Plain(n.Operator))
		if n.Name != "" {
			fmt.Fprintf(&b, ", %s", report.Plain(n.Name))
		}
		if drawn[id] && len(parents[id]) > 0 {
			b.WriteString(", see above")
		}
		b.WriteByte('\n')
		if drawn[id] || depth > 200 {
			return
		}
		drawn[id] = true
		for _, p := range parents[id] {
			draw(p, indent+"  ", depth+1)
		}
	}
	draw(l.Nodes[len(l.Nodes)-1].ID, "", 0)
	_, err := io.WriteString(w, b.String())
	return err
}
