package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
)

// reasons explains why single candidates fail: the codes of mergesearch.Reason.
var reasons = []topic{
	{"not_finite", "a merged tensor, or what the model computed with it, is NaN or infinite", "Coefficients were too large for the type of the tensors, or a parent holds such values. The search goes on without the candidate; narrow the ranges of its genes, or merge in float32, when there are many."},
	{"degenerate", "the candidate's log-likelihoods are not numbers or do not tell any choices apart", "The weights that answered are proved to be the candidate's, so it is not the server's fault: the merge destroyed the model. It counts as failed and does not breed."},
	{"not_served", "the inference server refused the candidate's weights", "What the server said stands in the reason. When every candidate fails so, the run ends (too_many_failures): try the server by hand with an exported candidate."},
}

// topic is something that has a code and can be explained.
type topic struct{ Code, What, Advice string }

func newExplainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "explain an exit code, an error or why a candidate failed",
		Args:  arguments(0, 1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return codes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			found := explained()
			if len(args) == 1 {
				if found = about(args[0]); len(found) == 0 {
					return mergesearch.UnknownWord("code", args[0], codes())
				}
			}
			if wantsJSON(c) {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(found)
			}
			return printExplained(c.OutOrStdout(), found, len(args) == 1)
		},
	}
}

// explanation is a topic with the exit code that goes with it; -1 for what fails
// single candidates.
type explanation struct {
	Code   string `json:"code"`
	Exit   *int   `json:"exit_code,omitempty"`
	What   string `json:"what"`
	Advice string `json:"advice"`
}

// explained lists everything that has a code.
func explained() []explanation {
	var out []explanation
	for _, k := range kinds {
		out = append(out, explanation{k.Code, &k.exit, k.What, k.Advice})
	}
	for _, r := range reasons {
		out = append(out, explanation{r.Code, nil, r.What, r.Advice})
	}
	return out
}

// about returns what has that code: a word, or the number of an exit code.
func about(code string) []explanation {
	n, err := strconv.Atoi(code)
	return slices.DeleteFunc(explained(), func(e explanation) bool {
		if err == nil {
			return e.Exit == nil || *e.Exit != n
		}
		return e.Code != code
	})
}

func codes() []string {
	var out []string
	for _, e := range explained() {
		out = append(out, e.Code)
	}
	return out
}

func printExplained(w io.Writer, found []explanation, whole bool) error {
	var b strings.Builder
	for i, e := range found {
		where := "one candidate"
		if e.Exit != nil {
			where = fmt.Sprintf("exit code %d", *e.Exit)
		}
		if !whole {
			fmt.Fprintf(&b, "%-18s %-14s %s\n", e.Code, where, e.What)
			continue
		}
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s (%s): %s.\n", e.Code, where, e.What)
		for _, line := range wrapped(e.Advice, 90) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrapped cuts text into lines of at most so many bytes, between words.
func wrapped(text string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}
