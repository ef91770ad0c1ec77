package evidence_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/evidence"
	"mergesearch/store"
)

// small is the evidence of a run of two parents, a usual recipe and three candidates,
// over two tasks. What they answer follows from their number.
func small(t testing.TB) store.Evidence {
	t.Helper()
	e := store.Evidence{Answers: map[mergesearch.RecipeID]store.Answers{}}
	e.Run.Run, e.Run.Seed, e.Run.Version, e.Run.Created = "small-s1", 1, "0.1.0", time.Unix(1_800_000_000, 5).UTC()
	e.Run.Effective = `{"name":"small","seed":1,"base":"/data/models/a","experts":["models/b"],"tasks":[{"file":"add.yaml","weight":1},{"file":"sort.yaml","weight":2}],"budget":{"candidates":3},"shortlist":2}`
	e.Run.Models = []store.Model{{Name: "a", Path: "/data/models/a", Digest: "aa", Bytes: 10}, {Name: "b", Path: "/data/models/b", Digest: "bb", Bytes: 10}}
	e.Run.Data = []store.Dataset{{Name: "add/add.jsonl", Path: "/data/add.jsonl", SHA256: "cc", Bytes: 3}}
	for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		for i := range 24 {
			e.Items = append(e.Items, store.Item{ID: mergesearch.ItemID(fmt.Sprintf("%s/%s-%d", []string{"add", "sort"}[i%2], split, i)), Split: split})
		}
	}
	b, err := evidence.Benchmark(scoreless(e))
	if err != nil {
		t.Fatal(err)
	}
	result := mergesearch.Result{}
	for n, name := range []string{"a", "b", "naive soup", "", "", ""} {
		r := mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{
			{Model: "b", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(float64(n))}}, {Model: "a"},
		}}
		a := store.Answers{Fingerprint: fmt.Sprint("weights-", n)}
		var search []mergesearch.Outcome
		for i, item := range e.Items {
			if item.Split != mergesearch.SearchSplit && n == 4 {
				continue // left the race
			}
			o := mergesearch.Outcome{Item: item.ID, PromptTokens: 10, CompletionTokens: i % 4, Truncated: (i+n)%9 == 0}
			if (i*7+i/5)%6 <= n {
				o.Value = 1
			} else if (i+n)%11 == 0 {
				o.Missing, o.Truncated = true, false
			}
			a.Outcomes, a.Splits = append(a.Outcomes, o), append(a.Splits, item.Split)
			if item.Split == mergesearch.SearchSplit {
				search = append(search, o)
			}
		}
		e.Answers[r.ID()] = a
		x := store.Trial{Genome: fmt.Sprintf("weight.b=%d", n), Begun: e.Run.Created.Add(time.Duration(n) * time.Second), Finished: e.Run.Created.Add(time.Duration(n+1) * time.Second)}
		x.Index, x.Name, x.Recipe, x.RecipeID, x.State, x.Fingerprint = n, name, r, r.ID(), mergesearch.Scored, a.Fingerprint
		x.Individual = mergesearch.Individual{Genome: mergesearch.Genome{float64(n)}, Operator: "draw"}
		if x.Score, err = b.Score(search, a.Fingerprint); err != nil {
			t.Fatal(err)
		}
		f := mergesearch.Finalist{Name: name, Candidate: x.ID(), RecipeID: x.RecipeID, Recipe: r}
		switch n {
		case 0, 1:
			x.Individual.Operator, x.Genome = "parent", ""
			result.Parents = append(result.Parents, f)
		case 2:
			x.Individual.Operator = "baseline"
			result.Baselines = append(result.Baselines, f)
		case 3, 5:
			result.Shortlist = append(result.Shortlist, mergesearch.Shortlisted{Candidate: x.ID(), RecipeID: x.RecipeID})
			f.Name = "winner"
			result.Best = f
		}
		e.Trials = append(e.Trials, x)
	}
	slices.Reverse(result.Shortlist)
	e.Events = []store.Event{{Seq: 1, At: e.Run.Created, Kind: "heldout_opened", Attrs: json.RawMessage(`{"candidate":"c0005"}`)}}
	e.Ending = &store.Ending{Status: "done", StopReason: "candidates", Result: result, At: e.Run.Created.Add(time.Minute)}
	e.Ending.PopulationHash = mergesearch.PopulationHash(e.Records())
	if e.Ending.Result, err = evidence.Recompute(e); err != nil {
		t.Fatal(err)
	}
	return e
}

