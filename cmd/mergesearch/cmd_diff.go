package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
)

// diffDocument is the JSON of diff. Pairs are B against A.
type diffDocument struct {
	A       mergesearch.CandidateID `json:"a"`
	AName   string                  `json:"a_name,omitempty"`
	B       mergesearch.CandidateID `json:"b"`
	BName   string                  `json:"b_name,omitempty"`
	Changes []changeDocument        `json:"changes"` // from A to B
	Gains   []*pairDocument         `json:"gains"`   // of B over A; one for each split that both answered
}

func newDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use: "diff DIR A B", Short: "show what differs between two candidates: recipes, scores, items", Args: arguments(3, 3),
		Long: `diff goes from candidate A to candidate B and shows what differs and nothing else:
the method, coefficients by groups of layers, and what B wins and loses on the
items that both answered, with the 95 % interval of the paired difference.

A and B are IDs such as c0042, names of parents or baselines, best or best-parent.`,
		RunE: func(c *cobra.Command, args []string) error {
			return lookAt(c, args[0], func(run *inspect.Run) error { return diff(c, run, args[1], args[2]) })
		},
	}
}

func diff(c *cobra.Command, run *inspect.Run, wordA, wordB string) error {
	a, b, err := subjects(c, run, wordA, wordB)
	if err != nil {
		return err
	}
	d := diffDocument{A: a.ID(), AName: a.Name, B: b.ID(), BName: b.Name}
	changes := run.Diff(a.Trial, b.Trial)
	d.Changes, d.Gains = changesOf(changes), []*pairDocument{}
	var pairs []inspect.Pair
	for _, split := range inspect.Splits(b, a) {
		p, err := run.Compare(b, a, split)
		if err != nil {
			return err
		}
		if p.Comparison.Items > 0 {
			pairs = append(pairs, p)
			d.Gains = append(d.Gains, pairOf(p))
		}
	}
	if wantsJSON(c) {
		return report.Write(c.OutOrStdout(), d)
	}
	return diffText(c.OutOrStdout(), run, a, b, changes, pairs)
}

// subjects reads two candidates.
func subjects(c *cobra.Command, run *inspect.Run, words ...string) (a, b inspect.Subject, err error) {
	for i, into := range []*inspect.Subject{&a, &b} {
		id, err := run.Find(c.Context(), words[i])
		if err != nil {
			return a, b, err
		}
		if *into, err = run.Subject(c.Context(), id); err != nil {
			return a, b, err
		}
	}
	return a, b, nil
}

func diffText(w io.Writer, run *inspect.Run, a, b inspect.Subject, changes []inspect.Change, pairs []inspect.Pair) error {
	var out strings.Builder
	fmt.Fprintf(&out, "from %s\n  to %s\n", headline(a), headline(b))
	if a.RecipeID == b.RecipeID {
		out.WriteString("the recipes are equal, so they are one model\n")
		_, err := io.WriteString(w, out.String())
		return err
	}
	for _, p := range pairs {
		fmt.Fprintf(&out, "\non %d %s items: %s\n", p.Comparison.Items, p.Split, gainText(p))
		t := table{indent: "  "}
		t.add("task", string(p.B), string(p.A), "points", "won", "lost", "items")
		for _, x := range p.Tasks {
			t.add(clipped(x.Task, 28), fmt.Sprintf("%.3f", x.B), fmt.Sprintf("%.3f", x.A), fmt.Sprintf("%+.1f", 100*(x.A-x.B)), fmt.Sprint(x.Won), fmt.Sprint(x.Lost), fmt.Sprint(x.Items))
		}
		out.WriteString(t.String())
	}
	if len(pairs) == 0 {
		out.WriteString("\nthey have no items in common yet\n")
	}
	out.WriteString("\nrecipe:\n")
	t := table{indent: "  "}
	last := ""
	for _, x := range changes {
		parameter := report.Plain(x.Parameter)
		if parameter == last {
			parameter = ""
		} else {
			last = parameter
		}
		move := ""
		if !x.Chooses() && len(x.From.Values) > 0 && len(x.To.Values) > 0 {
			move = fmt.Sprintf("%+.3g", x.Move)
		}
		t.add(parameter, clipped(x.Expert, 24), clipped(placeText(inspect.Place{Group: x.Group, Block: x.Block}), 30), orDash(x.From.Text()), "->", orDash(x.To.Text()), move)
	}
	out.WriteString(t.String(1, 2, 5))
	if len(pairs) > 0 && pairs[0].Won+pairs[0].Lost > 0 {
		fmt.Fprintf(&out, "\nto read the items won and lost: mergesearch items %s %s --vs %s\n", shellWord(run.Dir()), b.ID(), a.ID())
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// headline says in a line who a candidate is.
func headline(s inspect.Subject) string {
	text := fmt.Sprintf("%s  %s", plainID(s.ID(), s.Name), s.State)
	if m, ok := s.Member(); ok {
		text += fmt.Sprintf("  %.3f ± %.3f on %d items", m.Fitness(), m.Score().StdErr, m.Score().Items)
	}
	return text + fmt.Sprintf("  %s, generation %d", report.Plain(s.Individual.Operator), s.Individual.Generation)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return clipped(s, 40)
}
