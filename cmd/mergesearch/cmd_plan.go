package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/plan"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/merge"
	"mergesearch/search"
	"mergesearch/store"
)

// calibrationTime bounds a calibration, the start of the endpoint left out.
const calibrationTime = 20 * time.Second

// calibrationJobs is how many models a calibration asks at most.
const calibrationJobs = 32

func newPlanCommand() *cobra.Command {
	var workers int
	var calibrate bool
	var seed uint64
	var runs string
	var device deviceFlag
	c := &cobra.Command{
		Use:   "plan RUNFILE",
		Short: "say what a run would do, take and prove; nothing is started or written",
		Long: `plan reads the run file, the tasks and the headers of the models, and rehearses the
search in numbers alone: candidates, answers, time, disk, memory and cost, and the
smallest gain that the items can prove.

What building and answering take comes from finished runs of the same models and data
under --runs, or from --calibrate, which starts the endpoint, builds and asks the
parents and some random candidates, and takes less than a minute. Without either they
are unknown.`,
		Args:              arguments(1, 1),
		ValidArgsFunction: yamlFiles,
		RunE: func(c *cobra.Command, args []string) error {
			if workers < 1 {
				return &mergesearch.InputError{Field: "--workers", Problem: "must be at least 1", Hint: "2 suits most machines"}
			}
			file, err := runfile.Read(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("seed") {
				file.Seed = seed
			}
			d, err := makePlan(c.Context(), file, device, workers, calibrate, runs)
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), d)
			}
			return d.print(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&calibrate, "calibrate", false, "start the endpoint and measure, in less than a minute")
	c.Flags().IntVar(&workers, "workers", 2, "candidates in flight, as for run")
	c.Flags().Uint64Var(&seed, "seed", 0, "seed instead of the run file's")
	c.Flags().StringVar(&runs, "runs", "runs", "where to look for earlier runs")
	device.add(c, "auto")
	return c
}

// planDocument is the plan as JSON.
type planDocument struct {
	Run       string            `json:"run"`
	Base      planModel         `json:"base"`
	Experts   []planModel       `json:"experts"`
	Licence   string            `json:"licence"` // the strictest of the parents'; "" where none can be named
	Unclear   string            `json:"licence_problem,omitempty"`
	Layers    int               `json:"layers"`
	Methods   []string          `json:"methods"`
	Genes     []planGenes       `json:"genes"`
	GeneCount int               `json:"gene_count"`
	Algorithm string            `json:"algorithm"`
	Why       string            `json:"why,omitempty"`
	Workers   int               `json:"workers"`
	Tasks     []planTask        `json:"tasks"`
	Estimate  plan.Estimate     `json:"estimate"`
	Costs     *plan.Costs       `json:"costs"`         // null: unknown
	Ends      *time.Time        `json:"ends"`          // if it were started now
	GPU       *merge.DevicePlan `json:"gpu,omitempty"` // null: merges on the CPU
	Proof     planProof         `json:"proof"`
	Notes     []string          `json:"notes,omitempty"`
}

type planModel struct {
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	Licence string `json:"licence"` // "" where its card states none
}

// planGenes are the genes of one parameter.
type planGenes struct {
	Parameter string   `json:"parameter"`
	Genes     int      `json:"genes"`
	Methods   []string `json:"methods,omitempty"` // null: all
	Experts   int      `json:"experts,omitempty"`
	Groups    int      `json:"groups,omitempty"`
}

type planTask struct {
	Name       string  `json:"name"`
	Weight     float64 `json:"weight"`
	Search     int     `json:"search"`
	Validation int     `json:"validation"`
	HeldOut    int     `json:"held_out"`
}

// planProof says what the items can prove.
type planProof struct {
	Discordance float64 `json:"discordance"` // share of items that two models answer differently
	Measured    bool    `json:"measured"`
	HeldOut     float64 `json:"held_out_gain"` // smallest true gain that the verdict shows four times of five
	Search      float64 `json:"search_gain"`   // the same for two candidates on all search items
}

// usualDiscordance is the share of items that a merge and its best parent answer
// differently where nobody measured it; 17 to 22 of 100 in docs/log/verdict.md.
const usualDiscordance = 0.22

