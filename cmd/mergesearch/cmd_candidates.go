package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// candidateDocument is one candidate in the JSON of candidates. Index,
// generation, genome, recipe_id, state, failed_reason and items_digest are what
// mergesearch.PopulationHash covers.
type candidateDocument struct {
	ID           mergesearch.CandidateID   `json:"id"`
	Name         string                    `json:"name,omitempty"`
	Index        int                       `json:"index"`
	RecipeID     mergesearch.RecipeID      `json:"recipe_id"`
	Method       string                    `json:"method"`
	Generation   int                       `json:"generation"`
	Operator     string                    `json:"operator"`
	Parents      []mergesearch.CandidateID `json:"parents"`
	Genome       string                    `json:"genome"`
	ItemsDigest  string                    `json:"items_digest"`
	Rung         int                       `json:"rung"`
	State        mergesearch.State         `json:"state"`
	Fitness      *float64                  `json:"fitness"`
	StdErr       *float64                  `json:"stderr"`
	Items        int                       `json:"items"`
	Truncated    float64                   `json:"truncated"` // shares of the items
	Empty        float64                   `json:"empty"`
	Missing      float64                   `json:"missing"`
	Tokens       int                       `json:"completion_tokens"`
	FailedReason string                    `json:"failed_reason"` // code, empty when it did not fail
	FailedText   string                    `json:"failed_text,omitempty"`
	Fingerprint  string                    `json:"fingerprint,omitempty"`
	BuildSeconds float64                   `json:"build_s"`
	EvalSeconds  float64                   `json:"eval_s"`
}

type candidatesFlags struct {
	sort        string
	best        bool
	states      []string
	operators   []string
	methods     []string
	generations []int
	minFitness  float64
	limit       int
}

func newCandidatesCommand() *cobra.Command {
	var f candidatesFlags
	c := &cobra.Command{
		Use: "candidates DIR", Short: "list the candidates of a run, running or done", Args: arguments(1, 1),
		Long: `candidates lists what a run has tried, with the shares of answers that were cut
off, empty or missing beside the score: they tell a weak model from one that was
not heard out.

--sort takes fitness, index (the order of asking), items, tokens, seconds, or
task:NAME for the value of one task.`,
		RunE: func(c *cobra.Command, args []string) error {
			return lookAt(c, args[0], func(run *inspect.Run) error { return candidates(c, run, f) })
		},
	}
	c.Flags().StringVar(&f.sort, "sort", string(store.ByIndex), "fitness, index, items, tokens, seconds or task:NAME")
	c.Flags().BoolVar(&f.best, "best", false, "the same as --sort fitness")
	c.Flags().StringSliceVar(&f.states, "state", nil, "only candidates in this state (scored, eliminated, failed, ...)")
	c.Flags().StringSliceVar(&f.operators, "operator", nil, "only candidates made so (crossover, mutation, parent, ...)")
	c.Flags().StringSliceVar(&f.methods, "method", nil, "only candidates of this merge method")
	c.Flags().IntSliceVar(&f.generations, "generation", nil, "only candidates of these generations")
	c.Flags().Float64Var(&f.minFitness, "min-fitness", 0, "only candidates of this fitness or a higher one")
	c.Flags().IntVar(&f.limit, "limit", 0, "list at most so many (default all)")
	return c
}

// states are those of a trial.
var states = []string{"pending", "building", "scoring", "scored", "eliminated", "failed", "cancelled"}

// taskSort is what --sort begins with for the value of a task.
const taskSort = "task:"

// filter checks the words of the flags against those of the run.
func (f candidatesFlags) filter(c *cobra.Command, run *inspect.Run) (store.Filter, error) {
	filter := store.Filter{Limit: f.limit, Order: store.Order(f.sort), Operators: f.operators, Methods: f.methods, Generations: f.generations}
	if f.best {
		filter.Order = store.ByFitness
	}
	if c.Flags().Changed("min-fitness") {
		filter.MinFitness = &f.minFitness
	}
	if f.limit < 0 {
		return filter, &mergesearch.InputError{Field: "--limit", Problem: "cannot be negative"}
	}
	task, byTask := strings.CutPrefix(f.sort, taskSort)
	known := []string{}
	for _, o := range store.Orders {
		known = append(known, string(o))
	}
	for _, t := range run.Benchmark.Tasks {
		known = append(known, taskSort+t.Task)
	}
	if err := oneWord("sort", "order", f.sort, known); err != nil {
		return filter, err
	}
	if byTask && task != "" {
		filter.Order, filter.Limit = store.ByIndex, 0
	}
	for _, s := range f.states {
		if err := oneWord("state", "state", s, states); err != nil {
			return filter, err
		}
		filter.States = append(filter.States, mergesearch.State(s))
	}
	if f.operators == nil && f.methods == nil {
		return filter, nil
	}
	words, err := run.Distinct(c.Context())
	if err != nil {
		return filter, err
	}
	for _, o := range f.operators {
		if err := oneWord("operator", "operator", o, words.Operators); err != nil {
			return filter, err
		}
	}
	for _, m := range f.methods {
		if err := oneWord("method", "method", m, sortedUnion(words.Methods, run.File.Methods)); err != nil {
			return filter, err
		}
	}
	return filter, nil
}

