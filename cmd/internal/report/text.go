package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mergesearch"
)

// Text writes the summary for people.
func Text(w io.Writer, s Summary) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d candidates, %s answers", Plain(string(s.Run)), s.Candidates, Thousands(s.ItemAnswers))
	if s.Elapsed > 0 {
		fmt.Fprintf(&b, " in %s", s.Elapsed.Round(time.Second))
	}
	fmt.Fprintf(&b, "; %s\n", stopped(s.StopReason))
	rungs(&b, s)
	if n := len(s.Curve); n > 1 {
		b.WriteString("\nbest fitness on search items, by candidates tried\n")
		chart(&b, s.Curve, s.Candidates)
	}
	if s.Result == nil {
		fmt.Fprintf(&b, "\nno verdict yet; continue with the same run command\n")
	} else {
		finalists(&b, *s.Result)
		frontText(&b, s)
		verdict(&b, s)
	}
	if line := s.Planned.text(); line != "" {
		fmt.Fprintln(&b, line)
	}
	if s.BestDir != "" {
		fmt.Fprintf(&b, "checkpoint: %s\nrecipe:     %s\n", Plain(s.BestDir), Plain(s.BestDir)+"/recipe.yaml")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// stopped says in words why a search ended.
func stopped(reason string) string {
	switch reason {
	case "candidates", "tokens", "time":
		return "the budget of " + reason + " is spent"
	case "item_answers":
		return "the budget of answers is spent"
	case "exhausted":
		return "nothing new was left to try"
	case "finished":
		return "the algorithm has finished"
	}
	return Plain(reason)
}

func rungs(b *strings.Builder, s Summary) {
	var parts []string
	for i, n := range s.Reached {
		if i < len(s.RungItems) && s.RungItems[i] > 0 {
			parts = append(parts, fmt.Sprintf("%d answered %d items", n, s.RungItems[i]))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "race: %s\n", strings.Join(parts, ", "))
	}
	var codes []string
	for code := range s.Failures {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(b, "failed: %d candidates, %s\n", s.Failures[code], Plain(code))
	}
	if d := s.Drift; d.Alarms > 0 {
		fmt.Fprintf(b, "warning: the server changed: in %d of %d checks the best parent answered otherwise (%d of %d items)\n", d.Alarms, d.Checks, d.Changed, d.Items)
	}
	for _, p := range s.FailedParents {
		fmt.Fprintf(b, "failed parent: %s: %s\n", Plain(p.Name), Plain(p.Text))
	}
}

// finalists writes one row for each model that answered held-out items, best first.
func finalists(b *strings.Builder, r mergesearch.Result) {
	type row struct {
		label string
		score mergesearch.Score
	}
	rows := []row{{"winner " + string(r.Best.Candidate) + " " + r.Best.Recipe.Method, r.Best.HeldOut}}
	for _, p := range r.Parents {
		label := p.Name
		if p.Name == r.BestParent {
			label += " (best parent)"
		}
		rows = append(rows, row{label, p.HeldOut})
	}
	for _, p := range r.Baselines {
		rows = append(rows, row{p.Name, p.HeldOut})
	}
	slices.SortStableFunc(rows[1:], func(x, y row) int {
		switch {
		case x.score.Fitness > y.score.Fitness:
			return -1
		case x.score.Fitness < y.score.Fitness:
			return 1
		}
		return 0
	})
	width := 20
	for _, x := range rows {
		width = max(width, min(44, utf8.RuneCountInString(x.label)))
	}
	fmt.Fprintf(b, "\n%-*s  %-14s", width, fmt.Sprintf("on %d held-out items", r.Best.HeldOut.Items), "fitness")
	for _, t := range r.Best.HeldOut.Tasks {
		fmt.Fprintf(b, "  %10s", clip(t.Task, 10))
	}
	b.WriteByte('\n')
	for _, x := range rows {
		fmt.Fprintf(b, "%-*s  %.3f ± %.3f ", width, clip(x.label, width), x.score.Fitness, x.score.StdErr)
		for _, t := range x.score.Tasks {
			fmt.Fprintf(b, "  %10.3f", t.Value)
		}
		b.WriteByte('\n')
	}
}

func verdict(b *strings.Builder, s Summary) {
	r := *s.Result
	v := r.Verdict
	says := "does not beat"
	if v.BeatsBestParent {
		says = "beats"
	}
	fmt.Fprintf(b, "\nverdict: the winner %s the best parent, %s: %+.1f points (95 %% interval %+.1f to %+.1f, p %s, %d items in pairs)\n",
		says, Plain(r.BestParent), 100*v.Gain, 100*v.CILow, 100*v.CIHigh, pValue(v.PValue), v.Items)
	for i, c := range r.AgainstParents {
		if !v.BeatsBestParent && v.Ahead() && !c.Ahead() {
			fmt.Fprintf(b, "         it is not shown to be better than %s: %s\n", Plain(r.Parents[i].Name), points(c))
		}
	}
	for i, c := range r.AgainstBaselines {
		switch name := r.Baselines[i].Name; name {
		case r.BestBaseline:
			fmt.Fprintf(b, "         against %s, the best usual recipe: %s\n", Plain(name), points(c))
		case "naive soup", "greedy soup":
			fmt.Fprintf(b, "         against %s: %s\n", name, points(c))
		}
	}
	fmt.Fprintf(b, "         half the width of the interval would take %s held-out items\n", Thousands(v.ItemsForHalf()))
	fmt.Fprintf(b, "         the search said %.3f, held-out items say %.3f: %+.3f, which is selection and luck\n",
		r.Best.Search.Fitness, r.Best.HeldOut.Fitness, -r.Best.Optimism())
	if n := len(r.Shortlist); n > 1 {
		fmt.Fprintf(b, "         of the %d on the shortlist it was the best in %.0f %% of draws of validation items\n", n, 100*r.Shortlist[0].BestShare)
	}
	keptText(b, r.Kept)
	if s.HeldoutPeeks > 0 {
		fmt.Fprintf(b, "         these held-out items were opened by %d earlier run%s: the interval does not know of them\n", s.HeldoutPeeks, map[bool]string{false: "s"}[s.HeldoutPeeks == 1])
	}
	if t := heldOutTroubles(r); t != "" {
		fmt.Fprintf(b, "         %s\n", t)
	}
}

// points writes a gain with its interval.
func points(c mergesearch.Comparison) string {
	return fmt.Sprintf("%+.1f points (%+.1f to %+.1f)", 100*c.Gain, 100*c.CILow, 100*c.CIHigh)
}

func heldOutTroubles(r mergesearch.Result) string {
	var missing, truncated int
	for _, t := range r.Best.HeldOut.Tasks {
		missing += t.Missing
		truncated += t.Truncated
	}
	if missing+truncated == 0 {
		return ""
	}
	return fmt.Sprintf("of the winner's held-out answers %d are missing and %d were cut off", missing, truncated)
}

func pValue(p float64) string {
	if p < 0.001 {
		return "< 0.001"
	}
	return fmt.Sprintf("= %.3f", p)
}

// chart draws a step curve of 8 rows and 60 columns.
func chart(b *strings.Builder, curve []Point, trials int) {
	const rows, columns = 8, 60
	low, high := curve[0].Fitness, curve[len(curve)-1].Fitness
	if high <= low {
		high = low + 0.01
	}
	last := max(trials, curve[len(curve)-1].Trial+1)
	level := make([]int, columns)
	for c := range level {
		level[c] = -1
		for _, p := range curve {
			if p.Trial*columns/last <= c {
				level[c] = int((p.Fitness-low)/(high-low)*(rows-1) + 0.5)
			}
		}
	}
	for row := rows - 1; row >= 0; row-- {
		fmt.Fprintf(b, "  %.3f |", low+(high-low)*float64(row)/(rows-1))
		var line strings.Builder
		for c := range level {
			switch {
			case level[c] == row:
				line.WriteByte('#')
			case level[c] > row:
				line.WriteByte('.')
			default:
				line.WriteByte(' ')
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "        +%s\n         0%*d\n", strings.Repeat("-", columns), columns-1, last)
}

// Thousands writes a number with commas.
func Thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// clip returns the plain form of s, cut to n runes.
func clip(s string, n int) string {
	s = Plain(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "~"
}
