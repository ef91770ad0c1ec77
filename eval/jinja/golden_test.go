package jinja_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"mergesearch/eval/jinja"
)

// golden is a file of docs/peers/lmeval/templates.py.
type golden struct {
	head  head
	lines []goldenLine
}

type head struct {
	Peer, License, Jinja2, Python, Command string

	Templates, Constant, Cases, Errors, Literals int

	Document json.RawMessage // that of all probes
}

// goldenLine is a template with its cases, a probe or a literal.
type goldenLine struct {
	Template *string           `json:"t"`
	Fields   []string          `json:"f"`
	Cases    []json.RawMessage `json:"c"` // [document, result]
	Literal  string            `json:"l"`
	Result   json.RawMessage   `json:"r"`
}

// result is what the peer made of a document: text, its hash, or an exception.
type result struct {
	Text  *string `json:"-"`
	Hash  string  `json:"h"` // first half of the SHA-256
	Runes int     `json:"n"`
	Error string  `json:"e"`
}

func (r *result) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return json.Unmarshal(text, &r.Text)
	}
	type plain result
	return json.Unmarshal(text, (*plain)(r))
}

// matches says why what we made is not the peer's result, or "".
func (r result) matches(got string, err error) string {
	switch {
	case r.Error != "" && err == nil:
		return fmt.Sprintf("%q, want %s", got, r.Error)
	case r.Error != "":
		return ""
	case err != nil:
		return err.Error()
	case r.Text != nil && *r.Text != got:
		return fmt.Sprintf("%q, want %q", got, *r.Text)
	case r.Text != nil:
		return ""
	}
	sum := sha256.Sum256([]byte(got))
	if hex.EncodeToString(sum[:16]) != r.Hash || utf8.RuneCountInString(got) != r.Runes {
		return fmt.Sprintf("%q, want %d code points with the hash %s", got, r.Runes, r.Hash)
	}
	return ""
}

func readGolden(tb testing.TB, name string) golden {
	tb.Helper()
	packed, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		tb.Fatal(err)
	}
	d := json.NewDecoder(z)
	var g golden
	if err := d.Decode(&g.head); err != nil {
		tb.Fatal(err)
	}
	for d.More() {
		var l goldenLine
		if err := d.Decode(&l); err != nil {
			tb.Fatal(err)
		}
		g.lines = append(g.lines, l)
	}
	if h := g.head; h.Peer == "" || h.License == "" || h.Jinja2 == "" || h.Command == "" {
		tb.Fatalf("%s does not say where it comes from: %+v", name, h)
	}
	return g
}

// fields decodes a document with the order of its keys.
func fields(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := jinja.ReadJSON(d)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for k, x := range v.(*jinja.Dict).All() {
		out[k.(string)] = x
	}
	return out, nil
}

// tally is what comparing a golden file gave.
type tally struct {
	templates, constant, cases, errors int
	problems                           []string
}

