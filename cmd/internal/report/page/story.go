package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"mergesearch/cmd/internal/evidence"
	"mergesearch/cmd/internal/report"
)

// checks says whether the measurement is sound.
func (m *maker) checks() {
	m.d.Checks = []Check{}
	add := func(name string, state State, format string, args ...any) {
		m.d.Checks = append(m.d.Checks, Check{name, state, fmt.Sprintf(format, args...)})
	}
	if len(m.d.Sanity) > 0 {
		mine, parents := m.d.Sanity[0], m.d.Sanity[1:]
		worst := func(of func(Sanity) float64) (most float64) {
			for _, p := range parents {
				most = max(most, of(p))
			}
			return most
		}
		for _, x := range []struct {
			name, verb string
			of         func(Sanity) float64
			limit      float64
		}{
			{"truncation", "cut off", func(s Sanity) float64 { return s.Truncated }, 0.05},
			{"empty answers", "empty", func(s Sanity) float64 { return s.Empty }, 0.05},
		} {
			v, p := x.of(mine), worst(x.of)
			switch {
			case math.Abs(v-p) > 0.02 && max(v, p) > x.limit:
				add(x.name, Warn, "%s of the winner's answers are %s, of the others' at most %s: part of the difference may be the length limit", percent(v), x.verb, percent(p))
			default:
				add(x.name, Good, "%s of its answers are %s, of the parents' at most %s", percent(v), x.verb, percent(p))
			}
		}
	}
	switch share := float64(m.s.Missing) / max(1, float64(m.s.ItemAnswers)); {
	case m.s.Missing == 0:
		add("missing answers", Good, "none of %s", thousands(m.s.ItemAnswers))
	default:
		state := Warn
		if share > 0.005 {
			state = Bad
		}
		add("missing answers", state, "%s of %s (%s): they count as wrong", thousands(m.s.Missing), thousands(m.s.ItemAnswers), percent(share))
	}
	looks, alarms := 0, 0
	var drift string
	for _, x := range m.e.Events {
		if strings.Contains(x.Kind, "drift") {
			looks++
			if isTrouble(x) {
				alarms, drift = alarms+1, sentence(x)
			}
		}
	}
	switch {
	case alarms > 0:
		add("drift", Bad, "in %d of %d looks a model answered otherwise than before, the last: %s", alarms, looks, drift)
	case looks > 0:
		add("drift", Good, "none in %d looks", looks)
	default:
		add("drift", Good, "none was recorded")
	}
	if r := m.s.Result; r != nil {
		o, se := r.Best.Optimism(), math.Hypot(r.Best.Search.StdErr, r.Best.HeldOut.StdErr)
		state, says := Good, "within"
		if o > 2*se {
			state, says = Warn, "more than"
		}
		add("optimism", state, "the search said %.3f, held-out items say %.3f: %+.1f points are selection and luck, %s twice the error of the difference (%.1f)", r.Best.Search.Fitness, r.Best.HeldOut.Fitness, 100*o, says, 100*se)
		if m.s.HeldoutPeeks > 0 {
			add("held-out items", Warn, "opened by %d earlier runs: the interval does not know of them", m.s.HeldoutPeeks)
		} else {
			add("held-out items", Good, "opened once, by this run")
		}
		if n := len(r.Shortlist); n > 1 {
			state := Good
			if r.Shortlist[0].BestShare < 0.5 {
				state = Warn
			}
			add("choice of the winner", state, "of %d on the shortlist it was the best in %s of draws of validation items", n, percent(r.Shortlist[0].BestShare))
		}
	}
	for _, p := range m.s.FailedParents {
		add("parents", Bad, "%s could not be scored (%s) and takes no part in the verdict", p.Name, p.Reason)
	}
}