func makePlan(ctx context.Context, file *runfile.RunFile, device deviceFlag, workers int, calibrate bool, runs string) (*planDocument, error) {
	began := time.Now()
	s, err := readSession(file, device, !calibrate)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.checkSplits(); err != nil {
		return nil, err
	}
	var costs *plan.Costs
	if calibrate {
		if err := s.serve(ctx); err != nil {
			return nil, err
		}
		if costs, err = s.calibrate(ctx, workers, time.Since(began)); err != nil {
			return nil, err
		}
	} else if costs, err = s.earlier(ctx, runs, workers); err != nil {
		return nil, err
	}
	w, err := s.rehearse(ctx, workers, costs)
	if err != nil {
		return nil, err
	}
	d := s.describe(workers)
	d.Costs, d.Estimate = costs, s.estimate(w, costs)
	if calibrate {
		d.Estimate.Grow(s.held(w))
	}
	if costs == nil && (file.Budget.Tokens > 0 || file.Budget.Hours > 0) {
		d.Notes = append(d.Notes, "what an answer takes is unknown, so a budget of tokens or hours may end the run earlier than this")
	}
	if costs != nil && costs.Workers != workers {
		d.Notes = append(d.Notes, fmt.Sprintf("costs are those with %d in flight", costs.Workers))
	}
	if w.Share < 1 {
		d.Notes = append(d.Notes, fmt.Sprintf("%.0f %% of the search was rehearsed, the rest is extrapolated", 100*w.Share))
	}
	if t := d.Estimate.SecondsP50; t > 0 {
		ends := time.Now().Add(time.Duration(t * float64(time.Second))).Round(time.Second)
		d.Ends = &ends
	}
	s.prove(d, costs)
	return d, nil
}

// checkSplits is what the evaluator would say of the tasks.
func (s *session) checkSplits() error {
	for _, t := range s.tasks {
		for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
			if len(t.Items(split)) == 0 {
				return &mergesearch.InputError{File: t.File, Field: "test_split", Problem: fmt.Sprintf("no %s items", split), Hint: "a search needs training_split, validation_split and test_split, or more documents to divide"}
			}
		}
	}
	return nil
}

// describe is what the plan says of the run file.
func (s *session) describe(workers int) *planDocument {
	d := &planDocument{
		Run: fmt.Sprintf("%s-s%d", s.file.Name, s.file.Seed), Layers: s.layers, GeneCount: len(s.space.Genes),
		Algorithm: s.file.Algorithm.Name, Why: s.why, Workers: workers, Methods: s.file.Methods, Notes: slices.Clone(s.notes),
	}
	licences := s.engine.Licences()
	for i, name := range append([]string{s.baseName()}, s.expertNames()...) {
		checkpoint, _ := s.engine.Model(name)
		m := planModel{Name: name, Bytes: checkpoint.MappedBytes(), Licence: licences[name]}
		if i == 0 {
			d.Base = m
		} else {
			d.Experts = append(d.Experts, m)
		}
	}
	common := merge.CommonLicence(licences)
	d.Licence, d.Unclear = common.Common, common.Problem
	d.Genes = genesOf(s.space)
	for _, w := range s.benchmark.Tasks {
		for _, t := range s.tasks {
			if t.Name == w.Task {
				d.Tasks = append(d.Tasks, planTask{t.Name, w.Weight, len(t.Items(mergesearch.SearchSplit)), len(t.Items(mergesearch.ValidationSplit)), len(t.Items(mergesearch.HeldOutSplit))})
			}
		}
	}
	for _, b := range s.space.Baselines() {
		if p, err := s.engine.Plan(b.Recipe); err == nil {
			d.GPU = s.engine.DevicePlan(p)
			break
		}
	}
	return d
}