func (t *tally) problem(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// compare renders every case of the templates.
func (g golden) compare() tally {
	var t tally
	for _, l := range g.lines {
		t.templates++
		parsed, err := jinja.Parse(*l.Template)
		if err != nil {
			t.problem("%q: %v", *l.Template, err)
			continue
		}
		if parsed.Constant() {
			t.constant++
		}
		for _, c := range l.Cases {
			t.cases++
			failed, problem := compareCase(parsed, c)
			if failed {
				t.errors++
			}
			if problem != "" {
				t.problem("%q of %s: %s", *l.Template, c, problem)
			}
		}
	}
	return t
}

// compareCase renders one case; failed says that the peer has an exception there.
func compareCase(parsed *jinja.Template, text json.RawMessage) (failed bool, problem string) {
	var want result
	var parts []json.RawMessage
	err := json.Unmarshal(text, &parts)
	if err == nil {
		err = json.Unmarshal(parts[1], &want)
	}
	if err != nil {
		return false, err.Error()
	}
	doc, err := fields(parts[0])
	if err != nil {
		return false, err.Error()
	}
	got, err := parsed.Text(doc)
	problem = want.matches(got, err)
	if err == nil && problem == "" {
		problem = sameValue(parsed, doc, got)
	}
	return want.Error != "", problem
}

// sameValue checks that the typed value, printed, is the text.
func sameValue(parsed *jinja.Template, doc map[string]any, text string) string {
	v, err := parsed.Value(doc)
	if err != nil && strings.Contains(text, "Undefined") {
		return "" // a list with a missing element has no value
	}
	if err != nil {
		return "Value: " + err.Error()
	}
	if printed, err := jinja.Print(v); err != nil || printed != text {
		return fmt.Sprintf("Value prints %q (%v), Text is %q", printed, err, text)
	}
	return ""
}

// Every template of the harness that Jinja2 renders is rendered to the same bytes,
// and where Jinja2 fails we do.
func TestHarnessTemplates(t *testing.T) {
	g := readGolden(t, "templates.jsonl.gz")
	got := g.compare()
	for i, p := range got.problems {
		if i == 20 {
			t.Errorf("and %d more", len(got.problems)-i)
			break
		}
		t.Error(p)
	}
	h := g.head
	if got.templates != h.Templates || got.constant != h.Constant || got.cases != h.Cases || got.errors != h.Errors {
		t.Errorf("%d templates, %d constant, %d cases, %d of them errors; the file has %d, %d, %d, %d",
			got.templates, got.constant, got.cases, got.errors, h.Templates, h.Constant, h.Cases, h.Errors)
	}
	if h.Templates < 3900 || h.Cases < 13000 {
		t.Errorf("only %d templates and %d cases", h.Templates, h.Cases)
	}
	t.Logf("%s, Jinja2 %s: %d templates (%d constant), %d cases (%d errors), %d unequal",
		h.Peer, h.Jinja2, got.templates, got.constant, got.cases, got.errors, len(got.problems))
}

// The comparison is worth nothing if it passes whatever it is shown: each change of
// one byte of an expectation is found.
func TestHarnessTemplatesBite(t *testing.T) {
	g := readGolden(t, "templates.jsonl.gz")
	changed := 0
	for i := 0; i < len(g.lines); i += 97 {
		l := g.lines[i]
		for j, c := range l.Cases {
			var parts []json.RawMessage
			if err := json.Unmarshal(c, &parts); err != nil {
				t.Fatal(err)
			}
			mutated, ok := mutate(parts[1])
			if !ok {
				continue
			}
			one := golden{lines: []goldenLine{l}}
			one.lines[0].Cases = append([]json.RawMessage{}, l.Cases...)
			one.lines[0].Cases[j] = json.RawMessage("[" + string(parts[0]) + "," + mutated + "]")
			if got := one.compare(); len(got.problems) != 1 {
				t.Errorf("%q: expecting %s instead of %s gave %d problems", *l.Template, mutated, parts[1], len(got.problems))
			}
			changed++
		}
	}
	t.Logf("%d expectations changed", changed)
	if changed < 100 {
		t.Errorf("only %d expectations were changed", changed)
	}
}

// mutate changes one byte of an expectation: a character of the text, a digit of the
// hash, or the mark of an error.
func mutate(expected json.RawMessage) (string, bool) {
	s := string(expected)
	switch {
	case strings.HasPrefix(s, `{"e"`):
		return strings.Replace(s, `"e"`, `"x"`, 1), true
	case strings.HasPrefix(s, `{"h"`):
		digit := "0"
		if s[6] == '0' {
			digit = "1"
		}
		return s[:6] + digit + s[7:], true
	case len(s) > 2 && s[1] != '\\' && s[1] < utf8.RuneSelf:
		if s[1] == '~' {
			return s[:1] + "-" + s[2:], true
		}
		return s[:1] + "~" + s[2:], true
	}
	return "", false
}

// Templates from the grammar: equal text, or an error on both sides. What we refuse
// by name is counted and bounded.
func TestProbes(t *testing.T) {
	g := readGolden(t, "probes.jsonl.gz")
	doc, err := fields(g.head.Document)
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		g.lines = g.lines[:1500] // the written ones first
		g.head.Templates = len(g.lines)
	}
	probes, failed, refused, wrong := 0, 0, map[string]int{}, 0
	for _, l := range g.lines {
		if l.Template == nil {
			continue
		}
		probes++
		var want result
		if err := json.Unmarshal(l.Result, &want); err != nil {
			t.Fatal(err)
		}
		if want.Error != "" {
			failed++
		}
		got, err := renderText(*l.Template, doc)
		var fault *jinja.Error
		if errors.As(err, &fault) && fault.Unsupported && want.Error == "" {
			refused[fault.Problem]++
			t.Logf("refused %q: %v", *l.Template, err)
			continue
		}
		if problem := want.matches(got, err); problem != "" {
			if wrong++; wrong <= 40 {
				t.Errorf("%q: %s", *l.Template, problem)
			}
		}
	}
	n := 0
	for _, k := range refused {
		n += k
	}
	t.Logf("%d probes, %d errors on both sides, %d refused, %d wrong", probes, failed, n, wrong)
	if probes != g.head.Templates || !testing.Short() && probes-failed < 11000 || n*100 > probes-failed {
		t.Errorf("%d probes (the file has %d), %d errors, %d refused", probes, g.head.Templates, failed, n)
	}
}

func renderText(source string, doc map[string]any) (string, error) {
	parsed, err := jinja.Parse(source)
	if err != nil {
		return "", err
	}
	return parsed.Text(doc)
}

// Literals are read as ast.literal_eval reads them.
func TestLiterals(t *testing.T) {
	g := readGolden(t, "probes.jsonl.gz")
	n := 0
	for _, l := range g.lines {
		if l.Template != nil {
			continue
		}
		n++
		var want result
		if err := json.Unmarshal(l.Result, &want); err != nil {
			t.Fatal(err)
		}
		v, err := jinja.Literal(l.Literal)
		got := ""
		if err == nil {
			got, err = jinja.Print([]any{v})
			got = strings.TrimSuffix(strings.TrimPrefix(got, "["), "]")
		}
		var fault *jinja.Error
		if errors.As(err, &fault) && fault.Unsupported {
			t.Logf("refused %q: %v", l.Literal, err)
			// The harness falls back to the text after these, so they must not look beyond us.
			if want.Error == "SyntaxError" || want.Error == "ValueError" {
				t.Errorf("%q: %v, but Python has a %s", l.Literal, err, want.Error)
			}
			continue
		}
		if problem := want.matches(got, err); problem != "" {
			t.Errorf("%q: %s", l.Literal, problem)
		}
	}
	if n != g.head.Literals || n < 700 {
		t.Errorf("%d literals, the file has %d", n, g.head.Literals)
	}
}
