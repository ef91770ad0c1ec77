package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

func newShowCommand() *cobra.Command {
	var recipe bool
	c := &cobra.Command{
		Use: "show DIR [CANDIDATE]", Short: "show a run, running or done, or one of its candidates", Args: arguments(1, 2),
		Long: `show prints what there is to say about a run, or about one candidate: its scores
beside the best parent's on the same items, and its recipe by groups of layers.

CANDIDATE is an ID such as c0042, the name of a parent or baseline, best or
best-parent.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if recipe {
					return &mergesearch.InputError{Field: "--recipe", Problem: "of which candidate?", Hint: "show DIR best --recipe is that of the winner"}
				}
				return showRun(c, args[0])
			}
			return lookAt(c, args[0], func(run *inspect.Run) error { return showCandidate(c, run, args[1], recipe) })
		},
	}
	c.Flags().BoolVar(&recipe, "recipe", false, "print the candidate's recipe alone, as mergekit YAML")
	return c
}

func showRun(c *cobra.Command, dir string) error {
	beQuick()
	r, err := store.OpenReadOnly(c.Context(), dir)
	if err != nil {
		return err
	}
	defer r.Close()
	s, err := summarize(c.Context(), r, dir)
	if err != nil {
		return err
	}
	if wantsJSON(c) {
		return report.JSON(c.OutOrStdout(), s, formatRecipe)
	}
	return report.Text(c.OutOrStdout(), s)
}

// showDocument is the JSON of one candidate.
type showDocument struct {
	candidateDocument
	Place         int                    `json:"place"` // by fitness, among the Of in the same state; 0 without a score
	Of            int                    `json:"of"`
	Recipe        string                 `json:"recipe"`
	Score         *report.Score          `json:"score"`               // null without one
	AgainstParent *pairDocument          `json:"against_best_parent"` // null without common items
	Contributions []inspect.Contribution `json:"contributions"`
	Items         []answerDocument       `json:"answers"`
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

// candidateView is everything that show says of a candidate.
type candidateView struct {
	inspect.Subject
	place, of     int
	parent        *inspect.Subject // the best
	against       *inspect.Pair
	contributions []inspect.Contribution
	settings      []inspect.Setting
}

func viewCandidate(ctx context.Context, run *inspect.Run, word string) (v candidateView, err error) {
	id, err := run.Find(ctx, word)
	if err != nil {
		return v, err
	}
	if v.Subject, err = run.Subject(ctx, id); err != nil {
		return v, err
	}
	if v.place, v.of, err = run.Standings(ctx, v.Index); err != nil {
		return v, err
	}
	v.contributions, v.settings = run.Contributions(v.Trial), run.Settings(v.Trial)
	best, err := run.BestParent(ctx)
	if err != nil || best.ID() == id {
		return v, nil // no parent has a score yet
	}
	parent, err := run.Subject(ctx, best.ID())
	if err != nil {
		return v, err
	}
	v.parent = &parent
	p, err := run.Compare(v.Subject, parent, mergesearch.SearchSplit)
	if err == nil && p.Comparison.Items > 0 {
		v.against = &p
	}
	return v, err
}

func showCandidate(c *cobra.Command, run *inspect.Run, word string, recipe bool) error {
	v, err := viewCandidate(c.Context(), run, word)
	if err != nil {
		return err
	}
	switch {
	case recipe:
		_, err = io.WriteString(c.OutOrStdout(), formatRecipe(v.Recipe))
		return err
	case !wantsJSON(c):
		return v.text(c.OutOrStdout(), run)
	}
	brief, err := run.Brief(c.Context(), v.ID())
	if err != nil {
		return err
	}
	documents, err := candidateDocuments(c.Context(), run.Reader, []store.Brief{brief})
	if err != nil {
		return err
	}
	d := showDocument{
		candidateDocument: documents[0], Place: v.place, Of: v.of, Recipe: formatRecipe(v.Recipe),
		Contributions: v.contributions, Items: []answerDocument{},
	}
	if m, ok := v.Member(); ok {
		score := report.ScoreOf(m.Score())
		d.Score = &score
	}
	if v.against != nil {
		d.AgainstParent = pairOf(*v.against)
	}
	for _, a := range v.Answers {
		d.Items = append(d.Items, answerDocument{Item: a.Item, Split: a.Split, Value: a.Value, Completion: a.Completion, Missing: a.Missing, Truncated: a.Truncated, Empty: a.Empty})
	}
	return report.Write(c.OutOrStdout(), d)
}

func (v candidateView) text(w io.Writer, run *inspect.Run) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  generation %d, %s", plainID(v.ID(), v.Name), v.State, v.Individual.Generation, report.Plain(v.Individual.Operator))
	for i, p := range v.Individual.Parents {
		b.WriteString(map[bool]string{true: " of ", false: " and "}[i == 0])
		b.WriteString(string(p))
	}
	b.WriteByte('\n')
	if v.Reason.Code != "" {
		fmt.Fprintf(&b, "failed: %s: %s\n", report.Plain(v.Reason.Code), oneLine(v.Reason.Text))
	}
	if m, ok := v.Member(); ok {
		v.scores(&b, m.Score())
	}
	if v.BuildSeconds+v.EvalSeconds > 0 {
		fmt.Fprintf(&b, "built in %.3g s, scored in %.3g s\n", v.BuildSeconds, v.EvalSeconds)
	}
	fmt.Fprintf(&b, "\nrecipe %s\n", v.RecipeID)
	settingsText(&b, v.settings)
	b.WriteString("\n" + contributionText(v.contributions))
	fmt.Fprintf(&b, "\nas mergekit YAML: mergesearch show %s %s --recipe\n", shellWord(run.Dir()), v.ID())
	_, err := io.WriteString(w, b.String())
	return err
}

// scores writes the fitness, the value of each task beside that of the best parent,
// and what is wrong with the answers.
func (v candidateView) scores(b *strings.Builder, s mergesearch.Score) {
	fmt.Fprintf(b, "fitness %.3f ± %.3f on %d search items", s.Fitness, s.StdErr, s.Items)
	if v.place > 0 {
		fmt.Fprintf(b, ", place %d of %d that are %s", v.place, v.of, v.State)
	}
	b.WriteByte('\n')
	if s.Cost > 0 {
		fmt.Fprintf(b, "  of which costs took %.3f\n", s.Cost)
	}
	if s.Violation > 0 {
		fmt.Fprintf(b, "  constraints violated by %.3f\n", s.Violation)
	}
	t := table{indent: "  "}
	head := []string{"task", "value", "items", "cut", "empty", "missing"}
	if v.against != nil {
		head = append(head, "best parent", "won", "lost")
	}
	t.add(head...)
	for _, task := range s.Tasks {
		n := float64(max(1, task.Items))
		row := []string{
			clipped(task.Task, 28), fmt.Sprintf("%.3f ± %.3f", task.Value, task.StdErr), fmt.Sprint(task.Items),
			percent(float64(task.Truncated) / n), percent(float64(task.Empty) / n), percent(float64(task.Missing) / n),
		}
		if v.against != nil {
			for _, p := range v.against.Tasks {
				if p.Task == task.Task {
					row = append(row, fmt.Sprintf("%.3f", p.B), fmt.Sprint(p.Won), fmt.Sprint(p.Lost))
				}
			}
		}
		t.add(row...)
	}
	b.WriteString(t.String())
	if v.against != nil {
		fmt.Fprintf(b, "against the best parent, %s, on %d items:\n  %s\n", report.Plain(v.parent.Name), v.against.Comparison.Items, gainText(*v.against))
		b.WriteString(suspicion(s, v.parent.Score))
	}
}

// suspicion says when answers were cut off at another rate than the parent's: a gain
// may then be one of length.
func suspicion(s, parent mergesearch.Score) string {
	a, b := inspect.RatesOf(s), inspect.RatesOf(parent)
	if math.Abs(a.Truncated-b.Truncated) <= 0.02 {
		return ""
	}
	return fmt.Sprintf("  %s of its answers were cut off, %s of the parent's: the difference may be one of length\n", percent(a.Truncated), percent(b.Truncated))
}

// settingsText writes what a recipe sets: words in a line, numbers as a table for each
// parameter, with a row for each group and a column for each expert.
func settingsText(b *strings.Builder, list []inspect.Setting) {
	var parameters []string
	for _, s := range list {
		if s.Word != "" {
			where := ""
			if at := placeText(s.Place); at != "" {
				where = " of " + at
			}
			fmt.Fprintf(b, "  %s%s: %s\n", report.Plain(s.Parameter), where, report.Plain(s.Word))
		} else if !slices.Contains(parameters, s.Parameter) {
			parameters = append(parameters, s.Parameter)
		}
	}
	for _, p := range parameters {
		var experts, rows []string
		cells := map[string]map[string]string{}
		for _, s := range list {
			if s.Parameter != p || s.Word != "" {
				continue
			}
			row := placeText(inspect.Place{Group: s.Group, Block: s.Block})
			if row == "" {
				row = "everywhere"
			}
			if cells[row] == nil {
				cells[row] = map[string]string{}
				rows = append(rows, row)
			}
			expert := s.Expert
			if expert == "" {
				expert = "all"
			}
			if !slices.Contains(experts, expert) {
				experts = append(experts, expert)
			}
			cells[row][expert] = s.Text()
		}
		if len(rows) == 1 && len(experts) == 1 && experts[0] == "all" && rows[0] == "everywhere" {
			fmt.Fprintf(b, "  %s: %s\n", report.Plain(p), cells[rows[0]]["all"])
			continue
		}
		width := max(8, min(24, (96-30)/len(experts)-2))
		t := table{indent: "  "}
		head := []string{report.Plain(p)}
		for _, e := range experts {
			head = append(head, clipped(e, width))
		}
		t.add(head...)
		for _, row := range rows {
			line := []string{"  " + clipped(row, 40)}
			for _, e := range experts {
				line = append(line, cells[row][e])
			}
			t.add(line...)
		}
		b.WriteString(t.String())
	}
}

// contributionText writes which expert gave what: the shares over everything, then
// where it differs by groups.
func contributionText(list []inspect.Contribution) string {
	var b strings.Builder
	overall := inspect.Overall(list)
	var shares, models []string
	for _, s := range overall {
		shares = append(shares, fmt.Sprintf("%s %.0f %%", report.Plain(s.Model), 100*s.Share))
		models = append(models, s.Model)
	}
	fmt.Fprintf(&b, "what each model gives: %s\n", strings.Join(shares, ", "))
	if slices.ContainsFunc(list, func(c inspect.Contribution) bool { return !c.Settled }) {
		b.WriteString("  (the method itself decides; counted alike)\n")
	}
	if len(list) < 2 {
		return b.String()
	}
	slices.Sort(models)
	width := max(8, min(24, (96-44)/len(models)-2))
	t := table{indent: "  "}
	head := []string{"group", ""}
	for i, m := range models {
		head = append(head, clipped(letter(i)+" "+m, width))
	}
	t.add(head...)
	for _, c := range list {
		row := []string{clipped(placeText(inspect.Place{Group: c.Group, Block: c.Block}), 30), bar(c.Shares, models)}
		for _, m := range models {
			cell := ""
			for _, s := range c.Shares {
				if s.Model == m {
					cell = fmt.Sprintf("%.0f %%", 100*s.Share)
				}
			}
			row = append(row, cell)
		}
		t.add(row...)
	}
	b.WriteString(t.String(1))
	return b.String()
}

func letter(i int) string { return string(rune('A' + i%26)) }

// bar draws shares as a bar of 20 letters, one for each model: its place among them.
func bar(shares []inspect.Share, models []string) string {
	const width = 20
	var b strings.Builder
	sum := 0.0
	for i, m := range models {
		for _, s := range shares {
			if s.Model == m {
				sum += s.Share
			}
		}
		n := int(math.Round(width * sum))
		b.WriteString(strings.Repeat(letter(i), max(0, n-b.Len())))
	}
	return b.String()
}
