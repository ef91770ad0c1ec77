package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// What the commands that look at a run share. None of them writes into the run, and
// all work while it goes on.

// lookAt opens a run directory for f.
func lookAt(c *cobra.Command, dir string, f func(*inspect.Run) error) error {
	beQuick()
	r, err := store.OpenReadOnly(c.Context(), dir)
	if err != nil {
		return err
	}
	defer r.Close()
	run, err := inspect.Open(c.Context(), r)
	if err != nil {
		return err
	}
	for _, note := range run.Notes {
		fmt.Fprintf(c.ErrOrStderr(), "note: %s\n", note)
	}
	return f(run)
}

// beQuick collects garbage less often: a look at ten thousand candidates makes some
// tens of megabytes and is over.
func beQuick() { debug.SetGCPercent(400) }

// countsAndTrials reads the sums of a run and its trials, without their recipes and
// genomes.
func countsAndTrials(ctx context.Context, r *store.Reader) (counts store.Counts, trials []store.Trial, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		counts, err = r.Counts(ctx)
		return err
	})
	group.Go(func() error {
		briefs, err := r.Briefs(ctx, store.Filter{Lean: true})
		for _, b := range briefs {
			trials = append(trials, store.Trial{Begun: b.Begun, Finished: b.Finished, Trial: mergesearch.Trial{
				Index: b.Index, Name: b.Name, Individual: mergesearch.Individual{Generation: b.Generation, Operator: b.Operator},
				RecipeID: b.RecipeID, State: b.State, Reason: b.Reason, Rung: b.Rung, Score: b.Score,
			}})
		}
		return err
	})
	return counts, trials, group.Wait()
}

// newestRun returns the directory in runs/ whose store was written last.
func newestRun() (string, error) {
	files, err := filepath.Glob(filepath.Join("runs", "*", store.FileName))
	if err != nil {
		return "", err
	}
	newest, at := "", time.Time{}
	for _, f := range files {
		if t := writtenAt(filepath.Dir(f)); newest == "" || t.After(at) {
			newest, at = filepath.Dir(f), t
		}
	}
	if newest == "" {
		return "", &mergesearch.InputError{Problem: "no run in runs/", Hint: "name the directory of a run, such as runs/quickstart-s1"}
	}
	return newest, nil
}

// writtenAt returns when the store of a run was last written. An empty log is made by
// whoever opens the store to read.
func writtenAt(dir string) time.Time {
	var at time.Time
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, store.FileName+suffix)); err == nil && info.Size() > 0 && info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at
}

// terminalWidth returns the columns of a terminal, or 0 when w is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// oneWord refuses a word of a flag that is not among the known ones.
func oneWord(flag, kind, word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	e := mergesearch.UnknownWord(kind, word, known)
	e.Field, e.Problem = "--"+flag, fmt.Sprintf("unknown %s %q", kind, word)
	return e
}

// plainID names a candidate with the name that it has as a parent or baseline.
func plainID(id mergesearch.CandidateID, name string) string {
	if name == "" {
		return string(id)
	}
	return fmt.Sprintf("%s (%s)", id, clipped(name, 40))
}

// clipped returns the plain form of s, cut to n characters.
func clipped(s string, n int) string {
	s = report.Plain(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:max(0, n-1)]) + "~"
}

// percent writes a share with one digit, and one too small for that as such.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0 %"
	case share < 0.001:
		return "<0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*share)
}

// gainText writes a paired comparison in one line.
func gainText(p inspect.Pair) string {
	return fmt.Sprintf("%+.1f points (95 %% interval %+.1f to %+.1f, p %s); %d won, %d lost, %d alike",
		100*p.Gain, 100*p.CILow, 100*p.CIHigh, pText(p.PValue), p.Won, p.Lost, p.Same)
}

func pText(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("= %.3f", p)
}

