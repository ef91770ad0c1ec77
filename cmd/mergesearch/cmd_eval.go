package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/lm"
	"mergesearch/store"
)

type evalFlags struct {
	tasks     []string
	split     string
	endpoint  string
	model     string
	apiKeyEnv string
	tokenizer string
	samples   string
	cache     string
	paired    bool
	limit     int
	prompts   promptFlags
}

// evalDocument is the JSON of one evaluated model.
type evalDocument struct {
	Model       string            `json:"model"`
	Fingerprint string            `json:"fingerprint,omitempty"`
	Split       mergesearch.Split `json:"split"`
	Tasks       []eval.TaskReport `json:"tasks"`

	Groups []eval.GroupReport `json:"groups,omitempty"`

	// Ahead is the first model's gain over this one, with --paired.
	Ahead *report.Comparison `json:"first_gain,omitempty"`
}

func newEvalCommand() *cobra.Command {
	var f evalFlags
	c := &cobra.Command{
		Use:   "eval [TARGET...] --task FILE",
		Short: "score model directories, or an OpenAI-compatible endpoint, on tasks",
		Long: `eval scores models on lm-evaluation-harness task files with local data. A TARGET
is a model directory, which the embedded engine serves; or give --endpoint URL
--model NAME for a server of your own.`,
		Args: arguments(0, -1),
		RunE: func(c *cobra.Command, args []string) error { return evaluate(c, args, f) },
	}
	c.Flags().StringArrayVar(&f.tasks, "task", nil, "task or group file; may be given several times")
	c.Flags().StringVar(&f.split, "split", string(mergesearch.HeldOutSplit), "items to ask: search, validation, held-out, or harness for those that lm-evaluation-harness evaluates")
	c.Flags().IntVar(&f.limit, "limit", 0, "ask only the first items of each task (default all)")
	c.Flags().StringVar(&f.endpoint, "endpoint", "", "base URL of an OpenAI-compatible API, such as http://127.0.0.1:8000/v1")
	c.Flags().StringVar(&f.model, "model", "", "name of the model at the endpoint")
	c.Flags().StringVar(&f.apiKeyEnv, "api-key-env", "", "name of the environment variable that holds the API key")
	c.Flags().StringVar(&f.tokenizer, "tokenizer", "", "model directory whose tokenizer the endpoint's model uses")
	c.Flags().StringVar(&f.samples, "samples", "", "write one JSON line per item to this file")
	f.prompts.add(c.Flags())
	c.Flags().StringVar(&f.cache, "cache", "", "directory that keeps answers, so that the same weights are asked nothing twice")
	c.Flags().BoolVar(&f.paired, "paired", false, "compare the first target with each of the others, item by item")
	return c
}

func (f evalFlags) check(targets []string) error {
	switch {
	case len(f.tasks) == 0:
		return &mergesearch.InputError{Field: "--task", Problem: "missing", Hint: "name a task file, such as configs/quickstart/tasks/reverse.yaml"}
	case (f.endpoint == "") != (f.model == ""):
		return &mergesearch.InputError{Field: "--endpoint", Problem: "needs --model NAME, and the other way round", Hint: "for example --endpoint http://127.0.0.1:8000/v1 --model NAME"}
	case f.endpoint == "" && len(targets) == 0:
		return &mergesearch.InputError{Problem: "nothing to evaluate", Hint: "name a model directory, or --endpoint URL --model NAME"}
	case f.endpoint != "" && len(targets) > 0:
		return &mergesearch.InputError{Problem: "model directories and --endpoint cannot be mixed", Hint: "call eval once for each"}
	case f.paired && len(targets) < 2:
		return &mergesearch.InputError{Field: "--paired", Problem: "needs at least two targets"}
	}
	if f.endpoint != "" {
		if err := runfile.CheckURL(f.endpoint); err != nil {
			err.Field = "--endpoint"
			return err
		}
	}
	if f.limit < 0 {
		return &mergesearch.InputError{Field: "--limit", Problem: "cannot be negative"}
	}
	if err := f.prompts.check(); err != nil {
		return err
	}
	if known := []string{"search", "validation", "held-out", string(eval.HarnessSplit)}; !slices.Contains(known, f.split) {
		e := mergesearch.UnknownWord("split", f.split, known)
		e.Field, e.Problem = "--split", fmt.Sprintf("unknown split %q", f.split)
		return e
	}
	return nil
}

