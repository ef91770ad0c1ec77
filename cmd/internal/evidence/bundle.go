package evidence

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mergesearch"
	"mergesearch/store"
)

// Bundle is what a bundle holds.
type Bundle struct {
	Evidence store.Evidence
	Report   []byte // report.json
	Recipe   []byte // the winner's, as mergekit YAML; empty without a result
}

// Names are the files of a bundle, in their order.
var Names = []string{"README.txt", "run.json", "recipe.yaml", "report.json", "trials.jsonl", "items.jsonl", "answers.jsonl", "events.jsonl", manifestName}

const manifestName = "MANIFEST.json"

// Limits of what is read. A run of 10,000 candidates with 400 answers each takes 60 MB.
const (
	maxFile  = 1 << 30
	maxTotal = 2 << 30
	maxLine  = 64 << 20
	maxRatio = 300 // of a file's size to what it takes in the ZIP file
)

const readme = `Evidence of a run of mergesearch. From these files every number of report.json can be
computed again, without the models and without a network:

    mergesearch check THIS

run.json       the run file with all defaults, and the hashes of models and data
recipe.yaml    the winner, as mergekit reads it
report.json    what was claimed
trials.jsonl   every candidate: genome, recipe, state, score
items.jsonl    the questions' names and their split
answers.jsonl  what each recipe scored on each item (items are numbers of lines of items.jsonl, from 0)
events.jsonl   what changed a decision
MANIFEST.json  size and SHA-256 of each file

There are no weights, no texts of models and no paths in here.
`