// genesOf counts the genes by parameter; choices stand under their own names.
func genesOf(s *mergesearch.Space) []planGenes {
	var out []planGenes
	seen := map[string]map[string]bool{}
	for _, g := range s.Genes {
		name := g.Parameter
		if g.Kind == mergesearch.Choice || name == "" {
			name, _, _ = strings.Cut(g.Name, ".")
		}
		i := slices.IndexFunc(out, func(p planGenes) bool { return p.Parameter == name })
		if i < 0 {
			i = len(out)
			out = append(out, planGenes{Parameter: name, Methods: g.Methods})
			seen[name] = map[string]bool{}
		}
		out[i].Genes++
		if g.Expert != "" && !seen[name]["e"+g.Expert] {
			seen[name]["e"+g.Expert] = true
			out[i].Experts++
		}
		if g.Group != "" && !seen[name]["g"+g.Group] {
			seen[name]["g"+g.Group] = true
			out[i].Groups++
		}
	}
	return out
}

// prove fills in what the items can show.
func (s *session) prove(d *planDocument, costs *plan.Costs) {
	d.Proof.Discordance = usualDiscordance
	if costs != nil && costs.Discordance > 0 {
		d.Proof.Discordance, d.Proof.Measured = costs.Discordance, true
	}
	held, searched := map[string]int{}, map[string]int{}
	for _, t := range d.Tasks {
		held[t.Name], searched[t.Name] = t.HeldOut, t.Search
		if r := s.file.Race.Rungs; len(r) > 0 {
			searched[t.Name] = min(t.Search, r[len(r)-1])
		}
	}
	d.Proof.HeldOut = plan.Detectable(held, s.benchmark.Tasks, d.Proof.Discordance)
	d.Proof.Search = plan.Detectable(searched, s.benchmark.Tasks, d.Proof.Discordance)
}

// calibrate builds and asks parents and random candidates, on the items of the first
// and the last rung in turn, with so many in flight and records in a temporary
// directory. Only search items are asked.
func (s *session) calibrate(ctx context.Context, workers int, start time.Duration) (*plan.Costs, error) {
	o, err := s.options(workers)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mergesearch-plan-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, filepath.Join(dir, "run"), store.Options{})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	c := &calibration{session: s, db: db, meter: &plan.Meter{Builder: o.Builder, Scorer: o.Scorer, Workers: workers}, sizes: s.sizes(o.Race), until: time.Now().Add(calibrationTime)}
	if err := c.run(ctx, workers); err != nil {
		return nil, err
	}
	costs, ok := c.meter.Costs("calibration")
	if !ok {
		return nil, &unfit{err: errors.New("calibration: nothing was answered in time"), hint: "the endpoint is too slow for a calibration; plan without --calibrate, or fewer items in the first rung"}
	}
	costs.Start, costs.MemoryBytes = start.Seconds(), peakMemory()
	costs.Record, costs.Discordance = c.record.Seconds()/float64(max(1, c.begun)), c.discordance()
	return &costs, nil
}

// sizes are the items of the first and the last rung.
func (s *session) sizes(r search.Race) [][]mergesearch.ItemID {
	first, last := 0, 0
	if len(r.Rungs) > 0 {
		first, last = r.Rungs[0], r.Rungs[len(r.Rungs)-1]
	}
	take := func(n int) (out []mergesearch.ItemID) {
		for _, t := range s.tasks {
			for i, item := range t.Items(mergesearch.SearchSplit) {
				if n == 0 || i < n {
					out = append(out, item.ID)
				}
			}
		}
		return out
	}
	if len(r.Rungs) < 2 { // a second size tells what is the same for all
		all := take(last)
		per := (len(all)/max(1, len(s.tasks)) + 3) / 4
		return [][]mergesearch.ItemID{take(max(1, per)), all}
	}
	return [][]mergesearch.ItemID{take(first), take(last)}
}

// calibration is one under way.
type calibration struct {
	*session
	db    *store.DB
	meter *plan.Meter
	sizes [][]mergesearch.ItemID
	until time.Time

	mu       sync.Mutex
	record   time.Duration
	begun    int
	outcomes []map[mergesearch.ItemID]mergesearch.Outcome
}