func evaluate(c *cobra.Command, targets []string, f evalFlags) error {
	if err := f.check(targets); err != nil {
		return err
	}
	template, err := f.prompts.chatTemplate()
	if err != nil {
		return err
	}
	var tasks []*eval.Task
	var groups []*eval.Group
	var benchmark mergesearch.Benchmark
	for _, file := range f.tasks {
		more, group, err := eval.ReadTasks(file, f.prompts.reading())
		if err != nil {
			return err
		}
		if group != nil {
			groups = append(groups, group)
		}
		for _, task := range more {
			tasks = append(tasks, task)
			benchmark.Tasks = append(benchmark.Tasks, mergesearch.TaskWeight{Task: task.Name, Weight: 1})
		}
	}
	server, stop, candidates, err := f.open(c.Context(), targets)
	if err != nil {
		return err
	}
	defer stop()
	defer func() {
		for _, m := range candidates {
			m.Release()
		}
	}()
	evaluator, err := eval.New(eval.Options{Tasks: tasks, Endpoint: server, Chat: template, Environment: lookupKey})
	if err != nil {
		return err
	}
	defer evaluator.Close()
	if f.cache == "" {
		return f.score(c, evaluator, eval.Judge{Benchmark: benchmark}, groups, candidates)
	}
	db, err := store.Open(c.Context(), f.cache, store.Options{})
	if err != nil {
		return pathOfFlag(err, "--cache")
	}
	evaluator.Remember(db.Cache())
	err = f.score(c, evaluator, eval.Judge{Benchmark: benchmark}, groups, candidates)
	if !server.Profile().Fingerprint {
		fmt.Fprintln(c.ErrOrStderr(), "nothing was kept in --cache: this endpoint does not prove which weights answer")
	} else {
		fmt.Fprintf(c.ErrOrStderr(), "%d requests sent, %d answered from --cache\n", evaluator.Requests(), evaluator.Remembered())
	}
	return errors.Join(err, db.Close())
}

// open returns the endpoint and what it is to serve.
func (f evalFlags) open(ctx context.Context, targets []string) (eval.Endpoint, func() error, []mergesearch.Candidate, error) {
	if f.endpoint != "" {
		key := ""
		if f.apiKeyEnv != "" {
			var err error
			if key, err = apiKey(f.apiKeyEnv, "--api-key-env"); err != nil {
				return nil, nil, nil, err
			}
		}
		candidate := mergesearch.Candidate{ID: mergesearch.CandidateID(f.model)}
		if f.tokenizer != "" {
			files, tensors, err := openModel(f.tokenizer)
			if err != nil {
				return nil, nil, nil, err
			}
			tensors.Release()
			candidate.Files = files
		}
		server, err := endpoint.OpenAI(ctx, endpoint.OpenAIOptions{BaseURL: f.endpoint, Model: f.model, APIKey: key})
		if err != nil {
			err = unfitServer(err)
		}
		return server, func() error { return nil }, []mergesearch.Candidate{candidate}, err
	}
	var candidates []mergesearch.Candidate
	for _, dir := range targets {
		files, tensors, err := openModel(dir)
		if err != nil {
			return nil, nil, nil, err
		}
		if err := lm.CheckConfig(files); err != nil {
			tensors.Release()
			return nil, nil, nil, mergesearch.InDir(err, dir)
		}
		name := mergesearch.CandidateID(filepath.Base(filepath.Clean(dir)))
		if slices.ContainsFunc(candidates, func(c mergesearch.Candidate) bool { return c.ID == name }) {
			name = mergesearch.CandidateID(filepath.Clean(dir))
		}
		candidates = append(candidates, mergesearch.Candidate{ID: name, Dir: dir, Files: files, Tensors: tensors, Fingerprint: tensors.Digest()})
	}
	server, err := endpoint.NewEmbedded(lm.ServerOptions{})
	if err != nil {
		return nil, nil, nil, err
	}
	return server, server.Close, candidates, nil
}

