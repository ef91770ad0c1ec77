package report

import (
	"fmt"
	"strings"
	"time"
)

// Planned is the plan of a run beside what the run took.
type Planned struct {
	Plan   Amounts  `json:"plan"`
	Actual *Amounts `json:"actual"` // null until the run has ended
}

// Amounts are those of a plan or a run. What is not known is zero.
type Amounts struct {
	Source      string  `json:"source,omitempty"` // of a plan's costs
	Candidates  int     `json:"candidates"`
	Answers     int     `json:"answers"`
	Tokens      int     `json:"tokens,omitempty"`
	Seconds     float64 `json:"seconds_p50,omitempty"`
	SecondsP90  float64 `json:"seconds_p90,omitempty"`
	DiskBytes   int64   `json:"disk_bytes"`
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
}

// text is one line: each amount, and by how much the plan missed it.
func (p *Planned) text() string {
	if p == nil || p.Actual == nil {
		return ""
	}
	var parts []string
	add := func(what string, plan, actual float64, show func(float64) string) {
		switch {
		case actual <= 0:
		case plan <= 0:
			parts = append(parts, what+" "+show(actual)+" (not planned)")
		default:
			parts = append(parts, fmt.Sprintf("%s %s of %s (%+.0f %%)", what, show(actual), show(plan), 100*(actual/plan-1)))
		}
	}
	count := func(x float64) string { return Thousands(int(x)) }
	size := func(x float64) string { return fmt.Sprintf("%.1f MB", x/1e6) }
	add("time", p.Plan.Seconds, p.Actual.Seconds, func(x float64) string {
		return time.Duration(x * float64(time.Second)).Round(time.Second / 10).String()
	})
	add("answers", float64(p.Plan.Answers), float64(p.Actual.Answers), count)
	add("tokens", float64(p.Plan.Tokens), float64(p.Actual.Tokens), count)
	add("disk", float64(p.Plan.DiskBytes), float64(p.Actual.DiskBytes), size)
	add("memory", float64(p.Plan.MemoryBytes), float64(p.Actual.MemoryBytes), size)
	return "against the plan: " + strings.Join(parts, ", ")
}
