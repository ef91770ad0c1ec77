package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
	"mergesearch/eval/chat"
	"mergesearch/eval/dataset"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/search"
	"mergesearch/store"
)

// The stages meet here and nowhere else.
var (
	_ search.Builder = (*merge.Engine)(nil)
	_ search.Scorer  = (*eval.Evaluator)(nil)
	_ search.Judge   = eval.Judge{}
	_ eval.Cache     = (*store.Cache)(nil)
)

// session is a run file made into everything that a run is made of, apart from
// its store.
type session struct {
	file      *runfile.RunFile
	tasks     []*eval.Task
	models    map[string]string // name to directory
	devices   []*kernel.Device
	engine    *merge.Engine
	engines   []*merge.Engine // one for each device; the first is engine
	space     *mergesearch.Space
	start     []mergesearch.Baseline // recipes of the run file
	benchmark mergesearch.Benchmark
	layers    int // of each model
	endpoint  eval.Endpoint
	stop      func() error // the endpoint
	evaluator *eval.Evaluator
	why       string // what the algorithm says of its choice
	chat      eval.ChatTemplate
	notes     []string // what the user should know before the search begins
	swaps     swapLog  // what servers report
	outages   outages  // of a server at a URL
	accounts  *accounts
	headers   bool // no tensor is read, as twins among the models would need
}