// next says what to run next: at most three things, the most useful first.
func (m *maker) next() {
	m.d.Next = []Suggestion{}
	add := func(s Suggestion) {
		if len(m.d.Next) < 3 {
			m.d.Next = append(m.d.Next, s)
		}
	}
	r := m.s.Result
	if r == nil {
		left := 0.0
		if f, err := evidence.RunFile(m.e.Run); err == nil && f.Budget.Candidates > 0 {
			left = m.perCandidate() * float64(max(0, f.Budget.Candidates-len(m.candidates)))
		}
		add(Suggestion{Text: "Let it go on: the same command continues where it stopped", Why: "there is no verdict yet, and nothing that was recorded is asked again", Command: m.runCommand(""), Seconds: left})
		return
	}
	for _, c := range m.d.Checks {
		if c.Name == "truncation" && c.State == Warn {
			add(Suggestion{Text: "Raise the tasks' limit of new tokens and repeat the run", Why: c.Text, Command: m.runCommand("--fork"), Seconds: m.seconds})
		}
	}
	v := r.Verdict
	if width := (v.CIHigh - v.CILow) / 2; !v.BeatsBestParent && v.Gain > 0 && width > 0 {
		n := int(math.Ceil(float64(v.Items) * math.Pow(1.3*width/v.Gain, 2)))
		add(Suggestion{
			Text:    fmt.Sprintf("Judge with about %s held-out items instead of %s", thousands(n), thousands(v.Items)),
			Why:     fmt.Sprintf("a gain of %.1f points is inside an interval of ± %.1f; so many items would settle it, if the gain is real", 100*v.Gain, 100*width),
			Command: m.runCommand("--fork"), Seconds: m.seconds,
		})
	}
	if at := m.atBounds(); len(at) > 0 {
		text := at[0]
		if len(at) > 1 {
			text += fmt.Sprintf(" and %d more", len(at)-1)
		}
		add(Suggestion{Text: "Widen the range of " + text, Why: "the winner stands at the bound: better values may lie beyond", Command: m.runCommand("--fork"), Seconds: m.seconds})
	}
	if p := m.d.Progress; p != nil {
		if p.Improving {
			add(Suggestion{
				Text:    fmt.Sprintf("Search on: %s candidates instead of %s", thousands(2*p.Candidates), thousands(p.Candidates)),
				Why:     fmt.Sprintf("the last quarter of the candidates still brought %+.1f points", 100*p.LastQuarter),
				Command: m.runCommand("--fork"), Seconds: 2 * m.seconds,
			})
		} else {
			add(Suggestion{
				Text:    "Repeat it with another seed",
				Why:     fmt.Sprintf("the search had settled: nothing better came in the last %s of the candidates. A second seed tells what is luck of the search", percent(p.SinceGain)),
				Command: m.runCommand(fmt.Sprintf("--seed %d", m.s.Seed+1)), Seconds: m.seconds,
			})
		}
	}
	if len(m.d.Next) < 3 && v.BeatsBestParent {
		add(Suggestion{
			Text: "Give the evidence on: the bundle lets others compute every number again without the models",
			Why:  "a claim that can be checked is worth more than one that cannot", Command: fmt.Sprintf("mergesearch export %s --bundle evidence.zip", word(m.dir())),
		})
	}
}

func (m *maker) perCandidate() float64 { return m.seconds / float64(max(1, len(m.candidates))) }

// atBounds names the genes of the winner at a bound of their range that is not the end
// of what the parameter can be.
func (m *maker) atBounds() []string {
	f, err := evidence.RunFile(m.e.Run)
	t, ok := m.best()
	if err != nil || !ok {
		return nil
	}
	var out []string
	for _, g := range genes(t.Genome, m.experts()) {
		v, err := strconv.ParseFloat(g.value, 64)
		r, ok := f.Genes[g.parameter]
		if err != nil || !ok || r.Min == nil || r.Max == nil {
			continue
		}
		natural := map[string]float64{"density": 1, "t": 1, "epsilon": 1}
		end, bounded := natural[g.parameter]
		slack := 0.005 * (*r.Max - *r.Min)
		switch {
		case v >= *r.Max-slack && !(bounded && *r.Max >= end):
			out = append(out, fmt.Sprintf("%s (at its upper bound %v)", join(g.parameter, g.expert, g.group), *r.Max))
		case v <= *r.Min+slack && *r.Min != 0:
			out = append(out, fmt.Sprintf("%s (at its lower bound %v)", join(g.parameter, g.expert, g.group), *r.Min))
		}
	}
	return out
}

func (m *maker) dir() string {
	if m.o.Dir != "" {
		return m.o.Dir
	}
	return "DIR"
}

// runCommand is the command that continues the run, or with more flags starts another.
func (m *maker) runCommand(flags string) string {
	file := m.o.RunFile
	if file == "" {
		file = m.e.Run.RunFile
	}
	if file == "" {
		file = "RUNFILE"
	}
	line := "mergesearch run " + word(file)
	if strings.HasPrefix(flags, "--seed") {
		return line + " " + flags
	}
	line += " --dir " + word(m.dir())
	if m.s.Seed != 0 {
		line += fmt.Sprintf(" --seed %d", m.s.Seed)
	}
	if flags != "" {
		line += " " + flags
	}
	return line
}

