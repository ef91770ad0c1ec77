package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"mergesearch/cmd/internal/report"
)

// svg gathers a chart. Colours and fonts are classes of the style sheet.
type svg struct{ b strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }

// text writes a label, cut to n runes.
func (s *svg) text(x, y float64, class, label string, n int) {
	s.add(`<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, template.HTMLEscapeString(cut(report.Plain(label), n)))
}

// ticks returns about n round numbers from low to high (Heckbert 1990).
func ticks(low, high float64, n int) []float64 {
	if !(high > low) {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*f) <= float64(n) {
			step *= f
			break
		}
	}
	var out []float64
	for k := math.Ceil(low/step - 1e-9); k*step <= high+1e-9*step; k++ {
		out = append(out, k*step+0) // a negative zero becomes zero
	}
	return out
}

// tickText writes a tick with the digits that its step needs.
func tickText(v float64, all []float64) string {
	digits := 0
	if len(all) > 1 {
		digits = max(0, int(math.Ceil(-math.Log10(all[1]-all[0])-1e-9)))
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// The size of charts, in the units of their view box.
const (
	width  = 760.0
	height = 330.0
	left   = 52.0
	right  = 162.0
	top    = 12.0
	bottom = 42.0
)

// curveChart draws the best so far over the candidates tried, every candidate that
// answered all search items, and the parents with their bands.
func curveChart(d Document) template.HTML {
	if len(d.Curve) == 0 || d.Progress == nil {
		return ""
	}
	n := float64(max(1, d.Progress.Candidates))
	low, high := math.Inf(1), math.Inf(-1)
	see := func(v float64) { low, high = min(low, v), max(high, v) }
	for _, s := range d.Curve {
		see(s.Fitness + 1.96*s.StdErr)
	}
	see(d.Curve[0].Fitness)
	for _, b := range d.Bands {
		see(b.Fitness)
	}
	for _, c := range d.Cloud {
		see(c.Fitness)
	}
	low, high = max(0, low-0.03*(high-low)-0.005), min(1, high+0.03*(high-low)+0.005)
	x := func(v float64) float64 { return left + (width-left-right)*v/n }
	y := func(v float64) float64 { return top + (height-top-bottom)*(high-max(low, min(high, v)))/(high-low) }
	var s svg
	s.add(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="best fitness so far by candidates tried">`, width, height)
	ys := ticks(low, high, 6)
	for _, v := range ys {
		s.add(`<path class="grid" d="M%.1f %.1fH%.1f"/>`, left, y(v), width-right)
		s.text(left-6, y(v)+4, "tick end", tickText(v, ys), 10)
	}
	for _, v := range ticks(0, n, 6) {
		s.add(`<path class="axis" d="M%.1f %.1fv4"/>`, x(v), height-bottom)
		s.text(x(v), height-bottom+17, "tick mid", report.Thousands(int(v)), 12)
	}
	s.text((left+width-right)/2, height-6, "label mid", "candidates tried", 40)
	labels := newLabels()
	for i, b := range d.Bands {
		class := "parent"
		if i > 0 {
			class = "parent other"
		}
		if i == 0 {
			s.add(`<rect class="band" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, left, y(b.Fitness+1.96*b.StdErr), width-left-right, y(b.Fitness-1.96*b.StdErr)-y(b.Fitness+1.96*b.StdErr))
		}
		s.add(`<path class="%s" d="M%.1f %.1fH%.1f"/>`, class, left, y(b.Fitness), width-right)
		labels.want(y(b.Fitness), b.Name, class)
	}
	for _, c := range d.Cloud {
		s.add(`<circle class="dot" cx="%.1f" cy="%.1f" r="1.6"/>`, x(float64(c.Tried)+1), y(c.Fitness))
	}
	var upper, lower, line strings.Builder
	for i, c := range d.Curve {
		end := n
		if i+1 < len(d.Curve) {
			end = float64(d.Curve[i+1].Tried) + 1
		}
		from := x(float64(c.Tried) + 1)
		fmt.Fprintf(&upper, "L%.1f %.1fH%.1f", from, y(c.Fitness+1.96*c.StdErr), x(end))
		lower.Reset()
		if i == 0 {
			fmt.Fprintf(&line, "M%.1f %.1f", from, y(c.Fitness))
		} else {
			fmt.Fprintf(&line, "V%.1f", y(c.Fitness))
		}
		fmt.Fprintf(&line, "H%.1f", x(end))
	}
	for i := len(d.Curve) - 1; i >= 0; i-- {
		c, end := d.Curve[i], n
		if i+1 < len(d.Curve) {
			end = float64(d.Curve[i+1].Tried) + 1
		}
		fmt.Fprintf(&lower, "L%.1f %.1fH%.1f", x(end), y(c.Fitness-1.96*c.StdErr), x(float64(c.Tried)+1))
	}
	s.add(`<path class="bestband" d="M%s%sZ"/>`, strings.TrimPrefix(upper.String(), "L"), lower.String())
	s.add(`<path class="best" d="%s"/>`, line.String())
	last := d.Curve[len(d.Curve)-1]
	labels.want(y(last.Fitness), "best "+string(last.Candidate), "bestlabel")
	labels.draw(&s, width-right+6)
	s.add(`<path class="axis" d="M%.1f %.1fV%.1fH%.1f"/>`, left, top, height-bottom, width-right)
	s.add(`</svg>`)
	return template.HTML(s.b.String())
}

// labels places names beside lines without overlap.
type labels struct{ at []label }

type label struct {
	y           float64
	text, class string
}

func newLabels() *labels { return &labels{} }

func (l *labels) want(y float64, text, class string) { l.at = append(l.at, label{y, text, class}) }

const lineHeight = 18

// draw moves labels down until each has room, and up again where that leaves the chart.
func (l *labels) draw(s *svg, x float64) {
	at := l.at
	for i := range at { // few: insertion sort
		for j := i; j > 0 && at[j].y < at[j-1].y; j-- {
			at[j], at[j-1] = at[j-1], at[j]
		}
	}
	for i := 1; i < len(at); i++ {
		at[i].y = max(at[i].y, at[i-1].y+lineHeight)
	}
	limit := height - bottom + 4
	for i := len(at) - 1; i >= 0; i-- {
		at[i].y = min(at[i].y, limit)
		limit = at[i].y - lineHeight
	}
	for _, a := range at {
		if a.y > 0 {
			s.text(x, a.y+4, "name "+a.class, a.text, 17)
		}
	}
}

// gainsLimit bounds the rows of the chart of gains.
const gainsLimit = 14

// gainsChart draws the winner's gains over parents and usual recipes with their
// intervals.
func gainsChart(d Document) template.HTML {
	type row struct {
		name string
		c    report.Comparison
		best bool
	}
	var rows []row
	if d.Verdict == nil {
		return ""
	}
	for _, f := range d.Parents {
		if f.Ahead != nil {
			rows = append(rows, row{f.Name, *f.Ahead, f.Name == d.Verdict.BestParent})
		}
	}
	parents := len(rows)
	for _, f := range d.Baselines {
		if f.Ahead != nil && len(rows) < gainsLimit && (d.Verdict.BestBaseline != nil && f.Name == d.Verdict.BestBaseline.Name || strings.HasSuffix(f.Name, "soup")) {
			rows = append(rows, row{f.Name, *f.Ahead, false})
		}
	}
	if len(rows) == 0 {
		return ""
	}
	low, high := 0.0, 0.0
	for _, r := range rows {
		low, high = min(low, 100*r.c.CILow), max(high, 100*r.c.CIHigh)
	}
	pad := 0.04*(high-low) + 0.2
	low, high = low-pad, high+pad
	const rowHeight, names = 25.0, 256.0
	tall := top + rowHeight*float64(len(rows)) + bottom
	x := func(v float64) float64 { return names + (width-names-16)*(v-low)/(high-low) }
	var s svg
	s.add(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="gain of the winner over each model with 95 %% intervals">`, width, tall)
	all := ticks(low, high, 7)
	for _, v := range all {
		s.add(`<path class="grid" d="M%.1f %.1fV%.1f"/>`, x(v), top, tall-bottom)
		s.text(x(v), tall-bottom+17, "tick mid", tickText(v, all), 10)
	}
	s.add(`<path class="zero" d="M%.1f %.1fV%.1f"/>`, x(0), top, tall-bottom)
	for i, r := range rows {
		y := top + rowHeight*(float64(i)+0.5)
		class, label := "gain", "name end"
		if r.best {
			class, label = "gain strong", "name end strong"
		} else if i >= parents {
			class = "gain usual"
		}
		s.text(names-8, y+5, label, r.name, 24)
		s.add(`<path class="%s" d="M%.1f %.1fH%.1f"/>`, class, x(100*r.c.CILow), y, x(100*r.c.CIHigh))
		s.add(`<circle class="%s" cx="%.1f" cy="%.1f" r="4.5"/>`, class, x(100*r.c.Gain), y)
	}
	s.text((names+width-16)/2, tall-6, "label mid", "gain in points, with 95 % interval", 40)
	s.add(`</svg>`)
	return template.HTML(s.b.String())
}
