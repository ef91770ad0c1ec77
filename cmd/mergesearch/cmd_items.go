package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
)

type itemsFlags struct {
	vs              string
	won, lost, same bool
	task, split     string
	limit           int
	full            bool
}

// itemsDocument is the JSON of items: those of the sides that were asked for.
type itemsDocument struct {
	Pair     *pairDocument      `json:"pair"`
	Items    []itemPairDocument `json:"items"`
	More     int                `json:"more"`                // left out by --limit
	NoPrompt string             `json:"no_prompt,omitempty"` // why prompts are not there
}

type itemPairDocument struct {
	Item     mergesearch.ItemID `json:"item"`
	Side     inspect.Side       `json:"side"` // of A
	Text     string             `json:"text,omitempty"`
	Prompt   string             `json:"prompt,omitempty"`
	Choices  []string           `json:"choices,omitempty"`
	Expected string             `json:"expected,omitempty"`
	A        answerDocument     `json:"a"`
	B        answerDocument     `json:"b"`
}

func newItemsCommand() *cobra.Command {
	var f itemsFlags
	c := &cobra.Command{
		Use: "items DIR A --vs B", Short: "read the items that one candidate won or lost against another", Args: arguments(2, 2),
		Long: `items prints questions with the expected answer and with what both candidates
answered, so that a gain or loss can be read and not only counted. Without --won,
--lost or --same it prints all on which they differ.

The store keeps what was answered; questions come from the task's data files, when
those are where they were and have not changed since.`,
		RunE: func(c *cobra.Command, args []string) error {
			return lookAt(c, args[0], func(run *inspect.Run) error { return items(c, run, args[1], f) })
		},
	}
	c.Flags().StringVar(&f.vs, "vs", inspect.WordBestParent, "the candidate to compare with: an ID, a name, best or best-parent")
	c.Flags().BoolVar(&f.won, "won", false, "items that A answered better")
	c.Flags().BoolVar(&f.lost, "lost", false, "items that A answered worse")
	c.Flags().BoolVar(&f.same, "same", false, "items that both answered alike")
	c.Flags().StringVar(&f.task, "task", "", "only items of this task")
	c.Flags().StringVar(&f.split, "split", string(mergesearch.SearchSplit), "search, validation or held-out")
	c.Flags().IntVar(&f.limit, "limit", 20, "print at most so many; 0 for all")
	c.Flags().BoolVar(&f.full, "full", false, "print the whole prompt, examples and all")
	return c
}

func (f itemsFlags) check(run *inspect.Run) error {
	if err := oneWord("split", "split", f.split, []string{string(mergesearch.SearchSplit), string(mergesearch.ValidationSplit), string(mergesearch.HeldOutSplit)}); err != nil {
		return err
	}
	if f.limit < 0 {
		return &mergesearch.InputError{Field: "--limit", Problem: "cannot be negative"}
	}
	if f.task == "" {
		return nil
	}
	var known []string
	for _, t := range run.Benchmark.Tasks {
		known = append(known, t.Task)
	}
	return oneWord("task", "task", f.task, known)
}

// sides lists what is asked for.
func (f itemsFlags) sides() []inspect.Side {
	var out []inspect.Side
	for side, on := range map[inspect.Side]bool{inspect.Won: f.won, inspect.Lost: f.lost, inspect.Same: f.same} {
		if on {
			out = append(out, side)
		}
	}
	if out == nil {
		out = []inspect.Side{inspect.Won, inspect.Lost}
	}
	return out
}

func items(c *cobra.Command, run *inspect.Run, word string, f itemsFlags) error {
	if err := f.check(run); err != nil {
		return err
	}
	a, b, err := subjects(c, run, word, f.vs)
	if err != nil {
		return err
	}
	p, err := run.Compare(a, b, mergesearch.Split(f.split))
	if err != nil {
		return err
	}
	var chosen []inspect.ItemPair
	sides := f.sides()
	for _, i := range p.Items {
		if slices.Contains(sides, i.Side()) && (f.task == "" || i.Item.Task() == f.task) {
			chosen = append(chosen, i)
		}
	}
	d := itemsDocument{Pair: pairOf(p), Items: []itemPairDocument{}}
	if f.limit > 0 && len(chosen) > f.limit {
		d.More = len(chosen) - f.limit
		chosen = chosen[:f.limit]
	}
	ask := questions{run: run}
	answered := func(o mergesearch.Outcome) answerDocument {
		return answerDocument{Item: o.Item, Split: p.Split, Value: o.Value, Completion: o.Completion, Missing: o.Missing, Truncated: o.Truncated, Empty: o.Empty}
	}
	for _, i := range chosen {
		x := itemPairDocument{Item: i.Item, Side: i.Side(), A: answered(i.A), B: answered(i.B)}
		if q, ok := ask.of(i.Item); ok {
			x.Text, x.Prompt, x.Choices, x.Expected = q.Text, q.Prompt, q.Choices, q.Expected
		}
		d.Items = append(d.Items, x)
	}
	d.NoPrompt = ask.trouble
	if wantsJSON(c) {
		return report.Write(c.OutOrStdout(), d)
	}
	if ask.trouble != "" {
		fmt.Fprintf(c.ErrOrStderr(), "note: questions and expected answers are not shown: %s\n", ask.trouble)
	}
	return itemsText(c.OutOrStdout(), d, plainID(a.ID(), a.Name), plainID(b.ID(), b.Name), f)
}