// openSession checks everything that can be checked without reading a tensor:
// run file, tasks and their data, headers and configs of all models, the space,
// and that the endpoint can run the family. Then it starts the endpoint.
func openSession(ctx context.Context, file *runfile.RunFile, device deviceFlag) (*session, error) {
	s, err := readSession(file, device, false)
	if err != nil {
		return nil, err
	}
	if err := s.serve(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// readSession is openSession without an endpoint. With headers no tensor is read.
func readSession(file *runfile.RunFile, device deviceFlag, headers bool) (_ *session, err error) {
	s := &session{file: file, models: map[string]string{}, headers: headers}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.readTasks(); err != nil {
		return nil, err
	}
	if s.chat, err = s.chatTemplate(); err != nil {
		return nil, err
	}
	methods, err := chosenMethods(file)
	if err != nil {
		return nil, err
	}
	if err := s.openModels(device); err != nil {
		return nil, err
	}
	if err := s.makeSpace(methods); err != nil {
		return nil, mergesearch.InFile(err, file.File)
	}
	return s, s.readStart()
}

// serve starts the endpoint and checks that it can answer the tasks.
func (s *session) serve(ctx context.Context) (err error) {
	if s.endpoint, s.stop, err = s.openEndpoint(ctx); err != nil {
		return err
	}
	options := eval.Options{Tasks: s.tasks, Endpoint: s.endpoint, Chat: s.chat, Environment: lookupKey}
	if s.file.Endpoint.URL != "" { // others are started again by the program itself
		options.Outage, options.OnOutage = outagePatience, s.outages.tell
	}
	if s.evaluator, err = eval.New(options); err != nil {
		return err
	}
	if err := s.evaluator.CheckSplits(); err != nil {
		return err
	}
	files, err := s.baseFiles()
	if err != nil {
		return err
	}
	return s.evaluator.Prepare(files)
}

// items lists a split's items, task by task.
func (s *session) items(split mergesearch.Split) []mergesearch.Item {
	var out []mergesearch.Item
	for _, t := range s.tasks {
		out = append(out, t.Items(split)...)
	}
	return out
}

// remember has answers kept in the store, so that a run that was stopped does not
// ask them again. Not those of the embedded engine, which answers a small request
// in about the time that keeping the answer takes; what judges say is kept always.
func (s *session) remember(db *store.DB) {
	if !s.endpoint.Profile().Local {
		s.evaluator.Remember(db.Cache())
	} else {
		s.evaluator.RememberJudged(db.Cache())
	}
}

// Close stops the endpoint and unmaps the models.
func (s *session) Close() {
	if s.evaluator != nil {
		s.evaluator.Close()
	}
	if s.stop != nil {
		s.stop()
	}
	for _, e := range s.engines {
		e.Close()
	}
	closeDevices(s.devices)
}

func (s *session) readTasks() error {
	for i, t := range s.file.Tasks {
		if err := s.present(fmt.Sprintf("tasks[%d].file", i), t.File); err != nil {
			return err
		}
		tasks, _, err := eval.ReadTasks(s.file.Path(t.File), s.reading())
		if err != nil {
			return err
		}
		for _, task := range tasks { // those of a group share its weight
			s.tasks = append(s.tasks, task)
			s.benchmark.Tasks = append(s.benchmark.Tasks, mergesearch.TaskWeight{Task: task.Name, Weight: *t.Weight / float64(len(tasks))})
		}
	}
	s.benchmark = s.file.Benchmark(s.benchmark.Tasks)
	return mergesearch.InFile(s.benchmark.Check(append([]string{s.baseName()}, s.expertNames()...)), s.file.File)
}

// present refuses a path of the run file at which there is nothing.
func (s *session) present(field, path string) error {
	_, err := os.Stat(s.file.Path(path))
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return &mergesearch.InputError{
			File: s.file.File, Field: field, Problem: fmt.Sprintf("%s: %v", s.file.Path(path), cause.Err),
			Hint: "paths are relative to the run file", Cause: err,
		}
	}
	return err
}

// reading says how prompts are put together.
func (s *session) reading() eval.Reading {
	p := s.file.Prompts
	return eval.Reading{
		Draw: eval.Draw(p.Fewshot), System: p.SystemInstruction, Shots: p.NumFewshot,
		Chat: p.ApplyChatTemplate, MultiTurn: p.FewshotAsMultiturn, Cache: dataset.HubCache(os.Getenv),
	}
}

// chatTemplate reads the template that the run file names.
func (s *session) chatTemplate() (eval.ChatTemplate, error) {
	p := s.file.Prompts
	var names map[string]any
	if len(p.ChatTemplateArgs) > 0 {
		text, err := json.Marshal(p.ChatTemplateArgs)
		if err == nil {
			names, err = chat.Variables(text)
		}
		if err != nil {
			return eval.ChatTemplate{}, &mergesearch.InputError{File: s.file.File, Field: "prompts.chat_template_args", Problem: err.Error()}
		}
	}
	file := p.ChatTemplate
	if file != "" {
		if err := s.present("prompts.chat_template", file); err != nil {
			return eval.ChatTemplate{}, err
		}
		file = s.file.Path(file)
	}
	return readChatTemplate(file, names)
}

func chosenMethods(file *runfile.RunFile) ([]mergesearch.Method, error) {
	var known []string
	var declared, chosen []mergesearch.Method
	for _, m := range merge.Methods() {
		if m.Name != "passthrough" { // merges nothing, so there is nothing to search
			known = append(known, m.Name)
			declared = append(declared, m)
		}
	}
	for i, name := range file.Methods {
		at := slices.Index(known, name)
		if at < 0 {
			e := mergesearch.UnknownWord("method", name, known)
			e.File, e.Field, e.Problem = file.File, fmt.Sprintf("methods[%d]", i), fmt.Sprintf("unknown method %q", name)
			return nil, e
		}
		if slices.Contains(file.Methods[:i], name) {
			return nil, &mergesearch.InputError{File: file.File, Field: fmt.Sprintf("methods[%d]", i), Problem: fmt.Sprintf("%q is listed twice", name)}
		}
		chosen = append(chosen, declared[at])
	}
	return chosen, nil
}

func (s *session) baseName() string { return filepath.Base(filepath.Clean(s.file.Base)) }

func (s *session) expertNames() []string {
	var names []string
	for _, e := range s.file.Experts {
		names = append(names, filepath.Base(filepath.Clean(e)))
	}
	return names
}

// checkNames refuses folder names that recipes and genes cannot hold.
func (s *session) checkNames() error {
	for i, name := range append([]string{s.baseName()}, s.expertNames()...) {
		field := "base"
		if i > 0 {
			field = fmt.Sprintf("experts[%d]", i-1)
		}
		bad := func(r rune) bool { return r == '+' || r == unicode.ReplacementChar || !unicode.IsPrint(r) }
		if strings.ContainsFunc(name, bad) {
			return &mergesearch.InputError{
				File: s.file.File, Field: field, Problem: fmt.Sprintf("the folder name %q has '+' or an unprintable character", name),
				Hint: "models are named by their folders: rename it, or name a link to it",
			}
		}
	}
	return nil
}

func (s *session) openModels(device deviceFlag) error {
	if err := s.checkNames(); err != nil {
		return err
	}
	if err := s.present("base", s.file.Base); err != nil {
		return err
	}
	s.models[s.baseName()] = s.file.Path(s.file.Base)
	for i, name := range s.expertNames() {
		if other, twice := s.models[name]; twice {
			return &mergesearch.InputError{File: s.file.File, Field: fmt.Sprintf("experts[%d]", i), Problem: fmt.Sprintf("the folder name %q is already that of %s", name, other), Hint: "models are named by their folders, which must differ"}
		}
		if err := s.present(fmt.Sprintf("experts[%d]", i), s.file.Experts[i]); err != nil {
			return err
		}
		s.models[name] = s.file.Path(s.file.Experts[i])
	}
	if err := s.openEngines(device); err != nil {
		return err
	}
	if err := s.engine.CheckFamily(); err != nil {
		return err
	}
	return s.checkFamily()
}

// openEngines opens the models, once for each GPU that merges.
func (s *session) openEngines(device deviceFlag) error {
	var note string
	var err error
	if s.devices, note, err = device.open(true); err != nil {
		return err
	}
	if note != "" {
		s.note("%s", note)
	}
	for i := range max(1, len(s.devices)) {
		o := merge.Options{Models: s.models, Base: s.baseName(), Threads: runtime.GOMAXPROCS(0)}
		if len(s.devices) > 0 {
			o.Device = s.devices[i]
			s.note("merging on %s", o.Device)
		}
		e, err := merge.Open(o)
		if err != nil {
			return err
		}
		s.engines = append(s.engines, e)
	}
	s.engine = s.engines[0]
	return nil
}

// builder returns what builds candidates.
func (s *session) builder() search.Builder {
	if len(s.engines) > 1 {
		return newEnginePool(s.engines)
	}
	return s.engine
}

// baseFiles returns the small files of the base model: config, tokenizer and so on.
func (s *session) baseFiles() (map[string][]byte, error) {
	checkpoint, _ := s.engine.Model(s.baseName())
	return checkpoint.Files()
}

// newAlgorithm makes the algorithm that the run file names.
func (s *session) newAlgorithm(budget search.Budget) (search.Plan, error) {
	a := s.file.Algorithm
	if err := s.checkCommand(); err != nil {
		return search.Plan{}, err
	}
	return search.New(a.Name, search.Brief{
		Space: s.space, Benchmark: s.benchmark, Items: s.items(mergesearch.SearchSplit),
		Seed: s.file.Seed, Budget: budget, Dir: s.file.Path("."),
		Settings: search.Settings{
			Population: a.Population, Islands: a.Islands, Sigma: a.Sigma,
			Separable: a.Separable, Adapt: a.Adapt, Start: a.Start, Answer: a.Answer,
			Lookahead: a.Lookahead, Attraction: a.Attraction,
			Command: a.Command, Timeout: time.Duration(a.Timeout * float64(time.Second)),
		},
	})
}

// checkCommand refuses a program that cannot be started. One with a slash lies beside
// the run file.
func (s *session) checkCommand() error {
	a := s.file.Algorithm
	if a.Name != "external" || len(a.Command) == 0 {
		return nil
	}
	program := a.Command[0]
	if strings.Contains(program, "/") {
		var err error
		if program, err = filepath.Abs(s.file.Path(program)); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath(program); err != nil {
		return &mergesearch.InputError{Field: "algorithm.command", Problem: fmt.Sprintf("%q cannot be started: %s", a.Command[0], causeOf(errors.Unwrap(err))), Hint: "name a program on the PATH, or an executable file beside the run file with its folder, such as ./proposer"}
	}
	return nil
}

// heldBytes bounds the candidates that are kept in memory between two rungs of a
// race; those that do not fit are built again.
const heldBytes = 64 << 20

func (s *session) hold() int {
	base, _ := s.engine.Model(s.baseName())
	return int(heldBytes / max(1, base.MappedBytes()))
}

// budget is what the run file allows.
func (s *session) budget() search.Budget {
	return search.Budget{
		Candidates: s.file.Budget.Candidates, ItemAnswers: s.file.Budget.Answers, Tokens: s.file.Budget.Tokens,
		Time: time.Duration(s.file.Budget.Hours * float64(time.Hour)),
	}
}

// options gathers what search.Run needs, apart from the recorder and the progress,
// and refuses what it would.
func (s *session) options(workers int) (search.Options, error) {
	return s.optionsOf(workers, s.evaluator)
}

// optionsOf is options with a scorer.
func (s *session) optionsOf(workers int, scorer search.Scorer) (search.Options, error) {
	budget := s.budget()
	plan, err := s.newAlgorithm(budget)
	if err != nil {
		return search.Options{}, mergesearch.InFile(err, s.file.File)
	}
	s.why = plan.Why
	race, err := s.race(plan)
	if err != nil {
		return search.Options{}, err
	}
	o := search.Options{
		Space: s.space, Benchmark: s.benchmark, Algorithm: plan.Algorithm,
		Builder: s.builder(), Scorer: scorer, Judge: eval.Judge{Benchmark: s.benchmark},
		JudgeOf: func(b mergesearch.Benchmark) search.Judge { return eval.Judge{Benchmark: b} }, Layers: s.layers,
		Seed: s.file.Seed, Race: race, Shortlist: s.file.Shortlist, Workers: workers, Hold: s.hold(), Now: time.Now,
		Budget: budget, Start: s.start,
	}
	return o, mergesearch.InFile(o.Check(), s.file.File)
}

// race is what the run file says of it; the algorithm's own where it says nothing of
// rungs and the algorithm has one, which then says who goes on.
func (s *session) race(plan search.Plan) (search.Race, error) {
	f := s.file.Race
	if len(f.Rungs) == 0 && plan.Race != nil {
		race := *plan.Race
		refuse := func(field, problem string) (search.Race, error) {
			return race, &mergesearch.InputError{File: s.file.File, Field: "race." + field, Problem: problem, Hint: "give rungs too, such as rungs: [30, 120], or leave " + field + " out"}
		}
		switch {
		case f.GivenKeep != nil:
			return refuse("keep", "the algorithm brings a race of its own, which says who goes on")
		case search.ItemChoice(f.Items) == search.FixedItems && race.Keep == 0:
			return refuse("items", "the algorithm brings a race of its own, for which items are chosen anew")
		}
		if f.Items != "" {
			race.Items = search.ItemChoice(f.Items)
		}
		return race, nil
	}
	race := search.DefaultRace()
	race.Rungs, race.Keep, race.Items = f.Rungs, f.Keep, search.ItemChoice(f.Items)
	return race, nil
}

// hashFile returns the SHA-256 of a file in hexadecimal, and its size.
func hashFile(path string) (string, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}
