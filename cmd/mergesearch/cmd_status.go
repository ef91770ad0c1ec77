package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"mergesearch"
	"mergesearch/cmd/internal/inspect"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// statusDocument is the JSON of status.
type statusDocument struct {
	Run       mergesearch.RunID `json:"run"`
	Dir       string            `json:"dir"`
	State     inspect.State     `json:"state"`
	PID       int               `json:"pid,omitempty"` // of the process that runs it
	Since     *time.Time        `json:"since,omitempty"`
	Phase     string            `json:"phase"`
	Ended     string            `json:"stop_reason,omitempty"`
	Written   time.Time         `json:"written"` // when the store last changed
	AgeSecond float64           `json:"age_s"`

	Candidates int     `json:"candidates"` // of the search, decided
	Budget     int     `json:"budget_candidates,omitempty"`
	Share      float64 `json:"budget_spent"` // the largest share of a budget of candidates, answers or tokens
	InFlight   int     `json:"in_flight"`
	PerHour    float64 `json:"candidates_per_hour,omitempty"`
	LeftSecond float64 `json:"left_s,omitempty"`

	Best       *standingDocument `json:"best"`
	BestParent *standingDocument `json:"best_parent"`
	Gain       *pairDocument     `json:"gain"` // best over best parent, on search items

	Failures  map[string]int `json:"failures"`
	Answers   int            `json:"item_answers"`
	Tokens    int            `json:"tokens"`
	Truncated int            `json:"truncated"`
	Empty     int            `json:"empty"`
	Missing   int            `json:"missing"`
	LastEvent *store.Event   `json:"last_event"`
}

type standingDocument struct {
	ID      mergesearch.CandidateID `json:"id"`
	Name    string                  `json:"name,omitempty"`
	Method  string                  `json:"method"`
	Fitness float64                 `json:"fitness"`
	StdErr  float64                 `json:"stderr"`
	Items   int                     `json:"items"`
}

func newStatusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "status [DIR]", Short: "say how a run stands, running or done", Args: arguments(0, 1),
		Long: `status says in a few lines whether a run goes on, how far it is, how its best
candidate stands against the best parent, what failed, and when it will be done.
Without DIR it is the run in runs/ that was written last.

--watch shows that until the run ends or Ctrl-C: on a terminal as a picture that is
drawn anew every second, elsewhere as a line for each change.`,
		RunE: func(c *cobra.Command, args []string) error {
			dir := ""
			if len(args) == 1 {
				dir = args[0]
			} else {
				var err error
				if dir, err = newestRun(); err != nil {
					return err
				}
			}
			return lookAt(c, dir, func(run *inspect.Run) error {
				if watch {
					return watchStatus(c, run)
				}
				return status(c, run)
			})
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "go on showing it until the run ends")
	return c
}

func status(c *cobra.Command, run *inspect.Run) error {
	s, err := run.Status(c.Context(), time.Now())
	if err != nil {
		return err
	}
	written := writtenAt(run.Dir())
	if wantsJSON(c) {
		return report.Write(c.OutOrStdout(), statusJSON(s, run, written))
	}
	_, err = io.WriteString(c.OutOrStdout(), statusText(s, run, written, time.Now()))
	return err
}

func statusJSON(s inspect.Status, run *inspect.Run, written time.Time) statusDocument {
	d := statusDocument{
		Run: s.Run, Dir: run.Dir(), State: s.State, PID: s.Holder.PID, Phase: s.Phase, Written: written.UTC(), AgeSecond: time.Since(written).Seconds(),
		Candidates: s.Candidates, Budget: s.Budget.Candidates, Share: s.Share, InFlight: s.InFlight, PerHour: s.PerHour, LeftSecond: s.Left.Seconds(),
		Failures: s.Failures, Answers: s.Counts.ItemAnswers, Tokens: tokens(s.Counts),
		Truncated: s.Counts.Truncated, Empty: s.Counts.Empty, Missing: s.Counts.Missing, LastEvent: s.Last,
	}
	if !s.Holder.Start.IsZero() {
		d.Since = &s.Holder.Start
	}
	if s.Ending != nil {
		d.Ended = s.Ending.StopReason
	}
	standing := func(b *store.Brief) *standingDocument {
		if b == nil {
			return nil
		}
		return &standingDocument{b.ID(), b.Name, b.Method, b.Score.Fitness, b.Score.StdErr, b.Score.Items}
	}
	d.Best, d.BestParent = standing(s.Best), standing(s.BestParent)
	if s.Gain != nil {
		d.Gain = pairOf(*s.Gain)
	}
	return d
}

func tokens(c store.Counts) int {
	sum := 0
	for _, n := range c.Tokens {
		sum += n
	}
	return sum
}

