package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

func newCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check DIR", Short: "verify a run's database: structure, event chain, scores and population hash", Args: arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			r, err := store.OpenReadOnly(c.Context(), args[0])
			if err != nil {
				return err
			}
			defer r.Close()
			found, err := r.Check(c.Context())
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				if err := report.Write(c.OutOrStdout(), found); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(c.OutOrStdout(), "%s: %d trials, %d answers, %d events, population %s\n", report.Plain(args[0]), found.Trials, found.Answers, found.Events, found.PopulationHash)
				for _, p := range found.Problems {
					fmt.Fprintf(c.OutOrStdout(), "problem: %s\n", oneLine(p))
				}
			}
			if len(found.Problems) > 0 {
				return &outcome{code: exitDamaged, text: fmt.Sprintf("%s: %d problems", args[0], len(found.Problems)), hint: "restore a backup of run.db, or start again in a new directory with --dir"}
			}
			return nil
		},
	}
}
