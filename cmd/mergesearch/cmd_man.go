package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"mergesearch"
)

func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man [COMMAND]",
		Short: "print a manual page: mergesearch man run | man -l -",
		Args:  arguments(0, 1),
		RunE: func(c *cobra.Command, args []string) error {
			page := c.Root()
			if len(args) == 1 {
				sub, _, err := c.Root().Find(args)
				if err != nil || sub == page {
					return mergesearch.UnknownWord("command", args[0], subcommands(page))
				}
				page = sub
			}
			page.DisableAutoGenTag = true // no date: the same program prints the same page
			return doc.GenMan(page, &doc.GenManHeader{Section: "1", Source: tool, Manual: "mergesearch", Date: &released}, c.OutOrStdout())
		},
	}
}