// statusText is the picture: a dozen lines of less than 100 columns.
func statusText(s inspect.Status, run *inspect.Run, written, now time.Time) string {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-11s %s\n", label, fmt.Sprintf(format, args...))
	}
	line("run", "%s, %s", clipped(string(s.Run), 40), stateText(s))
	if s.State == inspect.Stopped {
		line("continue", "mergesearch run %s --dir %s --seed %d", shellWord(run.Frozen.RunFile), shellWord(run.Dir()), run.Frozen.Seed)
	}
	line("phase", "%s", phaseText(s))
	line("candidates", "%s", doneText(s))
	switch {
	case s.Best == nil && s.BestParent == nil:
		line("best", "nothing is scored yet")
	case s.Best == nil:
		line("best", "only parents are scored yet: %s %.3f ± %.3f", clipped(s.BestParent.Name, 40), s.BestParent.Score.Fitness, s.BestParent.Score.StdErr)
	default:
		line("best", "%s, %s: %.3f ± %.3f on %d search items", plainID(s.Best.ID(), s.Best.Name), clipped(s.Best.Method, 20), s.Best.Score.Fitness, s.Best.Score.StdErr, s.Best.Score.Items)
		line("parent", "%s: %.3f ± %.3f, the best of them", clipped(s.BestParent.Name, 40), s.BestParent.Score.Fitness, s.BestParent.Score.StdErr)
		if s.Gain != nil {
			line("gain", "%+.1f points (%+.1f to %+.1f) on the items that chose it, %d won, %d lost", 100*s.Gain.Gain, 100*s.Gain.CILow, 100*s.Gain.CIHigh, s.Gain.Won, s.Gain.Lost)
		}
	}
	if s.Ending != nil {
		v := s.Ending.Result.Verdict
		line("verdict", "%+.1f points (%+.1f to %+.1f) on %d held-out items: the winner %s the best parent", 100*v.Gain, 100*v.CILow, 100*v.CIHigh, v.Items,
			map[bool]string{true: "beats", false: "does not beat"}[v.BeatsBestParent])
	}
	line("failed", "%s", failuresText(s.Failures))
	n := float64(max(1, s.Counts.ItemAnswers))
	line("answers", "%s, %s tokens; %s cut off, %s empty, %s missing", grouped(s.Counts.ItemAnswers), grouped(tokens(s.Counts)),
		percent(float64(s.Counts.Truncated)/n), percent(float64(s.Counts.Empty)/n), percent(float64(s.Counts.Missing)/n))
	if s.PerHour > 0 {
		line("pace", "%s", paceText(s, now))
	}
	if s.Last != nil {
		line("last event", "%s  %s", s.Last.At.Local().Format("15:04:05"), clipped(eventText(*s.Last), 76))
	}
	line("data", "%s old%s", ageText(now.Sub(written)), map[bool]string{true: "; is it stuck?"}[s.State == inspect.Running && now.Sub(written) > 10*time.Minute])
	return b.String()
}

func stateText(s inspect.Status) string {
	switch s.State {
	case inspect.Running:
		return fmt.Sprintf("running in process %d since %s", s.Holder.PID, s.Holder.Start.Local().Format("2006-01-02 15:04:05 -0700"))
	case inspect.Finished:
		return fmt.Sprintf("finished %s", s.Ending.At.Local().Format("2006-01-02 15:04:05 -0700"))
	}
	return "stopped before its end"
}

func phaseText(s inspect.Status) string {
	if s.Ending == nil {
		return s.Phase
	}
	if s.State == inspect.Running {
		return "the verdict is in; the winner is being written"
	}
	why, known := map[string]string{
		"candidates": "the budget of candidates is spent", "tokens": "the budget of tokens is spent", "time": "the time is up",
		"item_answers": "the budget of answers is spent", "exhausted": "nothing new was left to try", "finished": "the algorithm has finished",
	}[s.Ending.StopReason]
	if !known {
		why = report.Plain(s.Ending.StopReason)
	}
	return "done, " + why
}

func doneText(s inspect.Status) string {
	text := fmt.Sprint(s.Candidates)
	if s.Budget.Candidates > 0 {
		text += fmt.Sprintf(" of %d", s.Budget.Candidates)
	}
	if s.Share > 0 {
		const width = 30
		full := int(width * s.Share)
		text = fmt.Sprintf("%-14s [%s%s] %.0f %%", text, strings.Repeat("#", full), strings.Repeat(".", width-full), 100*s.Share)
	}
	if s.InFlight > 0 {
		text += fmt.Sprintf(", %d %s", s.InFlight, map[bool]string{true: "in flight", false: "not finished"}[s.State == inspect.Running])
	}
	return text
}