func sortedUnion(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func candidates(c *cobra.Command, run *inspect.Run, f candidatesFlags) error {
	filter, err := f.filter(c, run)
	if err != nil {
		return err
	}
	var briefs []store.Brief
	var parents map[int][]mergesearch.CandidateID
	group, ctx := errgroup.WithContext(c.Context())
	group.Go(func() (err error) {
		briefs, err = run.Briefs(ctx, filter)
		return err
	})
	group.Go(func() (err error) {
		parents, err = run.Parents(ctx)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if task, ok := strings.CutPrefix(f.sort, taskSort); ok && !f.best {
		slices.SortStableFunc(briefs, func(x, y store.Brief) int { return cmp.Compare(taskValue(y, task), taskValue(x, task)) })
		if f.limit > 0 {
			briefs = briefs[:min(len(briefs), f.limit)]
		}
	}
	if wantsJSON(c) {
		documents, err := candidateDocuments(c.Context(), run.Reader, briefs)
		if err != nil {
			return err
		}
		return report.Write(c.OutOrStdout(), documents)
	}
	return candidateTable(c.OutOrStdout(), briefs, parents, strings.TrimPrefix(f.sort, taskSort))
}

// taskValue returns the value of a task, or -1 without one.
func taskValue(b store.Brief, task string) float64 {
	for _, t := range b.Score.Tasks {
		if t.Task == task && b.HasScore() {
			return t.Value
		}
	}
	return -1
}

// candidateDocuments adds to trials in brief what the JSON has of them: genomes,
// parents, fingerprints, and a digest of everything that was answered.
func candidateDocuments(ctx context.Context, r *store.Reader, briefs []store.Brief) ([]candidateDocument, error) {
	details, err := r.Details(ctx, briefs)
	if err != nil {
		return nil, err
	}
	documents := make([]candidateDocument, 0, len(briefs))
	for i, b := range briefs {
		rates := inspect.RatesOf(b.Score)
		d := candidateDocument{
			ID: b.ID(), Name: b.Name, Index: b.Index, RecipeID: b.RecipeID, Method: b.Method, Generation: b.Generation,
			Operator: b.Operator, Parents: details[i].Parents, Genome: details[i].Genome, Rung: b.Rung, State: b.State,
			ItemsDigest: details[i].ItemsDigest, FailedReason: b.Reason.Code, FailedText: b.Reason.Text,
			Truncated: rates.Truncated, Empty: rates.Empty, Missing: rates.Missing, Tokens: b.Score.CompletionTokens,
			Fingerprint: details[i].Fingerprint, BuildSeconds: b.BuildSeconds, EvalSeconds: b.EvalSeconds,
		}
		if d.Parents == nil {
			d.Parents = []mergesearch.CandidateID{}
		}
		if b.HasScore() {
			d.Fitness, d.StdErr, d.Items = &b.Score.Fitness, &b.Score.StdErr, b.Score.Items
		}
		documents = append(documents, d)
	}
	return documents, nil
}

// candidateTable writes a row for each candidate. With a task it shows the value of
// that too.
func candidateTable(w io.Writer, briefs []store.Brief, parents map[int][]mergesearch.CandidateID, task string) error {
	t := table{width: terminalWidth(w)}
	head := []string{"id", "gen", "state", "fitness", "items", "cut/emp/miss %", "method", "parents", "made by"}
	byTask := slices.ContainsFunc(briefs, func(b store.Brief) bool { return taskValue(b, task) >= 0 })
	if byTask {
		head = slices.Insert(head, 4, clipped(task, 12))
	}
	t.add(head...)
	for _, b := range briefs {
		row := []string{string(b.ID()), strconv.Itoa(b.Generation), string(b.State), "", "", "", clipped(b.Method, 18), kin(parents[b.Index]), origin(b)}
		value := ""
		if b.HasScore() {
			rates := inspect.RatesOf(b.Score)
			row[3], row[4] = fmt.Sprintf("%.3f ± %.3f", b.Score.Fitness, b.Score.StdErr), strconv.Itoa(b.Score.Items)
			row[5] = strings.ReplaceAll(percent(rates.Truncated)+"/"+percent(rates.Empty)+"/"+percent(rates.Missing), " %", "")
			value = fmt.Sprintf("%.3f", taskValue(b, task))
		}
		if byTask {
			row = slices.Insert(row, 4, value)
		}
		t.add(row...)
	}
	left := []int{2, len(head) - 3, len(head) - 2, len(head) - 1}
	_, err := io.WriteString(w, t.String(left...))
	return err
}

// kin lists the parents, of many the first.
func kin(parents []mergesearch.CandidateID) string {
	var ids []string
	for i, p := range parents {
		if i == 3 {
			ids = append(ids, fmt.Sprintf("and %d", len(parents)-i))
			break
		}
		ids = append(ids, string(p))
	}
	return strings.Join(ids, " ")
}

// origin says how a candidate was made, who it is, and what it failed of.
func origin(b store.Brief) string {
	text := clipped(b.Operator, 30)
	if b.Name != "" {
		text += ": " + clipped(b.Name, 40)
	}
	if b.Reason.Code != "" {
		text += " (" + clipped(b.Reason.Code+": "+b.Reason.Text, 100) + ")"
	}
	return text
}
