package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/evidence"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// Document is report.json: the document of run and show, and what the page says
// beyond it. Its names are a contract, like those.
type Document struct {
	report.Document

	Version string `json:"version"` // of the program that made the run
	AsOf    string `json:"as_of"`   // when the last thing was recorded

	Answers []Answer `json:"answers"` // to the eight questions, in their order

	Curve []Step `json:"curve"` // the best so far on all search items
	Cloud []Dot  `json:"cloud"` // candidates that answered all search items, thinned
	Bands []Band `json:"bands"` // of the parents, on the same items

	Coefficients *Coefficients `json:"coefficients"` // of the winner, or of the best so far
	Cost         []Cost        `json:"cost"`
	Events       []Event       `json:"events"`
	EventsCut    int           `json:"events_cut,omitempty"` // kinds of events that were left out
	Sanity       []Sanity      `json:"sanity"`
	Checks       []Check       `json:"checks"`
	Progress     *Progress     `json:"progress"`
	Next         []Suggestion  `json:"next"`
	Reproduce    Reproduce     `json:"reproduce"`
}

// Answer is one line of the first screen.
type Answer struct {
	Question string `json:"question"`
	State    State  `json:"state"`
	Text     string `json:"text"`
	Section  string `json:"section"` // the place on the page that says more
}

// State is how good the news is.
type State string

// The states.
const (
	Good State = "ok"
	Warn State = "warn"
	Bad  State = "fail"
	Open State = "open" // not known yet
)

// Step is an improvement.
type Step struct {
	Candidate mergesearch.CandidateID `json:"candidate"`
	Tried     int                     `json:"tried"` // candidates before it
	Fitness   float64                 `json:"fitness"`
	StdErr    float64                 `json:"stderr"`
}

// Dot is a candidate of the cloud.
type Dot struct {
	Tried   int     `json:"tried"`
	Fitness float64 `json:"fitness"`
}

// Band is a parent's fitness on search items.
type Band struct {
	Name    string  `json:"name"`
	Fitness float64 `json:"fitness"`
	StdErr  float64 `json:"stderr"`
}

// Cost is a thing that was planned and took something.
type Cost struct {
	What     string   `json:"what"`
	Unit     string   `json:"unit"` // count, seconds or bytes
	Planned  *float64 `json:"planned"`
	AtMost   *float64 `json:"planned_p90,omitempty"`
	Actual   *float64 `json:"actual"`
	OfPlaned *float64 `json:"share_of_plan,omitempty"`
}

// Sanity says of a model how its answers look, on all splits together.
type Sanity struct {
	Name      string  `json:"name"`
	Items     int     `json:"items"`
	Truncated float64 `json:"truncated"` // shares
	Empty     float64 `json:"empty"`
	Missing   float64 `json:"missing"`
	Tokens    float64 `json:"tokens_per_answer"`
	Optimism  float64 `json:"optimism"` // 0 for those whose held-out score is not known
}

// Check is one respect in which a measurement may be unsound.
type Check struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Text  string `json:"text"`
}

// Progress says whether the search was still getting better.
type Progress struct {
	Candidates  int     `json:"candidates"`
	LastGainAt  int     `json:"last_gain_at"` // candidates tried when the best came
	SinceGain   float64 `json:"since_gain"`   // share of the candidates
	LastQuarter float64 `json:"last_quarter"` // what the last quarter of the candidates brought
	StdErr      float64 `json:"stderr"`       // of the best's fitness
	Improving   bool    `json:"improving"`
}