func itemsText(w io.Writer, d itemsDocument, a, b string, f itemsFlags) error {
	var out strings.Builder
	if d.Pair.Items == 0 {
		fmt.Fprintf(&out, "%s and %s have no %s items in common\n", a, b, d.Pair.Split)
	} else {
		fmt.Fprintf(&out, "%s against %s on %d %s items: %d won, %d lost, %d alike (McNemar p %s)\n", a, b, d.Pair.Items, d.Pair.Split, d.Pair.Won, d.Pair.Lost, d.Pair.Same, pText(d.Pair.McNemar))
	}
	for _, i := range d.Items {
		fmt.Fprintf(&out, "\n%s  %s\n", report.Plain(string(i.Item)), i.Side)
		text := i.Text
		if f.full && i.Prompt != "" || text == "" {
			text = i.Prompt
		}
		if text != "" {
			paragraph(&out, "question", text, f.full)
		}
		if len(i.Choices) > 0 {
			paragraph(&out, "choices", strings.Join(i.Choices, " | "), f.full)
		}
		if i.Expected != "" {
			paragraph(&out, "expected", i.Expected, f.full)
		}
		paragraph(&out, strings.Fields(a)[0], answerLine(i.A), f.full)
		paragraph(&out, strings.Fields(b)[0], answerLine(i.B), f.full)
	}
	if d.More > 0 {
		fmt.Fprintf(&out, "\n%d more; --limit 0 prints all\n", d.More)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// answerLine is what a candidate answered, and what that was worth.
func answerLine(a answerDocument) string {
	notes := fmt.Sprintf("%.4g", a.Value)
	for _, n := range []struct {
		on   bool
		what string
	}{{a.Missing, "no usable answer"}, {a.Truncated, "cut off"}, {a.Empty, "empty"}} {
		if n.on {
			notes += ", " + n.what
		}
	}
	text := strings.TrimSpace(a.Completion)
	if text == "" {
		return "(" + notes + ")"
	}
	return text + "  (" + notes + ")"
}

// paragraph writes a labelled text with its lines indented, cut to a few when the
// whole is not wanted: the end of a long question is what matters.
func paragraph(b *strings.Builder, label, text string, full bool) {
	const lines, width = 6, 84
	all := strings.Split(strings.TrimSpace(text), "\n")
	cut := false
	if !full && len(all) > lines {
		all, cut = all[len(all)-lines:], true
	}
	for i, line := range all {
		if line = strings.TrimRight(line, " "); !full {
			line = clipped(line, width)
		} else {
			line = report.Plain(line)
		}
		head := ""
		if i == 0 {
			head = label
		}
		if i == 0 && cut {
			line = "[...] " + line
		}
		fmt.Fprintf(b, "  %-9s %s\n", head, line)
	}
}

// questions reads the tasks of a run from their files, each when it is first needed.
type questions struct {
	run     *inspect.Run
	tasks   map[string]*eval.Task
	trouble string // why there are none; empty when there are
}

func (q *questions) of(item mergesearch.ItemID) (eval.Question, bool) {
	if q.tasks == nil {
		q.tasks = map[string]*eval.Task{}
		if err := q.read(); err != nil {
			q.tasks, q.trouble = map[string]*eval.Task{}, oneLine(err.Error())
		}
	}
	t, ok := q.tasks[item.Task()]
	if !ok {
		return eval.Question{}, false
	}
	return t.Question(item)
}

// read reads all tasks, and refuses them when a file is not the one that the run was
// made with: its items would be others.
func (q *questions) read() error {
	file, err := q.locate()
	if err != nil {
		return err
	}
	s := session{file: file}
	if err := s.readTasks(); err != nil {
		return err
	}
	sums := map[string]bool{}
	for _, d := range q.run.Frozen.Data {
		sums[d.SHA256] = true
	}
	for _, t := range s.tasks {
		for _, path := range t.Files() {
			sum, _, err := hashFile(path)
			if err != nil {
				return err
			}
			if !sums[sum] {
				return fmt.Errorf("%s has changed since the run", path)
			}
		}
		q.tasks[t.Name] = t
	}
	return nil
}

// locate finds the run file's folder: paths are kept as they were given, so from the
// working directory of the run, which may have been another than this one's.
func (q *questions) locate() (*runfile.RunFile, error) {
	roots := []string{""}
	if dir, err := filepath.Abs(q.run.Dir()); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			roots = append(roots, dir)
		}
	}
	file := q.run.File
	for _, root := range roots {
		file.File = filepath.Join(root, q.run.Frozen.RunFile)
		if root == "" || filepath.IsAbs(q.run.Frozen.RunFile) {
			file.File = q.run.Frozen.RunFile
		}
		there := true
		for _, t := range file.Tasks {
			if _, _, err := hashFile(file.Path(t.File)); err != nil {
				there = false
			}
		}
		if there {
			return &file, nil
		}
	}
	return nil, fmt.Errorf("the task files of %s are not to be found from here", q.run.Frozen.RunFile)
}
