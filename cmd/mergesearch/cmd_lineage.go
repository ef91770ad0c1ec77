package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// lineageDocument is the JSON of lineage. Nodes and edges are those of the whole run,
// or with a candidate its ancestors up to --depth.
type lineageDocument struct {
	Candidate     mergesearch.CandidateID `json:"candidate"`
	Line          inspect.Line            `json:"line"`
	Trunk         []stepDocument          `json:"trunk"`
	AgainstParent *pairDocument           `json:"against_best_parent"`
	Contributions []inspect.Contribution  `json:"contributions"`
	store.Lineage
}

type stepDocument struct {
	ID         mergesearch.CandidateID   `json:"id"`
	Name       string                    `json:"name,omitempty"`
	Generation int                       `json:"generation"`
	Over       int                       `json:"over"`
	Operator   string                    `json:"operator"`
	Parents    []mergesearch.CandidateID `json:"parents"`
	Method     string                    `json:"method"`
	Fitness    *float64                  `json:"fitness"`
	StdErr     *float64                  `json:"stderr"`
	Changes    []changeDocument          `json:"changes"`
	Gain       *pairDocument             `json:"gain"`
}

func newLineageCommand() *cobra.Command {
	depth := 2
	c := &cobra.Command{
		Use: "lineage DIR [CANDIDATE]", Short: "show how a run came to its winner, or to a candidate", Args: arguments(1, 2),
		Long: `lineage shows the trunk of a candidate, or of the winner: the candidates on its
line of descent that were better than all before them, what each changed and what
that bought, in pairs on search items. Below it stands which model gives what, and
the parents of the candidate and theirs (--depth).

A candidate of a long search descends from most of the run; so never all of that is
drawn. CANDIDATE is an ID such as c0042, the name of a baseline, best or best-parent.`,
		RunE: func(c *cobra.Command, args []string) error {
			if depth < 0 || depth > 12 {
				return &mergesearch.InputError{Field: "--depth", Problem: fmt.Sprintf("%d generations", depth), Hint: "0 draws no tree; 12 are the most"}
			}
			word := inspect.WordWinner
			if len(args) == 2 {
				word = args[1]
			}
			return lookAt(c, args[0], func(run *inspect.Run) error { return lineage(c, run, word, len(args) == 1, depth) })
		},
	}
	c.Flags().IntVar(&depth, "depth", depth, "generations of the tree below the trunk; 0 for none")
	return c
}

func lineage(c *cobra.Command, run *inspect.Run, word string, whole bool, depth int) error {
	ctx := c.Context()
	id, err := run.Find(ctx, word)
	if err != nil {
		return err
	}
	trunk, err := run.Trunk(ctx, id)
	if err != nil {
		return err
	}
	of, err := run.Subject(ctx, id)
	if err != nil {
		return err
	}
	contributions := run.Contributions(of.Trial)
	if wantsJSON(c) {
		return lineageJSON(ctx, c.OutOrStdout(), run, trunk, contributions, whole, depth)
	}
	var b strings.Builder
	trunkText(&b, trunk)
	b.WriteString("\n" + contributionText(contributions))
	if depth > 0 {
		near, err := run.Near(ctx, id, depth)
		if err != nil {
			return err
		}
		if len(near.Edges) > 0 {
			fmt.Fprintf(&b, "\nwhat it was made of, %d generation%s back\n", depth, map[bool]string{false: "s"}[depth == 1])
			lineageTree(&b, near)
		}
	}
	_, err = io.WriteString(c.OutOrStdout(), b.String())
	return err
}

func lineageJSON(ctx context.Context, w io.Writer, run *inspect.Run, trunk inspect.Trunk, contributions []inspect.Contribution, whole bool, depth int) (err error) {
	d := lineageDocument{Candidate: trunk.Of, Line: trunk.Line, Trunk: []stepDocument{}, Contributions: contributions}
	for _, s := range trunk.Steps {
		x := stepDocument{
			ID: s.ID(), Name: s.Name, Generation: s.Generation, Over: s.Over, Operator: s.Operator, Parents: s.Parents,
			Method: s.Method, Changes: changesOf(s.Changes),
		}
		if x.Parents == nil {
			x.Parents = []mergesearch.CandidateID{}
		}
		if s.HasScore() {
			x.Fitness, x.StdErr = &s.Score.Fitness, &s.Score.StdErr
		}
		if s.Gain != nil {
			x.Gain = pairOf(*s.Gain)
		}
		d.Trunk = append(d.Trunk, x)
	}
	if trunk.AgainstParent != nil {
		d.AgainstParent = pairOf(*trunk.AgainstParent)
	}
	if whole {
		d.Lineage, err = run.Lineage(ctx)
	} else {
		d.Lineage, err = run.Near(ctx, trunk.Of, depth)
	}
	if err != nil {
		return err
	}
	return report.Write(w, d)
}