func (f evalFlags) score(c *cobra.Command, evaluator *eval.Evaluator, judge eval.Judge, groups []*eval.Group, candidates []mergesearch.Candidate) error {
	split := mergesearch.Split(f.split)
	var items []mergesearch.ItemID
	asked := map[string]int{}
	for _, item := range evaluator.Items(split) {
		if asked[item.Task]++; f.limit == 0 || asked[item.Task] <= f.limit {
			items = append(items, item.ID)
		}
	}
	if len(items) == 0 {
		return &mergesearch.InputError{Field: "--split", Problem: fmt.Sprintf("the tasks have no %s items", split)}
	}
	samples, err := newSampleFile(f.samples)
	if err != nil {
		return err
	}
	documents := []evalDocument{}
	var first []mergesearch.Outcome
	for i, candidate := range candidates {
		found, err := evaluator.ScoreDetailed(c.Context(), candidate, items)
		if err != nil {
			samples.discard()
			return err
		}
		d := evalDocument{Model: string(candidate.ID), Fingerprint: found.Fingerprint, Split: split, Tasks: found.Tasks}
		for _, g := range groups {
			d.Groups = append(d.Groups, g.Report(found.Tasks))
		}
		if i == 0 {
			first = found.Outcomes
		} else if f.paired {
			c, err := judge.Compare(first, found.Outcomes)
			if err != nil {
				return err
			}
			ahead := report.Comparison(c)
			d.Ahead = &ahead
		}
		if err := samples.add(string(candidate.ID), found.Samples); err != nil {
			return err
		}
		documents = append(documents, d)
	}
	if err := samples.keep(); err != nil {
		return err
	}
	if wantsJSON(c) {
		return writeEvalJSON(c.OutOrStdout(), documents)
	}
	return evalTable(c.OutOrStdout(), documents)
}

// writeEvalJSON writes one object for one model, else an array.
func writeEvalJSON(w io.Writer, documents []evalDocument) error {
	if len(documents) == 1 {
		return report.Write(w, documents[0])
	}
	return report.Write(w, documents)
}

func evalTable(w io.Writer, documents []evalDocument) error {
	var b strings.Builder
	for _, d := range documents {
		fmt.Fprintf(&b, "%s on %s items\n", report.Plain(d.Model), d.Split)
		for _, t := range d.Tasks {
			for _, name := range slices.Sorted(maps.Keys(t.Metrics)) {
				fmt.Fprintf(&b, "  %-20s %-14s %s  (%s)\n", report.Plain(t.Task), name, printed(t.Metrics[name]), sanityText(t))
			}
		}
		for _, g := range d.Groups {
			for _, name := range slices.Sorted(maps.Keys(g.Metrics)) {
				fmt.Fprintf(&b, "  %-20s %-14s %s  (group, %d items)\n", report.Plain(g.Group), name, printed(g.Metrics[name]), g.Items)
			}
		}
		if d.Ahead != nil {
			fmt.Fprintf(&b, "  %s is ahead of it by %+.1f points (95 %% interval %+.1f to %+.1f)\n", report.Plain(documents[0].Model), 100*d.Ahead.Gain, 100*d.Ahead.CILow, 100*d.Ahead.CIHigh)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printed is a value with its error, where it has one.
func printed(e eval.Estimate) string {
	if math.IsNaN(e.StdErr) {
		return fmt.Sprintf("%.4f", e.Value)
	}
	return fmt.Sprintf("%.4f ± %.4f", e.Value, e.StdErr)
}

// sanityText is what should be seen beside a score.
func sanityText(t eval.TaskReport) string {
	text := fmt.Sprintf("%d items, %d truncated, %d empty, %d looping, %d missing", t.Items, t.Truncated, t.Empty, t.Looping, t.Missing)
	if t.MeanTokens > 0 {
		text += fmt.Sprintf(", %.1f tokens each", t.MeanTokens)
	}
	return text
}

// sampleFile collects samples beside their final place, so that a file of that
// name is always complete. A nil one takes and keeps nothing.
type sampleFile struct {
	path string
	file *os.File
	enc  *json.Encoder
}

func newSampleFile(path string) (*sampleFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-samples-*")
	if err != nil {
		return nil, &mergesearch.InputError{Field: "--samples", Problem: "cannot be written: " + causeOf(err), Hint: "name a file in a directory that is there", Cause: err}
	}
	e := json.NewEncoder(f)
	e.SetEscapeHTML(false)
	return &sampleFile{path: path, file: f, enc: e}, nil
}

func (s *sampleFile) add(model string, samples []eval.Sample) error {
	if s == nil {
		return nil
	}
	for _, sample := range samples {
		row := struct {
			Model string `json:"model"`
			eval.Sample
		}{model, sample}
		if err := s.enc.Encode(row); err != nil {
			s.discard()
			return err
		}
	}
	return nil
}

func (s *sampleFile) keep() error {
	if s == nil {
		return nil
	}
	err := s.file.Sync()
	if e := s.file.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(s.file.Name(), s.path)
	}
	if err != nil {
		os.Remove(s.file.Name())
	}
	return err
}

func (s *sampleFile) discard() {
	if s != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}
