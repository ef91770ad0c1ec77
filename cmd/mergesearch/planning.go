package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/plan"
	"mergesearch/cmd/internal/report"
	"mergesearch/search"
	"mergesearch/store"
)

// The kinds of the events by which a plan and what came of it are kept.
const (
	planEvent   = "plan"   // what the run will take; the last one counts
	actualEvent = "actual" // what a process that ended the run took, with its costs
)

// rehearse finds what the run takes by a run in numbers alone.
func (s *session) rehearse(ctx context.Context, workers int, costs *plan.Costs) (plan.Work, error) {
	items := plan.Items{}
	for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		items[split] = s.items(split)
	}
	o, err := s.optionsOf(workers, items)
	if err != nil {
		return plan.Work{}, err
	}
	return plan.Rehearse(ctx, o, plan.Rehearsal{Items: items, Costs: costs})
}

// estimate puts work and costs together.
func (s *session) estimate(w plan.Work, costs *plan.Costs) plan.Estimate {
	e := plan.New(w, costs)
	handed := int64(0)
	base, _ := s.engine.Model(s.baseName())
	if s.file.Endpoint.Kind != "embedded" { // candidates are files while they are loaded and served
		handed = 2 * int64(max(1, s.file.Endpoint.Servers)) * base.MappedBytes()
	}
	items := 0
	for _, t := range s.tasks {
		for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
			items += len(t.Items(split))
		}
	}
	e.Disk(plan.Store{Genes: len(s.space.Genes), Items: items}, base.MappedBytes()+smallFiles(base.Files()), handed)
	if p := s.file.Price; p != nil {
		e.Priced(plan.Price{Input: p.Input, Output: p.Output, Hour: p.Hour})
	}
	return e
}

// held bounds the candidates that are kept in memory between two rungs.
func (s *session) held(w plan.Work) int64 {
	if len(w.Rungs) < 2 {
		return 0
	}
	base, _ := s.engine.Model(s.baseName())
	return int64(s.hold()) * base.MappedBytes()
}

func smallFiles(files map[string][]byte, err error) (n int64) {
	for _, f := range files {
		n += int64(len(f))
	}
	return n
}

// sources says which models and data a run is of, as far as can be seen without
// reading a tensor.
func (s *session) sources() (string, error) {
	var b bytes.Buffer
	for _, name := range append([]string{s.baseName()}, s.expertNames()...) {
		checkpoint, _ := s.engine.Model(name)
		path, err := filepath.Abs(s.models[name])
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&b, path, checkpoint.MappedBytes())
	}
	for _, t := range s.tasks {
		for _, path := range t.Files() {
			sum, _, err := hashFile(path)
			if err != nil {
				return "", err
			}
			fmt.Fprintln(&b, t.Name, sum)
		}
	}
	fmt.Fprintln(&b, s.file.Endpoint.Kind, s.file.Endpoint.URL, s.file.DType)
	return b.String(), nil
}

// actual is the content of an event of that kind.
type actual struct {
	Sources string     `json:"sources"`
	Seconds float64    `json:"seconds"`
	Resumed bool       `json:"resumed"` // an earlier process did a part of it
	Memory  int64      `json:"memory_bytes"`
	Disk    int64      `json:"disk_bytes"`
	Tokens  int        `json:"tokens"`
	Costs   plan.Costs `json:"costs"`
}

// earlier returns the costs of the latest finished run in a directory of runs that has
// the same models, data and endpoint, nil when there is none. One with as many workers
// comes first.
func (s *session) earlier(ctx context.Context, runs string, workers int) (*plan.Costs, error) {
	sources, err := s.sources()
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(runs, "*", store.FileName))
	if err != nil {
		return nil, nil // a name that is a malformed pattern has no runs that can be found
	}
	var best *plan.Costs
	var when time.Time
	for _, path := range paths {
		a, at, ok := actualOf(ctx, filepath.Dir(path))
		if !ok || a.Sources != sources {
			continue
		}
		better := best == nil || (a.Costs.Workers == workers) != (best.Workers == workers) && a.Costs.Workers == workers
		if better || (a.Costs.Workers == workers) == (best.Workers == workers) && at.After(when) {
			best, when = &a.Costs, at
			best.Source = "the run in " + filepath.Dir(path)
		}
	}
	return best, nil
}

// actualOf reads the last event of what a run took. A directory that cannot be read
// has none: it is somebody else's.
func actualOf(ctx context.Context, dir string) (a actual, at time.Time, ok bool) {
	r, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return a, at, false
	}
	defer r.Close()
	events, err := r.Events(ctx, 0, 0)
	if err != nil {
		return a, at, false
	}
	for _, e := range events {
		if e.Kind == actualEvent {
			a = actual{}
			ok = json.Unmarshal(e.Attrs, &a) == nil && a.Costs.Token+a.Costs.Call > 0
			at = e.At
		}
	}
	return a, at, ok
}

// accounts keeps the plan of a run and what it took.
type accounts struct {
	s       *session
	db      *store.DB
	dir     string
	began   time.Time
	meter   *plan.Meter
	resumed bool
	work    *plan.Work
	start   float64 // seconds before the search

	once    sync.Once
	waiting sync.WaitGroup
	err     error // of the second plan
}