func (m *maker) reproduce() {
	r := &m.d.Reproduce
	r.Commands, r.Hashes = []Command{}, []HashOf{}
	add := func(does, line string) { r.Commands = append(r.Commands, Command{does, line}) }
	dir := word(m.dir())
	if m.s.Result == nil {
		add("continue", m.runCommand(""))
	} else {
		add("the same again beside it; the population hash must be equal", m.runCommand("--fork"))
		add("the winner as a model directory", "mergesearch export "+dir+" best OUT")
		add("the evidence, to be checked elsewhere", "mergesearch export "+dir+" --bundle evidence.zip")
	}
	add("verify the store and compute the verdict again", "mergesearch check "+dir)
	r.Hashes = append(r.Hashes, HashOf{"population", m.s.PopulationHash})
	for _, x := range m.e.Run.Models {
		r.Hashes = append(r.Hashes, HashOf{"model " + x.Name, x.Digest})
	}
	for _, x := range m.e.Run.Data {
		r.Hashes = append(r.Hashes, HashOf{"data " + x.Name, x.SHA256})
	}
	if f, err := evidence.RunFile(m.e.Run); err == nil {
		for _, b := range []BudgetPart{
			{"candidates", float64(f.Budget.Candidates)}, {"answers", float64(f.Budget.Answers)}, {"tokens", float64(f.Budget.Tokens)}, {"hours", f.Budget.Hours},
		} {
			if b.Value > 0 {
				r.Budget = append(r.Budget, b)
			}
		}
	}
	if t, ok := m.best(); ok {
		r.Recipe = m.o.Format(t.Recipe)
	}
}

// answers are the eight lines of the first screen.
func (m *maker) answers() {
	m.d.Answers = []Answer{}
	add := func(section, question string, state State, format string, args ...any) {
		m.d.Answers = append(m.d.Answers, Answer{question, state, fmt.Sprintf(format, args...), section})
	}
	m.answerVerdict(add)
	if c := m.d.Coefficients; c != nil {
		text := fmt.Sprintf("%s, %s", c.Candidate, c.Method)
		if t, ok := m.best(); ok && t.Name != "" {
			text += fmt.Sprintf(" (%s)", t.Name)
		}
		if s := m.strongest(); s != "" {
			text += "; " + s
		}
		add("recipe", "Which recipe?", Good, "%s", text)
	} else {
		add("recipe", "Which recipe?", Open, "none has been scored on all search items yet")
	}
	m.answerProgress(add)
	cost := fmt.Sprintf("%s, %s candidates, %s answers", duration(m.seconds), thousands(m.s.Candidates), thousands(m.s.ItemAnswers))
	state := Good
	if len(m.d.Cost) > 0 && m.d.Cost[0].OfPlaned != nil {
		share := *m.d.Cost[0].OfPlaned
		cost += fmt.Sprintf("; %s of the planned time", percent(share))
		if share > 1.2 {
			state = Warn
		}
	} else {
		cost += "; no plan was recorded"
	}
	add("cost", "What did it cost?", state, "%s", cost)
	troubles, kinds := 0, 0
	for _, x := range m.d.Events {
		if x.Trouble {
			kinds++
			troubles += x.Count
		}
	}
	failed := 0
	for _, n := range m.s.Failures {
		failed += n
	}
	switch {
	case troubles == 0 && failed == 0 && len(m.s.Faults) == 0:
		add("events", "What went wrong?", Good, "nothing was recorded")
	default:
		var parts []string
		if failed > 0 {
			parts = append(parts, fmt.Sprintf("%s candidates failed", thousands(failed)))
		}
		for _, k := range []string{"retried_requests"} {
			if n := m.s.Faults[k]; n > 0 {
				parts = append(parts, fmt.Sprintf("%s requests were repeated", thousands(n)))
			}
		}
		if troubles > 0 {
			parts = append(parts, fmt.Sprintf("%s events of %d kinds, the latest: %s", thousands(troubles), kinds, m.latestTrouble()))
		}
		add("events", "What went wrong?", Warn, "%s", strings.Join(parts, "; "))
	}
	worst, ok := Good, 0
	var bad []string
	for _, c := range m.d.Checks {
		switch c.State {
		case Good:
			ok++
		case Bad:
			worst = Bad
			bad = append(bad, c.Name)
		default:
			if worst == Good {
				worst = Warn
			}
			bad = append(bad, c.Name)
		}
	}
	text := fmt.Sprintf("all %d checks pass", ok)
	if len(bad) > 0 {
		text = fmt.Sprintf("look at: %s; %d other checks pass", strings.Join(bad, ", "), ok)
	}
	add("sound", "Is the measurement sound?", worst, "%s", text)
	if len(m.d.Next) > 0 {
		s := m.d.Next[0]
		text := s.Text
		if s.Seconds > 0 {
			text += fmt.Sprintf(", about %s", duration(s.Seconds))
		}
		add("next", "What next?", Good, "%s", text)
	} else {
		add("next", "What next?", Open, "nothing stands out")
	}
	add("reproduce", "How to reproduce it?", Good, "%s", m.d.Reproduce.Commands[0].Line)
}