// movesShown is how many moves of coefficients a step of the trunk names.
const movesShown = 3

func trunkText(b *strings.Builder, t inspect.Trunk) {
	fmt.Fprintf(b, "how %s came about, %s\n", t.Of, map[inspect.Line]string{
		inspect.Descent: "along its line of descent",
		inspect.Records: "by the bests of the run so far (it was made of no other candidate)",
	}[t.Line])
	for i, s := range t.Steps {
		fitness := "no score"
		if s.HasScore() {
			fitness = fmt.Sprintf("%.3f ± %.3f", s.Score.Fitness, s.Score.StdErr)
		}
		fmt.Fprintf(b, "\n%s  %s  %s, %s\n", plainID(s.ID(), s.Name), fitness, report.Plain(s.Method), made(s))
		if i > 0 {
			for _, line := range stepChanges(s) {
				fmt.Fprintf(b, "       %s\n", line)
			}
		}
		if s.Gain != nil {
			over := ""
			if i == 0 && t.BestParent != nil {
				over = fmt.Sprintf(" over the best parent, %s", report.Plain(t.BestParent.Name))
			}
			fmt.Fprintf(b, "       %+.1f points%s (%+.1f to %+.1f), %d items won, %d lost\n", 100*s.Gain.Gain, over, 100*s.Gain.CILow, 100*s.Gain.CIHigh, s.Gain.Won, s.Gain.Lost)
		}
	}
	if t.AgainstParent != nil && len(t.Steps) > 1 {
		fmt.Fprintf(b, "\naltogether against the best parent, %s, on %d search items:\n       %s\n", report.Plain(t.BestParent.Name), t.AgainstParent.Comparison.Items, gainText(*t.AgainstParent))
		b.WriteString("       (search items chose the candidates, so this is more than will hold)\n")
	}
}

// made says how a candidate was made and how far back the step before lies.
func made(s inspect.Step) string {
	text := report.Plain(s.Operator)
	for i, p := range s.Parents {
		text += map[bool]string{true: " of ", false: " and "}[i == 0] + string(p)
	}
	text += fmt.Sprintf(", generation %d", s.Generation)
	if s.Over > 1 {
		text += fmt.Sprintf(" (%d generations later)", s.Over)
	}
	return text
}

// stepChanges says what a step changed: words, the largest moves, how many more.
func stepChanges(s inspect.Step) []string {
	var out []string
	shown := inspect.Largest(s.Changes, movesShown)
	for _, c := range shown {
		out = append(out, changeText(c))
	}
	if more := len(s.Changes) - len(shown); more > 0 {
		out = append(out, fmt.Sprintf("and %d smaller move%s", more, map[bool]string{false: "s"}[more == 1]))
	}
	return out
}

// lineageTree draws the last node with what it was made from below it, indented;
// a candidate that was drawn before is named without its own parents again.
func lineageTree(b *strings.Builder, l store.Lineage) {
	nodes := map[mergesearch.CandidateID]store.Node{}
	for _, n := range l.Nodes {
		nodes[n.ID] = n
	}
	parents := map[mergesearch.CandidateID][]mergesearch.CandidateID{}
	for _, e := range l.Edges {
		if !slices.Contains(parents[e.Child], e.Parent) {
			parents[e.Child] = append(parents[e.Child], e.Parent)
		}
	}
	drawn := map[mergesearch.CandidateID]bool{}
	var draw func(id mergesearch.CandidateID, indent string)
	draw = func(id mergesearch.CandidateID, indent string) {
		n := nodes[id]
		fitness := "no fitness"
		if n.Fitness != nil {
			fitness = fmt.Sprintf("%.3f", *n.Fitness)
		}
		fmt.Fprintf(b, "%s%s  %s  generation %d, %s", indent, plainID(n.ID, n.Name), fitness, n.Generation, report.Plain(n.Operator))
		if drawn[id] && len(parents[id]) > 0 {
			b.WriteString(", see above")
		}
		b.WriteByte('\n')
		if drawn[id] {
			return
		}
		drawn[id] = true
		for _, p := range parents[id] {
			draw(p, indent+"  ")
		}
	}
	draw(l.Nodes[len(l.Nodes)-1].ID, "  ")
}