func failuresText(failures map[string]int) string {
	if len(failures) == 0 {
		return "none"
	}
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(failures)) {
		parts = append(parts, fmt.Sprintf("%d %s", failures[code], report.Plain(code)))
	}
	return clipped(strings.Join(parts, ", "), 80)
}

func paceText(s inspect.Status, now time.Time) string {
	text := fmt.Sprintf("%.0f candidates an hour", s.PerHour)
	if s.PerHour < 10 {
		text = fmt.Sprintf("%.1f candidates an hour", s.PerHour)
	}
	if s.Left > 0 {
		text += fmt.Sprintf("; about %s left, until %s", ageText(s.Left), now.Add(s.Left).Local().Format("15:04"))
	}
	return text
}

// ageText writes a duration in its two largest units.
func ageText(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// grouped writes a number with a comma between each three digits.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// statusWord is the status in one line, for outputs that are no terminals. It changes
// when something happened, not with the time.
func statusWord(s inspect.Status) string {
	text := fmt.Sprintf("%s, %s, %d", s.State, s.Phase, s.Candidates)
	if s.Budget.Candidates > 0 {
		text += fmt.Sprintf(" of %d", s.Budget.Candidates)
	}
	text += " candidates"
	if s.Best != nil {
		text += fmt.Sprintf(", best %s %.3f ± %.3f", s.Best.ID(), s.Best.Score.Fitness, s.Best.Score.StdErr)
	}
	if s.Gain != nil {
		text += fmt.Sprintf(", %+.1f points over the best parent (%+.1f to %+.1f)", 100*s.Gain.Gain, 100*s.Gain.CILow, 100*s.Gain.CIHigh)
	}
	failed := 0
	for _, n := range s.Failures {
		failed += n
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}

// restraint is by how much a watcher idles longer than it takes to look at a run, so
// that watching a run of many thousands does not take the processor from it.
const restraint = 10

// watchStatus shows the status until the run ends or the user has seen enough, which
// is no error.
func watchStatus(c *cobra.Command, run *inspect.Run) error {
	w := c.OutOrStdout()
	screen := newScreen(w)
	if wantsJSON(c) {
		screen = nil
	}
	if screen != nil {
		screen.open()
		defer screen.close()
	}
	var s inspect.Status
	var seen, looked time.Time
	var took time.Duration
	last := ""
	for {
		now, written := time.Now(), writtenAt(run.Dir())
		_, held, err := store.HeldBy(run.Dir())
		if err != nil {
			return err
		}
		if ended := !held && s.State == inspect.Running; looked.IsZero() || ended || !written.Equal(seen) && now.Sub(looked) > restraint*took {
			s, err = run.Status(c.Context(), now)
			if c.Context().Err() != nil {
				return nil
			} else if err != nil {
				return err
			}
			seen, looked, took = written, now, time.Since(now)
		}
		switch word := statusWord(s); {
		case screen != nil:
			screen.draw(statusText(s, run, written, now) + "\nCtrl-C leaves the run alone\n")
		case word != last && wantsJSON(c):
			if err := json.NewEncoder(w).Encode(statusJSON(s, run, written)); err != nil {
				return err
			}
			last = word
		case word != last:
			if _, err := fmt.Fprintf(w, "%s  %s\n", now.Format("15:04:05"), word); err != nil {
				return err
			}
			last = word
		}
		if s.State != inspect.Running {
			if screen != nil {
				screen.after = statusText(s, run, written, now)
			}
			return nil
		}
		if !pause(c.Context(), time.Second) {
			return nil
		}
	}
}

// pause waits, and reports false when the user has seen enough.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// screen draws pictures on a terminal's other screen, so that what stood there before
// comes back.
type screen struct {
	out   *os.File
	after string // printed when the screen is closed
}

// newScreen returns the screen of a terminal, or nil when w is none.
func newScreen(w io.Writer) *screen {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err != nil {
		return nil
	}
	return &screen{out: f}
}

// The control sequences of xterm that all terminals of today know.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l" // and hide the cursor
	firstScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

func (s *screen) open() { fmt.Fprint(s.out, otherScreen) }

func (s *screen) close() { fmt.Fprint(s.out, firstScreen+s.after) }

// draw replaces the picture without a flicker. Lines are cut to the terminal.
func (s *screen) draw(text string) {
	columns, rows := 100, 40
	if size, err := unix.IoctlGetWinsize(int(s.out.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 && size.Row > 0 {
		columns, rows = int(size.Col), int(size.Row)
	}
	var b strings.Builder
	b.WriteString(home)
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if i == rows {
			break
		}
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(clipped(line, columns) + clearLine)
	}
	b.WriteString(clearBelow)
	fmt.Fprint(s.out, b.String())
}