func (m *maker) answerVerdict(add func(section, question string, state State, format string, args ...any)) {
	const question = "Did anything beat the best parent?"
	r := m.s.Result
	if r == nil {
		if p := m.d.Progress; p != nil && len(m.d.Bands) > 0 {
			last := m.d.Curve[len(m.d.Curve)-1]
			add("verdict", question, Open, "not judged yet; on search items %s has %.3f ± %.3f, the best parent %.3f", last.Candidate, last.Fitness, last.StdErr, m.d.Bands[0].Fitness)
			return
		}
		add("verdict", question, Open, "not judged yet")
		return
	}
	v := r.Verdict
	luck := "a chance of less than 1 in 1,000 that it is luck"
	if v.PValue >= 0.001 {
		luck = fmt.Sprintf("a chance of %s of such a gain by luck alone", percent(v.PValue))
	}
	switch {
	case v.BeatsBestParent:
		add("verdict", question, Good, "yes, %s, by %+.1f points (95 %% interval %+.1f to %+.1f, %s)", r.BestParent, 100*v.Gain, 100*v.CILow, 100*v.CIHigh, luck)
	case v.CIHigh < 0:
		add("verdict", question, Bad, "no: the winner is behind %s by %.1f points (%+.1f to %+.1f)", r.BestParent, -100*v.Gain, 100*v.CILow, 100*v.CIHigh)
	default:
		add("verdict", question, Warn, "not shown: %+.1f points over %s (95 %% interval %+.1f to %+.1f, %s)", 100*v.Gain, r.BestParent, 100*v.CILow, 100*v.CIHigh, luck)
	}
}

func (m *maker) answerProgress(add func(section, question string, state State, format string, args ...any)) {
	const question = "Was it still improving?"
	p := m.d.Progress
	switch {
	case p == nil:
		add("curve", question, Open, "no candidate has answered all search items yet")
	case p.Improving:
		add("curve", question, Warn, "yes: the last quarter of the candidates brought %+.1f points, the best came as number %s of %s", 100*p.LastQuarter, thousands(p.LastGainAt), thousands(p.Candidates))
	default:
		add("curve", question, Good, "hardly: the best came as number %s of %s, the last quarter brought %+.1f points", thousands(p.LastGainAt), thousands(p.Candidates), 100*p.LastQuarter)
	}
}

// strongest names the experts of the map by their mean coefficient.
func (m *maker) strongest() string {
	c := m.d.Coefficients
	if len(c.Experts) < 2 || len(c.Groups) == 0 {
		return ""
	}
	var parts []string
	for j, e := range c.Experts {
		sum, n := 0.0, 0
		for _, row := range c.Values {
			if row[j] != nil {
				sum += *row[j]
				n++
			}
		}
		if n > 0 && len(parts) < 4 {
			parts = append(parts, fmt.Sprintf("%s %.2f", e, sum/float64(n)))
		}
	}
	return "mean " + c.Parameter + " " + strings.Join(parts, ", ")
}

func (m *maker) latestTrouble() string {
	var latest Event
	for _, x := range m.d.Events {
		if x.Trouble && x.Last >= latest.Last {
			latest = x
		}
	}
	return strings.TrimSuffix(words(latest.Kind)+", "+cut(latest.Text, 80), ", ")
}

// word quotes a word for a shell where it needs it.
func word(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:@%+,", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func percent(v float64) string {
	switch p := 100 * v; {
	case p == 0:
		return "0 %"
	case p < 1:
		return fmt.Sprintf("%.1f %%", p)
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

func duration(seconds float64) string {
	s := int(seconds + 0.5)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
}

func thousands(n int) string { return report.Thousands(n) }
