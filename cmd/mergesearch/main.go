package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
)

// version is the program's version; a change of the part before the first dot
// means that runs of the older one cannot be resumed.
const version = "0.1.0"

// released is when this version was, for manual pages.
var released = time.Date(2026, time.November, 28, 0, 0, 0, 0, time.UTC)

// tool is how model cards name the program.
const tool = "mergesearch " + version

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs one command line and returns its exit code.
func execute(args []string, stdout, stderr io.Writer) int {
	ctx, stop := interruptible(stderr)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return exitCode(root.ExecuteContext(ctx), stderr)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "mergesearch",
		Short: "find the best way to merge fine-tuned language models",
		Long: `mergesearch finds the recipe that merges a family of fine-tuned language models
into one better model, and proves on held-out items that it is better.

  mergesearch run configs/quickstart/run.yaml

` + exitCodeHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // so that an unknown command reaches RunE
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return mergesearch.UnknownWord("command", args[0], subcommands(c))
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		problem, _, _ := strings.Cut(err.Error(), ": strconv.") // what Go calls it helps nobody
		return &mergesearch.InputError{Problem: problem, Hint: "see " + c.CommandPath() + " --help"}
	})
	root.PersistentFlags().Bool("json", false, "print one JSON document on standard output")
	root.AddCommand(
		newInitCommand(), newPlanCommand(), newDoctorCommand(), newRunCommand(),
		newStatusCommand(), newShowCommand(), newCandidatesCommand(), newDiffCommand(), newLineageCommand(), newItemsCommand(), newEventsCommand(),
		newReportCommand(), newExportCommand(), newCheckCommand(), newGCCommand(),
		newMergeCommand(), newEvalCommand(), newServeCommand(), newBenchCommand(),
		newExplainCommand(), newSchemaCommand(), newManCommand(), newVersionCommand(),
	)
	return root
}

// causeOf returns an error without the path of which it speaks.
func causeOf(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// pathOfFlag returns err, if it is an InputError about a path, as one about the flag that
// named the path.
func pathOfFlag(err error, flag string) error {
	var in *mergesearch.InputError
	if !errors.As(err, &in) {
		return err
	}
	return &mergesearch.InputError{Field: flag, Problem: in.Error(), Hint: "name another path with " + flag}
}

func subcommands(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		names = append(names, sub.Name())
	}
	return names
}

// yamlFiles completes the names of run files and recipes.
func yamlFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

func wantsJSON(c *cobra.Command) bool {
	on, _ := c.Flags().GetBool("json")
	return on
}

// arguments is cobra.ExactArgs and its kin with an error of the house.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		return &mergesearch.InputError{Problem: fmt.Sprintf("%s takes %s, got %d", c.Name(), counted(least, most), len(args)), Hint: "usage: " + c.UseLine()}
	}
}

func counted(least, most int) string {
	switch {
	case most < 0:
		return fmt.Sprintf("at least %d arguments", least)
	case least == most && most == 1:
		return "1 argument"
	case least == most:
		return fmt.Sprintf("%d arguments", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "mergesearch", version)
			return err
		},
	}
}
