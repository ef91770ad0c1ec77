package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"mergesearch"
	"mergesearch/store"
)

// Memory is a Recorder that keeps everything in maps: the rules, said as
// plainly as possible. The zero value is ready for use.
type Memory struct {
	mu      sync.Mutex
	trials  map[int]memoryTrial
	recipes map[mergesearch.RecipeID]*mergesearch.Known
	splits  map[mergesearch.ItemID]mergesearch.Split
	order   []mergesearch.ItemID // of first appearance
	Events  []string             // kinds, in order
}

type memoryTrial struct {
	trial  mergesearch.Trial
	genome string
}

// Begin is that of Recorder.
func (m *Memory) Begin(_ context.Context, t mergesearch.Trial, genome string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if was, ok := m.trials[t.Index]; ok {
		if was.trial.RecipeID != t.RecipeID || was.genome != genome {
			return diverged(t, "recipe or genome")
		}
		return nil
	}
	for _, p := range t.Individual.Parents {
		if !m.has(p) {
			return fmt.Errorf("%s: no parent %s", t.ID(), p)
		}
	}
	if m.trials == nil {
		m.trials = map[int]memoryTrial{}
		m.recipes = map[mergesearch.RecipeID]*mergesearch.Known{}
		m.splits = map[mergesearch.ItemID]mergesearch.Split{}
	}
	m.trials[t.Index] = memoryTrial{trial: t, genome: genome}
	if m.recipes[t.RecipeID] == nil {
		m.recipes[t.RecipeID] = &mergesearch.Known{}
	}
	return nil
}

func (m *Memory) has(id mergesearch.CandidateID) bool {
	for i := range m.trials {
		if mergesearch.CandidateOf(i) == id {
			return true
		}
	}
	return false
}

// Known is that of Recorder.
func (m *Memory) Known(_ context.Context, id mergesearch.RecipeID) (mergesearch.Known, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.recipes[id]
	if !ok {
		return mergesearch.Known{}, nil
	}
	out := *k
	out.Outcomes = nil
	for _, item := range m.order {
		for _, o := range k.Outcomes {
			if o.Item == item {
				out.Outcomes = append(out.Outcomes, o)
			}
		}
	}
	out.Failure = nil
	for _, i := range m.indices() {
		if t := m.trials[i].trial; t.RecipeID == id && t.State == mergesearch.Failed {
			reason := t.Reason
			out.Failure = &reason
			break
		}
	}
	return out, nil
}

func (m *Memory) indices() []int {
	var out []int
	for i := range m.trials {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// Answered is that of Recorder.
func (m *Memory) Answered(_ context.Context, t mergesearch.Trial, split mergesearch.Split, outcomes []mergesearch.Outcome) error {
	for _, o := range outcomes {
		if !(o.Value >= 0 && o.Value <= 1) || o.Item == "" || (o.Missing && o.Value != 0) || min(o.PromptTokens, o.CompletionTokens) < 0 {
			return fmt.Errorf("%s: not an outcome", t.ID())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	was, ok := m.trials[t.Index]
	if !ok {
		return fmt.Errorf("%s: not begun", t.ID())
	}
	if was.trial.RecipeID != t.RecipeID {
		return diverged(t, "recipe")
	}
	known := m.recipes[was.trial.RecipeID]
	if known.Fingerprint != "" && t.Fingerprint != "" && known.Fingerprint != t.Fingerprint {
		return diverged(t, "fingerprint")
	}
	fresh := slices.Clone(known.Outcomes)
	var appeared []mergesearch.ItemID
	for _, o := range outcomes {
		if s, ok := m.splits[o.Item]; ok && s != split {
			return fmt.Errorf("%s: item %s of another split", t.ID(), o.Item)
		} else if !ok && !slices.Contains(appeared, o.Item) {
			appeared = append(appeared, o.Item)
		}
		i := slices.IndexFunc(fresh, func(x mergesearch.Outcome) bool { return x.Item == o.Item })
		if i < 0 {
			fresh = append(fresh, o)
		} else if fresh[i].Value != o.Value || fresh[i].Missing != o.Missing {
			return diverged(t, "answer")
		}
	}
	if split == mergesearch.HeldOutSplit && len(outcomes) > 0 && !slices.Contains(m.Events, store.HeldOutOpened) {
		m.Events = append(m.Events, store.HeldOutOpened)
	}
	if known.Outcomes = fresh; t.Fingerprint != "" {
		known.Fingerprint = t.Fingerprint
	}
	m.order = append(m.order, appeared...)
	for _, id := range appeared {
		m.splits[id] = split
	}
	if !ended(was.trial.State) {
		was.trial.State = mergesearch.Scoring
		m.trials[t.Index] = was
	}
	return nil
}

// Finish is that of Recorder.
func (m *Memory) Finish(_ context.Context, t mergesearch.Trial) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	was, ok := m.trials[t.Index]
	if !ok {
		return fmt.Errorf("%s: not begun", t.ID())
	}
	scored := t.State == mergesearch.Scored || t.State == mergesearch.Eliminated
	if _, ok := t.Member(); scored && !ok {
		return fmt.Errorf("%s: no score", t.ID())
	}
	if t.State == mergesearch.Failed && t.Reason.Code == "" {
		return fmt.Errorf("%s: no reason", t.ID())
	}
	if !scored {
		t.Score = mergesearch.Score{}
	}
	if t.State != mergesearch.Failed {
		t.Reason = mergesearch.Reason{}
	}
	if was.trial.RecipeID != t.RecipeID {
		return diverged(t, "recipe")
	}
	w := was.trial
	if w.State == mergesearch.Cancelled && t.State == mergesearch.Cancelled || ended(w.State) && w.State != mergesearch.Cancelled {
		equal := w.State == t.State && w.Reason.Code == t.Reason.Code && w.Rung == t.Rung &&
			w.Score.Fitness == t.Score.Fitness && w.Score.Items == t.Score.Items
		if !equal {
			return diverged(t, "end")
		}
		return nil
	}
	m.trials[t.Index] = memoryTrial{trial: t, genome: was.genome}
	return nil
}

// Event is that of Recorder.
func (m *Memory) Event(_ context.Context, kind string, attrs map[string]any) error {
	if _, err := json.Marshal(attrs); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Events = append(m.Events, kind)
	return nil
}

// Records returns what the population hash covers, in the order of asking.
func (m *Memory) Records() []mergesearch.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []mergesearch.Record
	for _, i := range m.indices() {
		t := m.trials[i]
		out = append(out, mergesearch.Record{
			Index: i, Generation: t.trial.Individual.Generation, Genome: t.genome, RecipeID: t.trial.RecipeID,
			State: t.trial.State, ReasonCode: t.trial.Reason.Code, Outcomes: slices.Clone(m.recipes[t.trial.RecipeID].Outcomes),
		})
	}
	return out
}

func ended(s mergesearch.State) bool {
	return s == mergesearch.Scored || s == mergesearch.Eliminated || s == mergesearch.Failed || s == mergesearch.Cancelled
}

func diverged(t mergesearch.Trial, field string) error {
	return &store.DivergedError{Thing: string(t.ID()), Field: field}
}
