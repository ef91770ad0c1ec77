package vocabulary

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"mergesearch"
	"mergesearch/merge/jsonscan"
	"mergesearch/merge/kernel"
)

// testdata/make.py says how the goldens are made, and how to check with the
// library what -write wrote.
var writeTo = flag.String("write", "", "write the results of the golden cases below this directory")

type golden struct {
	Columns  int
	Families []goldenFamily
	Chats    []goldenChat
}

type goldenFamily struct {
	Name, Base string
	Models     map[string]map[string]json.RawMessage
	Cases      []goldenCase
}

type goldenCase struct {
	Spec  json.RawMessage
	Rows  map[string][][]float32
	Vocab []string
	Added [][]any // content, id, single_word, lstrip, rstrip, normalized, special
}

type goldenChat struct {
	Name, Template, Text string
	Messages             []struct{ Role, Content string }
	Prompt               bool
}

func readGolden(t testing.TB) golden {
	t.Helper()
	packed, err := os.ReadFile("testdata/golden.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.NewDecoder(r).Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// models returns the family's models in an order that is not the canonical one.
func (f goldenFamily) models(t testing.TB) []Model {
	t.Helper()
	var out []Model
	for name, files := range f.Models {
		m := Model{Name: name, Files: map[string][]byte{}}
		for file, raw := range files {
			var text string
			if file == "rows" {
				m.Rows, _ = strconv.Atoi(string(raw))
			} else if err := json.Unmarshal(raw, &text); err != nil {
				t.Fatal(err)
			} else {
				m.Files[file] = []byte(text)
			}
		}
		out = append(out, m)
	}
	return out
}

// spec reads mergekit's tokenizer key.
func (c goldenCase) spec(t testing.TB) mergesearch.Tokenizer {
	t.Helper()
	var s struct {
		Source string
		Tokens json.RawMessage
		Pad    int `json:"pad_to_multiple_of"`
	}
	mustDecode(t, c.Spec, &s)
	out := mergesearch.Tokenizer{Source: s.Source, PadToMultipleOf: s.Pad}
	if s.Tokens == nil {
		return out
	}
	members, err := jsonscan.Document(string(s.Tokens)) // in the order written
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		var r struct {
			Source json.RawMessage
			Force  bool
		}
		mustDecode(t, []byte(m.Span.Of(string(s.Tokens))), &r)
		var source struct {
			Model, Token string
			ID           *int `json:"token_id"`
		}
		if r.Source[0] == '"' {
			mustDecode(t, r.Source, &source.Model)
		} else {
			mustDecode(t, r.Source, &source)
		}
		out.Tokens = append(out.Tokens, mergesearch.TokenRule{
			Token: m.Key, Force: r.Force, Source: mergesearch.TokenSource{Model: source.Model, Token: source.Token, ID: source.ID},
		})
	}
	return out
}

func mustDecode(t testing.TB, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}

// goldenMatrix has the elements that make.py gives the model.
func goldenMatrix(m Model, columns int) kernel.View {
	x := make([]float32, m.Rows*columns)
	for i := range x {
		x[i] = float32(int(m.Name[0]-'a'+1)*1024+i/columns) + float32(i%columns)/8
	}
	return floats(mergesearch.F32, x)
}

func floats(d mergesearch.DType, x []float32) kernel.View {
	v := kernel.View{DType: d, Data: make([]byte, len(x)*d.Size())}
	kernel.Store(v, x)
	return v
}

// Same numbers, same matrices and same added tokens as mergekit.
func TestGolden(t *testing.T) {
	g := readGolden(t)
	for _, f := range g.Families {
		for i, c := range f.Cases {
			t.Run(fmt.Sprintf("%s/%d", f.Name, i), func(t *testing.T) {
				models := f.models(t)
				a, err := Align(c.spec(t), f.Base, models)
				if err != nil {
					t.Fatal(err)
				}
				if err := diffRows(a, c, models, g.Columns); err != nil {
					t.Error(err)
				}
				if err := diffFile(a, c, c.spec(t).Tokens); err != nil {
					t.Error(err)
				}
				if *writeTo != "" {
					writeFiles(t, filepath.Join(*writeTo, f.Name, strconv.Itoa(i)), a.Files())
				}
			})
		}
	}
}

// diffRows compares the matrices with mergekit's.
func diffRows(a *Alignment, c goldenCase, models []Model, columns int) error {
	inputs := map[string]kernel.Source{}
	for _, m := range models {
		inputs[m.Name] = goldenMatrix(m, columns)
	}
	out, err := a.Matrices(columns, inputs)
	if err != nil {
		return err
	}
	for name, rows := range c.Rows {
		m := out[name]
		if m.Len() != len(rows)*columns || len(rows) != a.Rows() {
			return fmt.Errorf("%s: %d elements and %d rows, mergekit has %d rows", name, m.Len(), a.Rows(), len(rows))
		}
		for r, want := range rows {
			have := kernel.Load(m.Slice(r*columns, (r+1)*columns))
			for k := range want {
				// A sum over many rows rounds otherwise; all else is exact.
				if have[k] != want[k] && (r < a.VocabSize() || abs(have[k]-want[k]) > 2e-6*want[k]) {
					return fmt.Errorf("%s: row %d of token %q: %v, mergekit has %v", name, r, a.tokens[min(r, len(a.tokens)-1)], have, want)
				}
			}
		}
	}
	return nil
}

func abs(x float32) float32 { return max(x, -x) }

// diffFile reads the rewritten tokenizer.json and compares it with mergekit's.
// There a rule makes its token an added one that is not special, whatever it was;
// such tokens are left out of the comparison.
func diffFile(a *Alignment, c goldenCase, rules []mergesearch.TokenRule) error {
	v, err := read(Model{Files: a.Files(), Rows: maxTokens})
	if err != nil {
		return err
	}
	var tokens []string
	for _, tok := range v.tokens.byID {
		tokens = append(tokens, tok.text)
	}
	if !slices.Equal(tokens, c.Vocab) {
		return fmt.Errorf("the file has the vocabulary\n%q, mergekit's\n%q", tokens, c.Vocab)
	}
	have, want := map[string]string{}, map[string]string{}
	for _, x := range v.added {
		have[x.text] = fmt.Sprintf("%d %s", x.id, x.settings)
	}
	for _, x := range c.Added {
		var settings [len(flags)]string
		for i := range flags {
			settings[i] = fmt.Sprint(x[2+i])
		}
		s, _ := (&scanner{}).settings(settings)
		want[x[0].(string)] = fmt.Sprintf("%v %s", x[1], s)
	}
	for _, r := range rules {
		delete(have, r.Token)
		delete(want, r.Token)
	}
	if !maps.Equal(have, want) {
		return fmt.Errorf("added tokens %q, mergekit has %q", have, want)
	}
	return nil
}

// A golden that is changed in one place is noticed.
func TestGoldenBites(t *testing.T) {
	g := readGolden(t)
	for _, f := range g.Families {
		models := f.models(t)
		for i, c := range f.Cases {
			a, err := Align(c.spec(t), f.Base, models)
			if err != nil {
				t.Fatal(err)
			}
			rules := c.spec(t).Tokens
			last := len(c.Vocab) - 1
			for name, rows := range c.Rows {
				rows[last/2][1] += 1.0 / 8
				if diffRows(a, c, models, g.Columns) == nil {
					t.Errorf("%s/%d: a changed row of %s is not noticed", f.Name, i, name)
				}
				rows[last/2][1] -= 1.0 / 8
			}
			c.Vocab[last] += "x"
			if diffFile(a, c, rules) == nil {
				t.Errorf("%s/%d: a changed token is not noticed", f.Name, i)
			}
			c.Vocab[last] = c.Vocab[last][:len(c.Vocab[last])-1]
			for _, x := range c.Added {
				if !slices.ContainsFunc(rules, func(r mergesearch.TokenRule) bool { return r.Token == x[0] }) {
					x[6] = !x[6].(bool)
					if diffFile(a, c, rules) == nil {
						t.Errorf("%s/%d: a changed flag is not noticed", f.Name, i)
					}
					x[6] = !x[6].(bool)
				}
			}
			if err := diffRows(a, c, models, g.Columns); err != nil {
				t.Error(err)
			}
		}
	}
}

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