// scoreless has a trial with the tasks' names, which is what Benchmark looks for.
func scoreless(e store.Evidence) store.Evidence {
	x := store.Trial{}
	x.State = mergesearch.Scored
	x.Score = mergesearch.Score{Items: 1, Tasks: []mergesearch.TaskScore{{Task: "add"}, {Task: "sort"}}}
	e.Trials = []store.Trial{x}
	return e
}

func TestVerifyAgrees(t *testing.T) {
	v := evidence.Verify(small(t))
	if len(v.Mismatches) > 0 || v.Scores != 6 || v.Finalists != 4 {
		t.Errorf("%+v", v)
	}
}

// Whatever answer is changed, check notices; also when the hash of the population is
// forged to fit, if a printed number stands on the answer. On a validation answer of a
// model that is not on the shortlist none does.
func TestVerifyFindsAnyChangedAnswer(t *testing.T) {
	e := small(t)
	ids, hash := slices.Sorted(maps.Keys(e.Answers)), e.Ending.PopulationHash
	for n := range 12 {
		a := e.Answers[ids[n%len(ids)]]
		o := &a.Outcomes[n*17%len(a.Outcomes)]
		was := o.Value
		o.Value = 0.5
		if found := evidence.Verify(e).Mismatches; len(found) == 0 {
			t.Errorf("%s: a changed answer passed", o.Item)
		}
		e.Ending.PopulationHash = mergesearch.PopulationHash(e.Records())
		if found := evidence.Verify(e).Mismatches; len(found) == 0 && !strings.Contains(string(o.Item), "validation") {
			t.Errorf("%s: a changed answer with a forged hash passed", o.Item)
		}
		o.Value, e.Ending.PopulationHash = was, hash
	}
}

// Whatever number of the result is changed, it is the one that is named.
func TestVerifyNamesTheNumber(t *testing.T) {
	for place, change := range map[string]func(r *mergesearch.Result){
		"result.Verdict.Gain":                        func(r *mergesearch.Result) { r.Verdict.Gain += 0.01 },
		"result.Verdict.CILow":                       func(r *mergesearch.Result) { r.Verdict.CILow = 0.3 },
		"result.AgainstParents[1].PValue":            func(r *mergesearch.Result) { r.AgainstParents[1].PValue = 0.0001 },
		"result.Best.HeldOut.Fitness":                func(r *mergesearch.Result) { r.Best.HeldOut.Fitness = 0.99 },
		"result.Parents[0].HeldOut.Tasks[1].Missing": func(r *mergesearch.Result) { r.Parents[0].HeldOut.Tasks[1].Missing++ },
		"result.Shortlist[1].BestShare":              func(r *mergesearch.Result) { r.Shortlist[1].BestShare = 1 },
		"result.BestParent":                          func(r *mergesearch.Result) { r.BestParent = "a" },
		"result.Verdict.BeatsBestParent":             func(r *mergesearch.Result) { r.Verdict.BeatsBestParent = !r.Verdict.BeatsBestParent },
	} {
		e := small(t)
		change(&e.Ending.Result)
		v := evidence.Verify(e)
		if len(v.Mismatches) != 1 || v.Mismatches[0].Place != place {
			t.Errorf("%s: %v", place, v.Mismatches)
		}
	}
}

func bundle(t testing.TB) evidence.Bundle {
	return evidence.Bundle{Evidence: small(t), Report: []byte("{}\n"), Recipe: []byte("merge_method: linear\n")}
}