// trials are parents and random genomes in turn.
func (c *calibration) trials() ([]mergesearch.Trial, error) {
	random, err := search.NewRandom(c.space, c.file.Seed^0x9e3779b97f4a7c15, calibrationJobs)
	if err != nil {
		return nil, err
	}
	var parents, out []mergesearch.Trial
	for _, name := range append([]string{c.baseName()}, c.expertNames()...) {
		parents = append(parents, mergesearch.Trial{Name: name, Recipe: mergesearch.Passthrough(name, c.space.DType), Individual: mergesearch.Individual{Operator: "parent"}})
	}
	for _, x := range random.Ask() {
		if len(parents) > 0 {
			out, parents = append(out, parents[0]), parents[1:]
		}
		out = append(out, mergesearch.Trial{Individual: x, Recipe: c.space.Decode(x.Genome)})
	}
	out = out[:min(len(out), calibrationJobs)]
	for i := range out {
		out[i].Index, out[i].State, out[i].RecipeID = i, mergesearch.Pending, out[i].Recipe.ID()
	}
	return out, nil
}

func (c *calibration) run(ctx context.Context, workers int) error {
	trials, err := c.trials()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, c.until.Add(20*time.Second)) // a call in flight may need longer
	defer cancel()
	errs := make(chan error, workers)
	next := make(chan mergesearch.Trial)
	for range workers {
		go func() {
			var first error
			for t := range next {
				if first == nil {
					first = c.ask(ctx, t)
				}
			}
			errs <- first
		}()
	}
	for _, t := range trials {
		if time.Now().After(c.until) {
			break
		}
		next <- t
	}
	close(next)
	for range workers {
		err = errors.Join(err, <-errs)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // what was measured is all there is
	}
	return err
}

