package main

import (
	"github.com/spf13/cobra"

	"mergesearch/cmd/internal/runfile"
)

func newSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "print the JSON schema of run files, with which editors complete them",
		Long: `schema prints the JSON schema of run files. With the YAML language server, put it
beside your run files and write as their first line:

  # yaml-language-server: $schema=run.schema.json`,
		Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(runfile.Schema)
			return err
		},
	}
}
