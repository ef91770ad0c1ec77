package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/store"
)

// Mismatch is a number that does not agree with what it is made of.
type Mismatch struct {
	Place    string `json:"place"`    // "verdict.gain", "c0012.score.Fitness"
	Recorded string `json:"recorded"` // as it stands in the record
	Computed string `json:"computed"` // from the answers
}

func (m Mismatch) String() string {
	return fmt.Sprintf("%s is %s, the answers give %s", m.Place, m.Recorded, m.Computed)
}

// Verified says what was computed again.
type Verified struct {
	Scores     int        `json:"scores"`     // of trials
	Unchecked  int        `json:"unchecked"`  // scores of rungs whose items cannot be told any more
	Finalists  int        `json:"finalists"`  // models with held-out scores and intervals
	Mismatches []Mismatch `json:"mismatches"` // empty when all is well
}

// Verify computes scores, intervals and the verdict again and compares them with what
// is recorded.
func Verify(e store.Evidence) Verified {
	v := Verified{Mismatches: []Mismatch{}}
	b, err := Benchmark(e)
	if err != nil {
		if len(e.Trials) > 0 && scored(e) {
			v.Mismatches = append(v.Mismatches, Mismatch{"benchmark", "?", err.Error()})
		}
		return v
	}
	for _, t := range e.Trials {
		v.score(e, b, t)
	}
	if e.Ending == nil {
		return v
	}
	if hash := mergesearch.PopulationHash(e.Records()); hash != e.Ending.PopulationHash {
		v.Mismatches = append(v.Mismatches, Mismatch{"population_hash", e.Ending.PopulationHash, hash})
	}
	was := e.Ending.Result
	r, err := Recompute(e)
	if err != nil {
		v.Mismatches = append(v.Mismatches, Mismatch{"result", "there", err.Error()})
		return v
	}
	v.Finalists = 1 + len(r.Parents) + len(r.Baselines)
	v.Mismatches = append(v.Mismatches, Differences("result", was, r)...)
	return v
}

func scored(e store.Evidence) bool {
	return slices.ContainsFunc(e.Trials, func(t store.Trial) bool { _, ok := t.Member(); return ok })
}

// score computes a trial's score again. Of a recipe that answered more than the trial
// did, the items of an earlier rung cannot be told.
func (v *Verified) score(e store.Evidence, b mergesearch.Benchmark, t store.Trial) {
	if _, ok := t.Member(); !ok {
		return
	}
	a := e.Answers[t.RecipeID]
	on := a.On(mergesearch.SearchSplit)
	if len(on) > t.Score.Items {
		v.Unchecked++
		return
	}
	place := string(t.ID()) + ".score"
	s, err := b.Score(on, a.Fingerprint)
	if err != nil {
		v.Mismatches = append(v.Mismatches, Mismatch{place, fmt.Sprint(t.Score.Fitness), err.Error()})
		return
	}
	s.Layers, s.Cost, s.Violation = t.Score.Layers, t.Score.Cost, t.Score.Violation
	if len(b.Costs) > 0 {
		s.Fitness = b.Steer(s, t.Score.Layers, nil).Fitness
	}
	v.Scores++
	v.Mismatches = append(v.Mismatches, Differences(place, t.Score, s)...)
}

// Differences compares two values as JSON and returns where they differ. Null and what
// is left out are one.
func Differences(place string, recorded, computed any) []Mismatch {
	var out []Mismatch
	differ(place, plain(recorded), plain(computed), &out)
	return out
}

// plain turns a value into what JSON makes of it.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return "not a number: " + err.Error()
	}
	return parse(text)
}

func parse(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // whole numbers of 64 bits stay whole
	var out any
	if err := d.Decode(&out); err != nil {
		return "no JSON: " + err.Error()
	}
	return out
}

func differ(place string, a, b any, out *[]Mismatch) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			keys := maps.Clone(x)
			maps.Copy(keys, y)
			for _, k := range slices.Sorted(maps.Keys(keys)) {
				differ(place+"."+k, x[k], y[k], out)
			}
			return
		}
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				differ(fmt.Sprintf("%s[%d]", place, i), x[i], y[i], out)
			}
			return
		}
	}
	if left, right := show(a), show(b); left != right {
		*out = append(*out, Mismatch{strings.TrimPrefix(place, "."), left, right})
	}
}

func show(v any) string {
	if l, ok := v.([]any); v == nil || ok && len(l) == 0 {
		return "nothing"
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	s := string(text)
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:117], "") + "..."
	}
	return s
}

// Compare compares two JSON documents of a file and counts the numbers of the first.
func Compare(file string, recorded, computed []byte) (found []Mismatch, numbers int) {
	a := parse(recorded)
	differ("", a, parse(computed), &found)
	for i := range found {
		found[i].Place = file + ": " + found[i].Place
	}
	return found, count(a)
}

func count(v any) (n int) {
	switch x := v.(type) {
	case map[string]any:
		for _, y := range x {
			n += count(y)
		}
	case []any:
		for _, y := range x {
			n += count(y)
		}
	case json.Number:
		return 1
	}
	return n
}