// pairDocument is the JSON of a paired comparison: everything is that of A against B.
type pairDocument struct {
	A        mergesearch.CandidateID `json:"a"`
	B        mergesearch.CandidateID `json:"b"`
	Split    mergesearch.Split       `json:"split"`
	Items    int                     `json:"items"`
	FitnessA float64                 `json:"fitness_a"`
	FitnessB float64                 `json:"fitness_b"`
	Gain     float64                 `json:"gain"`
	CILow    float64                 `json:"ci_low"`
	CIHigh   float64                 `json:"ci_high"`
	PValue   float64                 `json:"p_value"`
	Won      int                     `json:"won"`
	Lost     int                     `json:"lost"`
	Same     int                     `json:"same"`
	McNemar  float64                 `json:"mcnemar_p"`
	Tasks    []taskPairDocument      `json:"tasks"`
}

type taskPairDocument struct {
	Task  string  `json:"task"`
	Items int     `json:"items"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Won   int     `json:"won"`
	Lost  int     `json:"lost"`
	Same  int     `json:"same"`
}

func pairOf(p inspect.Pair) *pairDocument {
	d := pairDocument{
		A: p.A, B: p.B, Split: p.Split, Items: p.Comparison.Items, FitnessA: p.FitnessA, FitnessB: p.FitnessB,
		Gain: p.Gain, CILow: p.CILow, CIHigh: p.CIHigh, PValue: p.PValue,
		Won: p.Won, Lost: p.Lost, Same: p.Same, McNemar: p.McNemar, Tasks: []taskPairDocument{},
	}
	for _, t := range p.Tasks {
		d.Tasks = append(d.Tasks, taskPairDocument(t))
	}
	return &d
}

// changeDocument is the JSON of one difference between two recipes.
type changeDocument struct {
	inspect.Place
	From *settingDocument `json:"from"` // null: the recipe does not set it
	To   *settingDocument `json:"to"`
}

type settingDocument struct {
	Word   string    `json:"word,omitempty"`
	Values []float64 `json:"values,omitempty"`
}

func changesOf(list []inspect.Change) []changeDocument {
	out := []changeDocument{}
	side := func(s inspect.Setting) *settingDocument {
		if s.Text() == "" {
			return nil
		}
		return &settingDocument{s.Word, s.Values}
	}
	for _, c := range list {
		out = append(out, changeDocument{c.Place, side(c.From), side(c.To)})
	}
	return out
}

// placeText names where a setting stands, without its parameter.
func placeText(p inspect.Place) string {
	var parts []string
	for _, s := range []string{p.Expert, p.Group, p.Block} {
		if s != "" {
			parts = append(parts, report.Plain(s))
		}
	}
	return strings.Join(parts, ", ")
}

// changeText writes a difference in a few words: "weight of expert-a in mlp 0: 0.3 to 0.8".
func changeText(c inspect.Change) string {
	where := report.Plain(c.Parameter)
	if at := placeText(c.Place); at != "" {
		where += " " + at
	}
	from, to := report.Plain(c.From.Text()), report.Plain(c.To.Text())
	if from == "" {
		from = "unset"
	}
	if to == "" {
		to = "unset"
	}
	return fmt.Sprintf("%s %s to %s", where, from, to)
}

// table is rows of cells that are padded to columns: the first column to the left,
// numbers to the right.
type table struct {
	indent string
	width  int // lines are cut to; 0 for no limit
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String writes the table; columns named in left are aligned to the left too.
func (t *table) String(left ...int) string {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	var line []byte
	for _, row := range t.rows {
		line = append(line[:0], t.indent...)
		for i, cell := range row {
			pad := widths[i] - utf8.RuneCountInString(cell)
			toLeft := i == 0 || slices.Contains(left, i)
			if toLeft {
				line = append(line, cell...)
			}
			for range pad {
				line = append(line, ' ')
			}
			if !toLeft {
				line = append(line, cell...)
			}
			line = append(line, "  "...)
		}
		line = bytes.TrimRight(line, " ")
		if t.width > 0 {
			b.WriteString(clipped(string(line), t.width))
		} else {
			b.Write(line)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