// Suggestion is what to run next.
type Suggestion struct {
	Text    string  `json:"text"`
	Why     string  `json:"why"`
	Command string  `json:"command,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // about what it takes; 0: nothing to speak of
}

// Reproduce is how to get the same again, or more.
type Reproduce struct {
	Commands []Command    `json:"commands"`
	Hashes   []HashOf     `json:"hashes"`
	Budget   []BudgetPart `json:"budget,omitempty"`
	Recipe   string       `json:"recipe,omitempty"` // mergekit YAML of the winner or the best so far
}

// Command is a command with what it does.
type Command struct {
	Does string `json:"does"`
	Line string `json:"line"`
}

// HashOf is a thing with its hash.
type HashOf struct {
	What string `json:"what"`
	Hash string `json:"hash"`
}

// BudgetPart is a cap of the run file.
type BudgetPart struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
}

// Options is what the evidence does not hold.
type Options struct {
	Dir     string // of the run, as the user calls it
	Status  string // "running" while a process is at it
	BestDir string // of the winner's checkpoint
	Disk    int64  // bytes of the run directory; 0: not known
	Format  func(mergesearch.Recipe) string

	// RunFile is the path of the run file for commands; the evidence's own if empty.
	RunFile string
}

// maker carries what the parts of a document are made from.
type maker struct {
	e store.Evidence
	o Options
	s report.Summary
	d *Document

	candidates []store.Trial // of the search that ended with a fitness or failed, in order
	seconds    float64       // that the run was active
}

// New makes the document of a run, running or done.
func New(e store.Evidence, o Options) (Document, error) {
	var d Document
	m := &maker{e: e, o: o, d: &d, s: evidence.Summary(e, o.Dir)}
	if o.Status != "" && e.Ending == nil {
		m.s.Status = o.Status
	}
	m.s.BestDir = o.BestDir
	var text bytes.Buffer
	if err := report.JSON(&text, m.s, o.Format); err != nil {
		return d, err
	}
	if err := json.Unmarshal(text.Bytes(), &d.Document); err != nil {
		return d, fmt.Errorf("report: %w", err)
	}
	d.Version = e.Run.Version
	m.times()
	m.curve()
	d.Coefficients = m.coefficients()
	m.cost()
	m.events()
	m.sanity()
	m.progress()
	m.checks()
	m.next()
	m.reproduce()
	m.answers()
	return d, nil
}

// times finds when the last thing was recorded and for how long the run was active:
// gaps that are long beside what a candidate takes are nights when it stood still.
func (m *maker) times() {
	var at []time.Time
	var longest float64
	add := func(t time.Time) {
		if !t.IsZero() {
			at = append(at, t)
		}
	}
	add(m.e.Run.Created)
	for _, t := range m.e.Trials {
		if _, scored := t.Member(); t.Name == "" && (scored || t.State == mergesearch.Failed) {
			m.candidates = append(m.candidates, t)
		}
		add(t.Begun)
		add(t.Finished)
		longest = max(longest, t.BuildSeconds+t.EvalSeconds)
	}
	for _, x := range m.e.Events {
		add(x.At)
	}
	if m.e.Ending != nil {
		add(m.e.Ending.At)
	}
	if len(at) == 0 {
		return
	}
	slices.SortFunc(at, time.Time.Compare)
	m.d.AsOf = at[len(at)-1].UTC().Format(time.RFC3339)
	for i := range at[1:] {
		if gap := at[i+1].Sub(at[i]).Seconds(); gap <= 10*longest+60 {
			m.seconds += gap
		}
	}
}

// cloudLimit bounds the dots of the curve.
const cloudLimit = 1200

func (m *maker) curve() {
	m.d.Curve, m.d.Cloud, m.d.Bands = []Step{}, []Dot{}, []Band{}
	best := math.Inf(-1)
	var all []Dot
	for i, t := range m.candidates {
		if t.State != mergesearch.Scored {
			continue
		}
		all = append(all, Dot{i, t.Score.Fitness})
		if t.Score.Merit() > best {
			best = t.Score.Merit()
			if t.Score.Feasible() {
				m.d.Curve = append(m.d.Curve, Step{t.ID(), i, t.Score.Fitness, t.Score.StdErr})
			}
		}
	}
	step := (len(all) + cloudLimit - 1) / cloudLimit
	for i := 0; i < len(all); i += max(1, step) {
		m.d.Cloud = append(m.d.Cloud, all[i])
	}
	for _, t := range m.e.Trials {
		if t.Individual.Operator == "parent" && t.State == mergesearch.Scored {
			m.d.Bands = append(m.d.Bands, Band{t.Name, t.Score.Fitness, t.Score.StdErr})
		}
	}
	slices.SortStableFunc(m.d.Bands, func(a, b Band) int {
		switch {
		case a.Fitness > b.Fitness:
			return -1
		case a.Fitness < b.Fitness:
			return 1
		}
		return 0
	})
}

// best returns the trial that the page is about: the winner, or the best so far.
func (m *maker) best() (store.Trial, bool) {
	if r := m.s.Result; r != nil {
		for _, t := range m.e.Trials {
			if t.ID() == r.Best.Candidate {
				return t, true
			}
		}
	}
	if n := len(m.d.Curve); n > 0 {
		for _, t := range m.e.Trials {
			if t.ID() == m.d.Curve[n-1].Candidate {
				return t, true
			}
		}
	}
	return store.Trial{}, false
}

// cost compares the plan, if one was recorded, with what was spent.
func (m *maker) cost() {
	var plan map[string]any
	for _, x := range m.e.Events {
		if x.Kind == "plan" {
			plan = nil
			_ = json.Unmarshal(x.Attrs, &plan) // one that is no object counts as none
		}
	}
	planned := func(key string) *float64 {
		if v, ok := plan[key].(float64); ok && v > 0 {
			return &v
		}
		return nil
	}
	add := func(what, unit, key, p90 string, actual float64) {
		c := Cost{What: what, Unit: unit, Planned: planned(key)}
		if p90 != "" {
			c.AtMost = planned(p90)
		}
		if actual > 0 {
			c.Actual = &actual
		}
		if c.Planned != nil && c.Actual != nil {
			share := actual / *c.Planned
			c.OfPlaned = &share
		}
		if c.Planned != nil || c.Actual != nil {
			m.d.Cost = append(m.d.Cost, c)
		}
	}
	m.d.Cost = []Cost{}
	add("time at work", "seconds", "seconds_p50", "seconds_p90", m.seconds)
	add("candidates", "count", "candidates", "", float64(m.s.Candidates))
	add("answers", "count", "answers", "", float64(m.s.ItemAnswers))
	add("tokens", "count", "tokens", "", float64(m.s.Tokens))
	add("disk", "bytes", "disk_bytes", "", float64(m.o.Disk))
	add("memory", "bytes", "memory_bytes", "", m.measured("memory_bytes"))
}

// measured returns the last number that an event other than the plan has under a key.
func (m *maker) measured(key string) float64 {
	found := 0.0
	for _, x := range m.e.Events {
		var attrs map[string]any
		if x.Kind != "plan" && bytes.Contains(x.Attrs, []byte(key)) && json.Unmarshal(x.Attrs, &attrs) == nil {
			if v, ok := attrs[key].(float64); ok {
				found = v
			}
		}
	}
	return found
}

func (m *maker) progress() {
	n := len(m.candidates)
	if n == 0 || len(m.d.Curve) == 0 {
		return
	}
	last := m.d.Curve[len(m.d.Curve)-1]
	p := &Progress{Candidates: n, LastGainAt: last.Tried + 1, StdErr: last.StdErr}
	p.SinceGain = float64(n-p.LastGainAt) / float64(n)
	before := m.d.Curve[0].Fitness
	for _, s := range m.d.Curve {
		if s.Tried < n*3/4 {
			before = s.Fitness
		}
	}
	p.LastQuarter = last.Fitness - before
	p.Improving = p.LastQuarter > p.StdErr/2
	m.d.Progress = p
}

// sanity describes the answers of the winner, the parents and the usual recipes.
func (m *maker) sanity() {
	m.d.Sanity = []Sanity{}
	add := func(name string, id mergesearch.RecipeID, optimism float64) {
		a := m.e.Answers[id]
		if len(a.Outcomes) == 0 {
			return
		}
		s := Sanity{Name: name, Items: len(a.Outcomes), Optimism: optimism}
		for _, o := range a.Outcomes {
			s.Truncated += one(o.Truncated)
			s.Empty += one(o.Empty)
			s.Missing += one(o.Missing)
			s.Tokens += float64(o.CompletionTokens)
		}
		n := float64(s.Items)
		s.Truncated, s.Empty, s.Missing, s.Tokens = s.Truncated/n, s.Empty/n, s.Missing/n, s.Tokens/n
		m.d.Sanity = append(m.d.Sanity, s)
	}
	if r := m.s.Result; r != nil {
		add("winner "+string(r.Best.Candidate), r.Best.RecipeID, r.Best.Optimism())
		for _, f := range r.Parents {
			add(f.Name, f.RecipeID, f.Optimism())
		}
		for _, f := range r.Baselines {
			if f.Name == r.BestBaseline {
				add(f.Name, f.RecipeID, f.Optimism())
			}
		}
		return
	}
	if t, ok := m.best(); ok {
		add("best so far "+string(t.ID()), t.RecipeID, 0)
	}
	for _, t := range m.e.Trials {
		if t.Individual.Operator == "parent" {
			add(t.Name, t.RecipeID, 0)
		}
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