// The documents of a bundle. Their fields are read strictly.
type (
	runDocument struct {
		Format    string          `json:"format"`
		Run       string          `json:"run"`
		Seed      uint64          `json:"seed"`
		Version   string          `json:"version"`
		Created   int64           `json:"created_ns"`
		Effective json.RawMessage `json:"run_file"`
		Models    []modelDocument `json:"models"`
		Data      []dataDocument  `json:"data"`
		Ending    *endingDocument `json:"ending"`
	}
	modelDocument struct {
		Name   string `json:"name"`
		Digest string `json:"digest"`
		Bytes  int64  `json:"bytes"`
	}
	dataDocument struct {
		Name   string `json:"name"`
		SHA256 string `json:"sha256"`
		Bytes  int64  `json:"bytes"`
	}
	endingDocument struct {
		Status         string             `json:"status"`
		StopReason     string             `json:"stop_reason"`
		HeldOutPeeks   int                `json:"heldout_peeks"`
		Faults         int                `json:"faults"`
		PopulationHash string             `json:"population_hash"`
		At             int64              `json:"at_ns"`
		Result         mergesearch.Result `json:"result"`
	}
	trialDocument struct {
		Index       int                       `json:"index"`
		Name        string                    `json:"name,omitempty"`
		Generation  int                       `json:"generation"`
		Operator    string                    `json:"operator"`
		Parents     []mergesearch.CandidateID `json:"parents,omitempty"`
		Genome      string                    `json:"genome"`
		Values      mergesearch.Genome        `json:"values"`
		RecipeID    mergesearch.RecipeID      `json:"recipe_id"`
		Recipe      json.RawMessage           `json:"recipe"` // canonical
		State       mergesearch.State         `json:"state"`
		ReasonCode  string                    `json:"reason_code,omitempty"`
		ReasonText  string                    `json:"reason_text,omitempty"`
		Rung        int                       `json:"rung"`
		Score       *mergesearch.Score        `json:"score,omitempty"`
		Fingerprint string                    `json:"fingerprint,omitempty"`
		Build       float64                   `json:"build_s"`
		Eval        float64                   `json:"eval_s"`
		Begun       int64                     `json:"begun_ns,omitempty"`
		Finished    int64                     `json:"finished_ns,omitempty"`
	}
	itemDocument struct {
		ID    mergesearch.ItemID `json:"id"`
		Split mergesearch.Split  `json:"split"`
	}
	answersDocument struct {
		Recipe      mergesearch.RecipeID `json:"recipe_id"`
		Fingerprint string               `json:"fingerprint"`
		Items       []int                `json:"items"`
		Values      []float64            `json:"values"`
		Missing     []int                `json:"missing,omitempty"` // items, like the two below
		Truncated   []int                `json:"truncated,omitempty"`
		Empty       []int                `json:"empty,omitempty"`
		Prompt      []int                `json:"prompt_tokens,omitempty"` // one for each item, or none
		Completion  []int                `json:"completion_tokens,omitempty"`
	}
	eventDocument struct {
		Seq   int64           `json:"seq"`
		At    int64           `json:"at_ns"`
		Kind  string          `json:"kind"`
		Attrs json.RawMessage `json:"attrs"`
	}
	manifestDocument struct {
		Files []fileDocument `json:"files"`
	}
	fileDocument struct {
		Name   string `json:"name"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
)

const bundleFormat = "mergesearch-evidence-1"

// files returns the contents of a bundle by name.
func (b Bundle) files() (map[string][]byte, error) {
	e := b.Evidence
	run := runDocument{
		Format: bundleFormat, Run: string(e.Run.Run), Seed: e.Run.Seed, Version: e.Run.Version, Created: nanoseconds(e.Run.Created),
		Effective: json.RawMessage(withoutPaths(e.Run.Effective)), Models: []modelDocument{}, Data: []dataDocument{},
	}
	for _, m := range e.Run.Models {
		run.Models = append(run.Models, modelDocument{m.Name, m.Digest, m.Bytes})
	}
	for _, d := range e.Run.Data {
		run.Data = append(run.Data, dataDocument{d.Name, d.SHA256, d.Bytes})
	}
	if x := e.Ending; x != nil {
		run.Ending = &endingDocument{x.Status, x.StopReason, x.HeldOutPeeks, x.Faults, x.PopulationHash, nanoseconds(x.At), x.Result}
	}
	out := map[string][]byte{"README.txt": []byte(readme), "recipe.yaml": b.Recipe, "report.json": b.Report}
	text, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return nil, err
	}
	out["run.json"] = append(text, '\n')
	if out["trials.jsonl"], err = lines(len(e.Trials), func(i int) any { return trialOf(e.Trials[i]) }); err != nil {
		return nil, err
	}
	place := map[mergesearch.ItemID]int{}
	for i, x := range e.Items {
		place[x.ID] = i
	}
	if out["items.jsonl"], err = lines(len(e.Items), func(i int) any { return itemDocument(e.Items[i]) }); err != nil {
		return nil, err
	}
	var ids []mergesearch.RecipeID
	for id, a := range e.Answers {
		if len(a.Outcomes) > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if out["answers.jsonl"], err = lines(len(ids), func(i int) any { return answersOf(ids[i], e.Answers[ids[i]], place) }); err != nil {
		return nil, err
	}
	out["events.jsonl"], err = lines(len(e.Events), func(i int) any {
		x := e.Events[i]
		return eventDocument{x.Seq, nanoseconds(x.At), x.Kind, x.Attrs}
	})
	if err != nil {
		return nil, err
	}
	for name, text := range out {
		if name != "answers.jsonl" && name != "items.jsonl" {
			out[name] = Blank(text)
		}
	}
	var m manifestDocument
	for _, name := range Names[:len(Names)-1] {
		sum := sha256.Sum256(out[name])
		m.Files = append(m.Files, fileDocument{name, int64(len(out[name])), hex.EncodeToString(sum[:])})
	}
	if text, err = json.MarshalIndent(m, "", "  "); err != nil {
		return nil, err
	}
	out[manifestName] = append(text, '\n')
	return out, nil
}

func lines(n int, at func(i int) any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i := range n {
		if err := e.Encode(at(i)); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func trialOf(t store.Trial) trialDocument {
	d := trialDocument{
		Index: t.Index, Name: t.Name, Generation: t.Individual.Generation, Operator: t.Individual.Operator, Parents: t.Individual.Parents,
		Genome: t.Genome, Values: t.Individual.Genome, RecipeID: t.RecipeID, Recipe: t.Recipe.Canonical(), State: t.State,
		ReasonCode: t.Reason.Code, ReasonText: t.Reason.Text, Rung: t.Rung, Fingerprint: t.Fingerprint,
		Build: t.BuildSeconds, Eval: t.EvalSeconds, Begun: nanoseconds(t.Begun), Finished: nanoseconds(t.Finished),
	}
	if _, ok := t.Member(); ok {
		d.Score = &t.Score
	}
	return d
}

func answersOf(id mergesearch.RecipeID, a store.Answers, place map[mergesearch.ItemID]int) answersDocument {
	d := answersDocument{Recipe: id, Fingerprint: a.Fingerprint, Items: []int{}, Values: []float64{}}
	counted := false
	for _, o := range a.Outcomes {
		at := place[o.Item]
		d.Items, d.Values = append(d.Items, at), append(d.Values, o.Value)
		d.Prompt, d.Completion = append(d.Prompt, o.PromptTokens), append(d.Completion, o.CompletionTokens)
		counted = counted || o.Tokens() > 0
		for _, f := range []struct {
			set bool
			to  *[]int
		}{{o.Missing, &d.Missing}, {o.Truncated, &d.Truncated}, {o.Empty, &d.Empty}} {
			if f.set {
				*f.to = append(*f.to, at)
			}
		}
	}
	if !counted {
		d.Prompt, d.Completion = nil, nil
	}
	return d
}

// withoutPaths leaves of each path of the run file its last part: the rest is the
// machine's.
func withoutPaths(effective string) string {
	var f map[string]any
	d := json.NewDecoder(strings.NewReader(effective))
	d.UseNumber()
	if d.Decode(&f) != nil {
		return effective
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch x := v.(type) {
		case map[string]any:
			for k := range x {
				x[k] = walk(x[k])
			}
		case []any:
			for i := range x {
				x[i] = walk(x[i])
			}
		case string:
			if filepath.IsAbs(x) {
				return filepath.Base(x)
			}
		}
		return v
	}
	text, err := json.Marshal(walk(f))
	if err != nil {
		return effective
	}
	return string(text)
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// Write writes the bundle to path: a ZIP file when its name ends in .zip, else a
// directory. It is complete or absent, and there must be nothing at the path.
func (b Bundle) Write(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &mergesearch.InputError{File: path, Problem: "exists already", Hint: "choose another name, or remove this one"}
	}
	files, err := b.files()
	if err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(path))
	if st, err := os.Stat(parent); err != nil || !st.IsDir() {
		return &mergesearch.InputError{File: path, Problem: "its folder does not exist", Hint: "make " + parent + " first"}
	}
	if strings.HasSuffix(path, ".zip") {
		text, err := pack(files)
		if err != nil {
			return err
		}
		return WriteFile(path, text)
	}
	dir, err := os.MkdirTemp(parent, ".tmp-bundle-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // nothing there once it is renamed
	for _, name := range Names {
		if err := WriteFile(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	return os.Rename(dir, path)
}

// WriteFile writes a file that is complete or absent: beside its place, synced, then
// renamed.
func WriteFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// pack returns the ZIP file: every entry in the order of Names, deflated, with the
// same date and no attributes.
func pack(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.DefaultCompression) })
	for _, name := range Names {
		to, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return nil, err
		}
		if _, err := to.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// IsBundle reports whether a path looks like a bundle rather than a run directory.
func IsBundle(path string) bool {
	st, err := os.Stat(path)
	if err != nil {
		return strings.HasSuffix(path, ".zip")
	}
	if !st.IsDir() {
		return true
	}
	_, err = os.Stat(filepath.Join(path, manifestName))
	return err == nil
}

// Read reads a bundle. Everything that Write would not have written is an InputError.
func Read(path string) (Bundle, error) {
	st, err := os.Stat(path)
	if err != nil {
		return Bundle{}, &mergesearch.InputError{File: path, Problem: "cannot be read: " + cause(err), Hint: "name a bundle that export --bundle wrote"}
	}
	var files map[string][]byte
	if st.IsDir() {
		files, err = readDir(path)
	} else {
		var text []byte
		if st.Size() > maxFile {
			err = fmt.Errorf("%d bytes are more than any bundle has", st.Size())
		} else if text, err = os.ReadFile(path); err == nil {
			files, err = unpack(text)
		}
	}
	var b Bundle
	if err == nil {
		b, err = decode(files)
	}
	if err != nil {
		return Bundle{}, &mergesearch.InputError{File: path, Problem: "not an evidence bundle as export writes it: " + err.Error(), Hint: "it was changed or cut off; export it again"}
	}
	return b, nil
}

func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func readDir(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	var total int64
	for _, x := range entries {
		if !slices.Contains(Names, x.Name()) {
			return nil, fmt.Errorf("a file %q", x.Name())
		}
		info, err := x.Info()
		if err != nil {
			return nil, err
		}
		if total += info.Size(); !info.Mode().IsRegular() || info.Size() > maxFile || total > maxTotal {
			return nil, fmt.Errorf("%s is no regular file, or too large", x.Name())
		}
		if files[x.Name()], err = os.ReadFile(filepath.Join(dir, x.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// unpack reads a ZIP file that pack wrote. Entries must stand back to back from the
// first byte: nothing hides between or before them.
func unpack(text []byte) (map[string][]byte, error) {
	r, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, err
	}
	if len(r.File) != len(Names) || r.Comment != "" {
		return nil, fmt.Errorf("%d entries, want %d", len(r.File), len(Names))
	}
	files := map[string][]byte{}
	var total uint64
	for i, f := range r.File {
		switch {
		case f.Name != Names[i]:
			return nil, fmt.Errorf("entry %d is %q, want %s", i, f.Name, Names[i])
		case f.Method != zip.Deflate || f.Comment != "" || len(f.Extra) > 0 || f.ExternalAttrs != 0 || f.Flags != 0x8:
			return nil, fmt.Errorf("%s: an entry of another kind", f.Name)
		case f.UncompressedSize64 > maxFile || f.UncompressedSize64 > maxRatio*f.CompressedSize64+1<<20:
			return nil, fmt.Errorf("%s: %d bytes from %d", f.Name, f.UncompressedSize64, f.CompressedSize64)
		}
		if total += f.UncompressedSize64; total > maxTotal {
			return nil, fmt.Errorf("more than %d bytes", int64(maxTotal))
		}
		from, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		content, err := io.ReadAll(io.LimitReader(from, int64(f.UncompressedSize64)+1))
		if err == nil {
			err = from.Close()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		if uint64(len(content)) != f.UncompressedSize64 {
			return nil, fmt.Errorf("%s: cut off", f.Name)
		}
		files[f.Name] = content
	}
	return files, backToBack(text, r)
}

// backToBack checks that entries and directory fill the file.
func backToBack(text []byte, r *zip.Reader) error {
	const local, descriptor, central, end = 30, 16, 46, 22
	next, directory := int64(0), int64(0)
	for _, f := range r.File {
		from, err := f.DataOffset()
		if err != nil {
			return err
		}
		if from != next+local+int64(len(f.Name)) {
			return fmt.Errorf("%s: bytes that belong to no entry", f.Name)
		}
		next = from + int64(f.CompressedSize64) + descriptor
		directory += central + int64(len(f.Name))
	}
	if int64(len(text)) != next+directory+end || binary.LittleEndian.Uint32(text[len(text)-6:]) != uint32(next) {
		return errors.New("bytes that belong to no entry")
	}
	return nil
}

// decode checks hashes and reads the documents.
func decode(files map[string][]byte) (Bundle, error) {
	var m manifestDocument
	if err := strict(files[manifestName], &m); err != nil {
		return Bundle{}, fmt.Errorf("%s: %w", manifestName, err)
	}
	if len(files) != len(Names) || len(m.Files) != len(Names)-1 {
		return Bundle{}, fmt.Errorf("%d files, %d in the manifest", len(files), len(m.Files))
	}
	for i, f := range m.Files {
		text := files[f.Name]
		sum := sha256.Sum256(text)
		if f.Name != Names[i] || f.Bytes != int64(len(text)) || f.SHA256 != hex.EncodeToString(sum[:]) {
			return Bundle{}, fmt.Errorf("%s does not have the hash of the manifest", Names[i])
		}
	}
	b := Bundle{Report: files["report.json"], Recipe: files["recipe.yaml"]}
	for _, part := range []struct {
		name string
		read func([]byte) error
	}{
		{"run.json", b.readRun},
		{"trials.jsonl", b.readTrials},
		{"items.jsonl", b.readItems},
		{"answers.jsonl", b.readAnswers},
		{"events.jsonl", b.readEvents},
	} {
		if err := part.read(files[part.name]); err != nil {
			return Bundle{}, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return b, nil
}

// strict reads one JSON document without unknown fields.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one document")
	}
	return nil
}

// each reads one document a line.
func each[T any](text []byte, add func(line int, d T) error) error {
	line := 0
	for l := range bytes.Lines(text) {
		if len(l) > maxLine || !bytes.HasSuffix(l, []byte("\n")) {
			return fmt.Errorf("line %d is cut off or too long", line+1)
		}
		var d T
		if err := strict(l, &d); err != nil {
			return fmt.Errorf("line %d: %w", line+1, err)
		}
		if err := add(line, d); err != nil {
			return fmt.Errorf("line %d: %w", line+1, err)
		}
		line++
	}
	return nil
}

func (b *Bundle) readRun(text []byte) error {
	var d runDocument
	if err := strict(text, &d); err != nil {
		return err
	}
	if d.Format != bundleFormat {
		return fmt.Errorf("format %q, this program knows %s", d.Format, bundleFormat)
	}
	var effective bytes.Buffer
	if err := json.Compact(&effective, d.Effective); err != nil {
		return err
	}
	r := &b.Evidence.Run
	r.Run, r.Seed, r.Version, r.Created, r.Effective = mergesearch.RunID(d.Run), d.Seed, d.Version, moment(d.Created), effective.String()
	for _, m := range d.Models {
		r.Models = append(r.Models, store.Model{Name: m.Name, Digest: m.Digest, Bytes: m.Bytes})
	}
	for _, x := range d.Data {
		r.Data = append(r.Data, store.Dataset{Name: x.Name, SHA256: x.SHA256, Bytes: x.Bytes})
	}
	if x := d.Ending; x != nil {
		b.Evidence.Ending = &store.Ending{
			Status: x.Status, StopReason: x.StopReason, HeldOutPeeks: x.HeldOutPeeks, Faults: x.Faults, PopulationHash: x.PopulationHash, At: moment(x.At), Result: x.Result,
		}
	}
	return nil
}

func (b *Bundle) readTrials(text []byte) error {
	return each(text, func(line int, d trialDocument) error {
		recipe, err := mergesearch.ParseCanonical(d.Recipe)
		if err != nil {
			return err
		}
		if d.Index != line || recipe.ID() != d.RecipeID {
			return fmt.Errorf("candidate %d has recipe %s, whose content has the ID %s", d.Index, d.RecipeID, recipe.ID())
		}
		t := store.Trial{Genome: d.Genome, Begun: moment(d.Begun), Finished: moment(d.Finished)}
		t.Index, t.Name, t.Recipe, t.RecipeID, t.State, t.Rung, t.Fingerprint = d.Index, d.Name, recipe, d.RecipeID, d.State, d.Rung, d.Fingerprint
		t.Individual = mergesearch.Individual{Genome: d.Values, Generation: d.Generation, Operator: d.Operator, Parents: d.Parents}
		t.Reason = mergesearch.Reason{Code: d.ReasonCode, Text: d.ReasonText}
		t.BuildSeconds, t.EvalSeconds = d.Build, d.Eval
		if d.Score != nil {
			t.Score = *d.Score
		}
		if d.Rung < 0 || d.Rung > 1000 {
			return fmt.Errorf("rung %d", d.Rung)
		}
		b.Evidence.Trials = append(b.Evidence.Trials, t)
		return nil
	})
}

func (b *Bundle) readItems(text []byte) error {
	seen := map[mergesearch.ItemID]bool{}
	return each(text, func(_ int, d itemDocument) error {
		if seen[d.ID] {
			return fmt.Errorf("item %s comes twice", d.ID)
		}
		seen[d.ID] = true
		b.Evidence.Items = append(b.Evidence.Items, store.Item(d))
		return nil
	})
}

func (b *Bundle) readAnswers(text []byte) error {
	items := b.Evidence.Items
	b.Evidence.Answers = map[mergesearch.RecipeID]store.Answers{}
	return each(text, func(_ int, d answersDocument) error {
		n := len(d.Items)
		if _, twice := b.Evidence.Answers[d.Recipe]; twice {
			return fmt.Errorf("recipe %s comes twice", d.Recipe)
		}
		if len(d.Values) != n || len(d.Prompt) != 0 && len(d.Prompt) != n || len(d.Completion) != len(d.Prompt) {
			return fmt.Errorf("recipe %s: %d items, %d values, %d and %d counts of tokens", d.Recipe, n, len(d.Values), len(d.Prompt), len(d.Completion))
		}
		a := store.Answers{Fingerprint: d.Fingerprint}
		at := map[int]int{}
		for i, item := range d.Items {
			if item < 0 || item >= len(items) {
				return fmt.Errorf("recipe %s: no item %d", d.Recipe, item)
			}
			if _, twice := at[item]; twice {
				return fmt.Errorf("recipe %s: item %d comes twice", d.Recipe, item)
			}
			at[item] = i
			o := mergesearch.Outcome{Item: items[item].ID, Value: d.Values[i]}
			if len(d.Prompt) > 0 {
				o.PromptTokens, o.CompletionTokens = d.Prompt[i], d.Completion[i]
			}
			a.Outcomes, a.Splits = append(a.Outcomes, o), append(a.Splits, items[item].Split)
		}
		for _, f := range []struct {
			items []int
			set   func(o *mergesearch.Outcome)
		}{
			{d.Missing, func(o *mergesearch.Outcome) { o.Missing = true }},
			{d.Truncated, func(o *mergesearch.Outcome) { o.Truncated = true }},
			{d.Empty, func(o *mergesearch.Outcome) { o.Empty = true }},
		} {
			for _, item := range f.items {
				i, ok := at[item]
				if !ok {
					return fmt.Errorf("recipe %s: item %d was not answered", d.Recipe, item)
				}
				f.set(&a.Outcomes[i])
			}
		}
		b.Evidence.Answers[d.Recipe] = a
		return nil
	})
}

func (b *Bundle) readEvents(text []byte) error {
	return each(text, func(line int, d eventDocument) error {
		if d.Seq != int64(line+1) {
			return fmt.Errorf("event %d out of order", d.Seq)
		}
		b.Evidence.Events = append(b.Evidence.Events, store.Event{Seq: d.Seq, At: moment(d.At), Kind: d.Kind, Attrs: d.Attrs})
		return nil
	})
}

// Packed returns the evidence as a bundle holds it: without paths, and with keys
// blanked.
func Packed(e store.Evidence) (store.Evidence, error) {
	files, err := Bundle{Evidence: e}.files()
	if err != nil {
		return e, err
	}
	b, err := decode(files)
	return b.Evidence, err
}