// keepAccounts measures builder and scorer from now on and records the plan, at the
// run's first start. Costs are those of an earlier run until the parents have their
// own.
func (s *session) keepAccounts(ctx context.Context, db *store.DB, dir string, began time.Time, o *search.Options) (*accounts, error) {
	a := &accounts{s: s, db: db, dir: dir, began: began, meter: &plan.Meter{Builder: o.Builder, Scorer: o.Scorer, Workers: o.Workers}}
	o.Builder, o.Scorer = a.meter, a.meter
	counts, err := db.Counts(ctx)
	if err != nil {
		return nil, err
	}
	a.start = time.Since(began).Seconds()
	if a.resumed = counts.Trials > 0; a.resumed {
		return a, nil
	}
	costs, err := s.earlier(ctx, filepath.Dir(filepath.Clean(dir)), o.Workers)
	if err != nil {
		return nil, err
	}
	w, err := s.rehearse(ctx, o.Workers, costs)
	if err != nil { // the search itself says what is wrong, if anything is
		return a, ctx.Err()
	}
	a.work = &w
	a.start = time.Since(began).Seconds()
	source := "counts alone"
	if costs != nil {
		costs.Start = a.start
		source = costs.Source
	}
	return a, db.Event(ctx, planEvent, s.estimate(w, costs).Attrs(source))
}

// follow passes progress on and plans again once the parents have answered: what
// they took is of this machine and this hour. The search goes on meanwhile.
func (a *accounts) follow(ctx context.Context, next func(search.Progress)) func(search.Progress) {
	return func(p search.Progress) {
		next(p)
		if p.Phase != search.PhaseParents && p.Phase != search.PhaseBaselines && a.work != nil {
			a.once.Do(func() {
				costs, ok := a.meter.Costs("the parents and the usual recipes of this run")
				if !ok {
					return
				}
				a.waiting.Go(func() { a.err = a.again(ctx, costs) })
			})
		}
	}
}

// again records a plan with this run's own costs.
func (a *accounts) again(ctx context.Context, costs plan.Costs) error {
	costs.Start, costs.MemoryBytes = a.start, peakMemory()
	w := *a.work
	if b := a.s.file.Budget; b.Hours > 0 || b.Tokens > 0 {
		var err error
		if w, err = a.s.rehearse(ctx, a.meter.Workers, &costs); err != nil {
			return nil // the run goes on with the first plan
		}
	}
	e := a.s.estimate(w, &costs)
	e.Grow(a.s.held(w))
	return a.db.Event(ctx, planEvent, e.Attrs(costs.Source))
}

// close records what the run took, if this process did a part of it.
func (a *accounts) close(ctx context.Context) error {
	a.waiting.Wait()
	if a.err != nil {
		return a.err
	}
	costs, ok := a.meter.Costs("")
	if !ok {
		return nil
	}
	sources, err := a.s.sources()
	if err != nil {
		return err
	}
	counts, err := a.db.Counts(ctx)
	if err != nil {
		return err
	}
	disk, err := bytesIn(ctx, a.db.Reader)
	if err != nil {
		return err
	}
	costs.Start, costs.MemoryBytes = a.start, peakMemory()
	took := actual{
		Sources: sources, Seconds: time.Since(a.began).Seconds(), Resumed: a.resumed, Memory: costs.MemoryBytes, Costs: costs,
		Tokens: counts.Tokens[mergesearch.SearchSplit] + counts.Tokens[mergesearch.ValidationSplit] + counts.Tokens[mergesearch.HeldOutSplit],
		Disk:   disk,
	}
	text, err := json.Marshal(took)
	if err != nil {
		return err
	}
	var attrs map[string]any
	if err := json.Unmarshal(text, &attrs); err != nil {
		return err
	}
	return a.db.Event(ctx, actualEvent, attrs)
}

// bytesIn adds up what a run leaves on the disk: its files, with the database as it
// will be when its log is folded in. The reserve and the marker of a running process go
// with it, and backups come and go.
func bytesIn(ctx context.Context, r *store.Reader) (int64, error) {
	n, err := r.Bytes(ctx)
	if err != nil {
		return 0, err
	}
	_ = filepath.WalkDir(r.Dir(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(filepath.Base(path), "run.") {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n, nil
}

// peakMemory is the most that this process held, shared pages included; 0 where the
// system does not say.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			n, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return n << 10
		}
	}
	return 0
}

// planned reads the plan of a run and what came of it, nil without a plan.
func planned(ctx context.Context, r *store.Reader, s report.Summary) (*report.Planned, error) {
	events, err := r.Events(ctx, 0, 0)
	if err != nil {
		return nil, err
	}
	var out *report.Planned
	var took *actual
	for _, e := range events {
		switch e.Kind {
		case planEvent:
			var p report.Planned
			if json.Unmarshal(e.Attrs, &p.Plan) == nil {
				out = &p
			}
		case actualEvent:
			var a actual
			if json.Unmarshal(e.Attrs, &a) == nil {
				took = &a
			}
		}
	}
	if out == nil || took == nil {
		return out, nil
	}
	out.Actual = &report.Amounts{
		Candidates: s.Candidates, Answers: s.ItemAnswers, Tokens: took.Tokens,
		DiskBytes: took.Disk, MemoryBytes: took.Memory,
	}
	if !took.Resumed {
		out.Actual.Seconds = took.Seconds
	}
	return out, nil
}