// ask is what the loop does for a trial.
func (c *calibration) ask(ctx context.Context, t mergesearch.Trial) error {
	began := time.Now()
	canonical := ""
	if t.Individual.Genome != nil {
		canonical = c.space.Canonical(t.Individual.Genome)
	}
	if err := c.db.Begin(ctx, t, canonical); err != nil {
		return err
	}
	recorded := time.Since(began)
	items := c.sizes[t.Index/2%len(c.sizes)] // two of a size together, as cohorts are
	candidate, err := c.meter.Build(ctx, t.ID(), t.Recipe)
	if err == nil {
		defer candidate.Release()
		var outcomes []mergesearch.Outcome
		if outcomes, err = c.meter.Score(ctx, candidate, items); err == nil {
			t.Fingerprint, t.State = candidate.Fingerprint, mergesearch.Scoring
			if err := c.db.Answered(ctx, t, mergesearch.SearchSplit, outcomes); err != nil {
				return err
			}
			byItem := map[mergesearch.ItemID]mergesearch.Outcome{}
			for _, o := range outcomes {
				byItem[o.Item] = o
			}
			c.mu.Lock()
			c.outcomes = append(c.outcomes, byItem)
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	c.record += 2 * recorded // and its end, which is another transaction
	c.begun++
	c.mu.Unlock()
	var failed *mergesearch.Failure
	if errors.As(err, &failed) {
		return nil
	}
	return err
}

// discordance is the mean share of items that two of the better half of the models
// answer differently.
func (c *calibration) discordance() float64 {
	means := func(m map[mergesearch.ItemID]mergesearch.Outcome) float64 {
		sum := 0.0
		for _, o := range m {
			sum += o.Value
		}
		return sum / float64(len(m))
	}
	slices.SortStableFunc(c.outcomes, func(a, b map[mergesearch.ItemID]mergesearch.Outcome) int {
		x, y := means(a), means(b)
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	better := c.outcomes[:(len(c.outcomes)+1)/2]
	sum, n := 0.0, 0
	for i := range better {
		for j := range i {
			for id, o := range better[i] {
				if p, both := better[j][id]; both {
					sum += (o.Value - p.Value) * (o.Value - p.Value)
					n++
				}
			}
		}
	}
	if n < 100 {
		return 0
	}
	return sum / float64(n)
}

// print writes the plan for people.
func (d *planDocument) print(w io.Writer) error {
	var b strings.Builder
	e := d.Estimate
	fmt.Fprintf(&b, "%s: nothing was started or written\n\n", report.Plain(d.Run))
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(what, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", what, report.Plain(fmt.Sprintf(format, args...)))
	}
	row("base model", "%s, %d layers, %s, licence %s", d.Base.Name, d.Layers, bytesText(d.Base.Bytes), cmp.Or(d.Base.Licence, "not stated"))
	for _, m := range d.Experts {
		row("expert", "%s, licence %s", m.Name, cmp.Or(m.Licence, "not stated"))
	}
	row("licence", "%s", cmp.Or(d.Licence, d.Unclear+"; ask the authors before you publish a merge"))
	row("methods", "%s", strings.Join(d.Methods, ", "))
	row("genes", "%d", d.GeneCount)
	for _, g := range d.Genes {
		row("", "%s", g.text())
	}
	row("algorithm", "%s", algorithmText(d.Algorithm, d.Why))
	for _, t := range d.Tasks {
		row("task", "%s, weight %g: %d search, %d validation, %d held-out items", t.Name, t.Weight, t.Search, t.Validation, t.HeldOut)
	}
	row("candidates", "%d, and %d parents and usual recipes; the search ends for: %s", e.Candidates, e.Trials-e.Candidates, e.Stop)
	for _, r := range e.Rungs {
		row("", "%d answer %d items", r.Candidates, r.Items)
	}
	row("answers", "%d: %d search, %d validation, %d held-out", e.Answered, e.Search, e.Validation, e.HeldOut)
	if e.PromptTokens > 0 {
		row("tokens", "%.0f in, %.0f out", e.PromptTokens, e.CompletionTokens)
	} else {
		row("tokens", "unknown, use --calibrate")
	}
	if c := d.Costs; c != nil {
		row("a merge", "%s (P50), %s (P90)", secondsText(c.Build.P50), secondsText(c.Build.P90))
		row("a call", "%s (P50), %s (P90); putting a model before the endpoint takes %s", secondsText(c.Eval.P50), secondsText(c.Eval.P90), secondsText(c.Call))
		row("time", "%s (P50), %s (P90) with %d in flight, by %s", secondsText(e.SecondsP50), secondsText(e.SecondsP90), d.Workers, c.Source)
		row("end", "%s, if started now", d.Ends.Local().Format("2006-01-02 15:04 MST"))
	} else {
		row("time", "unknown, use --calibrate")
	}
	row("disk", "%s left behind, %s at the peak", bytesText(e.DiskBytes), bytesText(e.PeakBytes))
	if e.MemoryBytes > 0 {
		row("memory", "%s at the peak", bytesText(e.MemoryBytes))
	} else {
		row("memory", "unknown, use --calibrate")
	}
	if d.GPU != nil {
		row("GPU", "%s", d.GPU.String())
	}
	if e.Cost > 0 {
		row("cost", "%.2f", e.Cost)
	}
	how := "assumed"
	if d.Proof.Measured {
		how = "measured"
	}
	row("can prove", "a true gain of %.1f points over the best parent, 4 times of 5 (95 %% interval, in pairs; %.0f of 100 items answered differently, %s)", 100*d.Proof.HeldOut, 100*d.Proof.Discordance, how)
	row("", "between two candidates on all search items: %.1f points", 100*d.Proof.Search)
	for _, n := range d.Notes {
		row("note", "%s", n)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (g planGenes) text() string {
	text := fmt.Sprintf("%s: %d", g.Parameter, g.Genes)
	var of []string
	if g.Groups > 0 {
		of = append(of, fmt.Sprintf("%d groups", g.Groups))
	}
	if g.Experts > 0 {
		of = append(of, fmt.Sprintf("%d experts", g.Experts))
	}
	if len(of) > 0 {
		text += " (" + strings.Join(of, " of ") + ")"
	}
	if g.Methods != nil {
		text += ", of " + strings.Join(g.Methods, ", ")
	}
	return text
}

func algorithmText(name, why string) string {
	if why == "" {
		return name
	}
	return name + ": " + why
}

func secondsText(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond / 10).String()
	case d < time.Hour:
		return d.Round(time.Second / 10).String()
	}
	return fmt.Sprintf("%.0fh%02.0fm", math.Floor(d.Hours()), math.Mod(d.Minutes(), 60))
}