// A bundle says all that its numbers are made of, in the same bytes every time.
func TestBundle(t *testing.T) {
	t.Setenv("SOME_API_KEY", "canary-4711-secret")
	dir := t.TempDir()
	b := bundle(t)
	b.Evidence.Events[0].Attrs = json.RawMessage(`{"log":"key canary-4711-secret"}`)
	for _, name := range []string{"one.zip", "two.zip", "folder"} {
		if err := b.Write(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		got, err := evidence.Read(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if v := evidence.Verify(got.Evidence); len(v.Mismatches) > 0 || v.Scores != 6 {
			t.Errorf("%s: %+v", name, v)
		}
		if found := evidence.Differences("result", b.Evidence.Ending.Result, got.Evidence.Ending.Result); len(found) > 0 {
			t.Error(found)
		}
		text, err := json.Marshal(got)
		if err != nil || strings.Contains(string(text), "/data/") || strings.Contains(string(text), "canary") {
			t.Errorf("%s holds a path or a key (%v)", name, err)
		}
	}
	one, two := read(t, filepath.Join(dir, "one.zip")), read(t, filepath.Join(dir, "two.zip"))
	if !bytes.Equal(one, two) {
		t.Error("equal evidence gave different bytes")
	}
	if err := b.Write(filepath.Join(dir, "one.zip")); err == nil {
		t.Error("an existing file was written over")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".tmp-*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// entries takes a bundle apart.
func entries(t testing.TB, text []byte) []entry {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var out []entry
	for _, f := range r.File {
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, entry{zip.FileHeader{Name: f.Name, Method: zip.Deflate}, content})
	}
	return out
}

type entry struct {
	head zip.FileHeader
	text []byte
}

func packed(t testing.TB, all []entry, comment string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range all {
		to, err := w.CreateHeader(&e.head)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(e.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetComment(comment); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// signed gives the entries a manifest that fits them.
func signed(all []entry) []entry {
	type file struct {
		Name   string `json:"name"`
		Bytes  int    `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	var files []file
	last := len(all) - 1
	for _, e := range all[:last] {
		sum := sha256.Sum256(e.text)
		files = append(files, file{e.head.Name, len(e.text), hex.EncodeToString(sum[:])})
	}
	all[last].text, _ = json.Marshal(map[string]any{"files": files})
	return all
}

func TestReadRefusesWhatWriteDoesNotMake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "whole.zip")
	if err := bundle(t).Write(path); err != nil {
		t.Fatal(err)
	}
	whole := read(t, path)
	change := func(f func(all []entry) []entry) []byte { return packed(t, f(entries(t, whole)), "") }
	edit := func(name string, f func(text string) string) []byte {
		return change(func(all []entry) []entry {
			for i := range all {
				if all[i].head.Name == name {
					all[i].text = []byte(f(string(all[i].text)))
				}
			}
			return signed(all)
		})
	}
	replace := func(name, from, to string) []byte {
		return edit(name, func(text string) string {
			if !strings.Contains(text, from) {
				t.Fatalf("%s has no %q", name, from)
			}
			return strings.Replace(text, from, to, 1)
		})
	}
	if _, err := readBytes(t, change(func(all []entry) []entry { return all })); err != nil {
		t.Fatalf("the same again: %v", err)
	}
	for name, text := range map[string][]byte{
		"empty":                nil,
		"cut off":              whole[:len(whole)/2],
		"bytes before":         append([]byte("#!/bin/sh\n"), whole...),
		"bytes after":          append(slices.Clone(whole), "more"...),
		"a comment":            packed(t, entries(t, whole), "hello"),
		"one missing":          change(func(all []entry) []entry { return all[1:] }),
		"one twice":            change(func(all []entry) []entry { return append(all, all[0]) }),
		"one more":             change(func(all []entry) []entry { return append(all, entry{zip.FileHeader{Name: "x"}, nil}) }),
		"a path":               change(func(all []entry) []entry { all[0].head.Name = "../README.txt"; return all }),
		"another order":        change(func(all []entry) []entry { all[0], all[1] = all[1], all[0]; return all }),
		"a link":               change(func(all []entry) []entry { all[0].head.SetMode(os.ModeSymlink | 0o777); return all }),
		"a directory":          change(func(all []entry) []entry { all[0].head.Name, all[0].text = "README.txt/", nil; return all }),
		"stored":               change(func(all []entry) []entry { all[0].head.Method = zip.Store; return all }),
		"an extra field":       change(func(all []entry) []entry { all[0].head.Extra = []byte{1, 0, 0, 0}; return all }),
		"a bomb":               change(func(all []entry) []entry { all[4].text = make([]byte, 8<<20); return signed(all) }),
		"a hash that differs":  change(func(all []entry) []entry { all[0].text = []byte("other"); return all }),
		"an unknown field":     replace("run.json", `"format"`, `"more":1,"format"`),
		"another format":       replace("run.json", "evidence-1", "evidence-2"),
		"a recipe of another":  replace("trials.jsonl", `"weight":[{"Filter":"","Values":[3]}]`, `"weight":[{"Filter":"","Values":[4]}]`),
		"trials out of order":  replace("trials.jsonl", `"index":1`, `"index":2`),
		"an item twice":        replace("items.jsonl", "add/search-2", "add/search-0"),
		"an item that is none": replace("answers.jsonl", `"items":[0,`, `"items":[-1,`),
		"an answer twice":      replace("answers.jsonl", `"items":[0,1,`, `"items":[0,0,`),
		"too few values":       replace("answers.jsonl", `"values":[`, `"values":[0.5,`),
		"a line cut off":       edit("events.jsonl", func(text string) string { return strings.TrimSuffix(text, "\n") }),
		"an event left out":    replace("events.jsonl", `"seq":1`, `"seq":2`),
		"two documents":        edit("run.json", func(text string) string { return text + text }),
	} {
		if _, err := readBytes(t, text); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", name, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "folder")
	if err := bundle(t).Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, filepath.Join(dir, "x")); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Read(dir); err == nil {
		t.Error("a folder with a link: accepted")
	}
}

func readBytes(t testing.TB, text []byte) (evidence.Bundle, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b.zip")
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return evidence.Read(path)
}

// FuzzUnpack: whatever the bytes are, they are refused or hold what a bundle holds.
func FuzzUnpack(f *testing.F) {
	path := filepath.Join(f.TempDir(), "whole.zip")
	if err := bundle(f).Write(path); err != nil {
		f.Fatal(err)
	}
	whole := read(f, path)
	f.Add(whole)
	f.Add(whole[:len(whole)-30])
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := evidence.Unpack(text)
		if err != nil {
			return
		}
		if b, err := evidence.Decode(files); err == nil {
			evidence.Verify(b.Evidence)
		}
	})
}

// FuzzDecode: documents with a manifest that fits are refused or can be verified.
func FuzzDecode(f *testing.F) {
	path := filepath.Join(f.TempDir(), "whole.zip")
	if err := bundle(f).Write(path); err != nil {
		f.Fatal(err)
	}
	all := entries(f, read(f, path))
	f.Add(all[1].text, all[4].text, all[5].text, all[6].text, all[7].text)
	f.Fuzz(func(t *testing.T, run, trials, items, answers, events []byte) {
		some := slices.Clone(all)
		for i, text := range [][]byte{1: run, 4: trials, 5: items, 6: answers, 7: events} {
			if i == 1 || i >= 4 {
				some[i].text = text
			}
		}
		files := map[string][]byte{}
		for _, e := range signed(some) {
			files[e.head.Name] = e.text
		}
		if b, err := evidence.Decode(files); err == nil {
			evidence.Verify(b.Evidence)
		}
	})
}
