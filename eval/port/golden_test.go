package port

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mergesearch"
)

// golden holds what the harness's own functions returned; docs/peers/lmeval/ports.py
// wrote it and says with which versions.
type golden struct {
	Made      string
	Responses []string
	Cases     []goldenCase
}

type goldenCase struct {
	Function  string
	Documents []Fields
	Document  Fields
	Arguments map[string]any
	Answers   struct {
		LogLikelihoods []any // pairs of a log-likelihood and a flag, or numbers
		Texts          []string
	}
	Want   any
	Raises string
}

func readGolden(t testing.TB) []byte {
	t.Helper()
	f, err := os.Open("testdata/golden.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parseGolden(data []byte) (*golden, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	g := new(golden)
	if err := d.Decode(g); err != nil {
		return nil, err
	}
	for i := range g.Cases {
		c := &g.Cases[i]
		for _, doc := range append(c.Documents, c.Document) {
			for k, v := range doc {
				doc[k] = typed(v)
			}
		}
		for k, v := range c.Arguments {
			c.Arguments[k] = typed(v)
			if pairs, ok := v.([]any); ok && k == "regex_pattern_to_value" {
				ordered := []Pair{}
				for _, p := range pairs {
					ordered = append(ordered, Pair{p.([]any)[0].(string), p.([]any)[1]})
				}
				c.Arguments[k] = ordered
			}
		}
		c.Want = typed(c.Want)
		for j, l := range c.Answers.LogLikelihoods {
			c.Answers.LogLikelihoods[j] = typed(l)
		}
	}
	return g, nil
}

// typed makes int64 and float64 of numbers, as data files are read.
func typed(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if x, err := v.Float64(); err == nil {
			return x
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = typed(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = typed(v[k])
		}
	}
	return v
}

// run asks the port of a case.
func (g *golden) run(c *goldenCase) (got any, err error) {
	family, name, _ := cutLast(c.Function, "/")
	f, ok := Lookup("", "somewhere/"+family, name)
	if !ok || f.Name != c.Function {
		return nil, fmt.Errorf("Lookup found %q", f.Name)
	}
	switch {
	case f.Docs != nil:
		docs, err := f.Docs(c.Documents)
		list := []any{}
		for _, d := range docs {
			list = append(list, d)
		}
		return list, err
	case f.Value != nil:
		return f.Value(c.Document)
	case f.Filter != nil:
		step, err := f.Filter(c.Arguments)
		if err != nil {
			return nil, err
		}
		texts, err := step(c.Document, c.Answers.Texts)
		return anys(texts), err
	case c.Answers.Texts == nil && c.Answers.LogLikelihoods == nil:
		return g.followed(c.Document)
	}
	marks, err := f.Results(c.Document, c.given())
	list := map[string]any{}
	for k, mark := range marks {
		list[k] = mark
	}
	return list, err
}

// judge reports how a port's answer to a case differs from the harness's.
func (c *goldenCase) judge(got any, err error) error {
	if c.Raises != "" {
		var in *mergesearch.InputError
		if !errors.As(err, &in) {
			return fmt.Errorf("%v, %v; the original raises %s", got, err, c.Raises)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return differ(got, c.Want)
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:], i >= 0
}

func (c *goldenCase) given() Answers {
	a := Answers{Texts: c.Answers.Texts}
	for _, l := range c.Answers.LogLikelihoods {
		pair, ok := l.([]any)
		if !ok {
			pair = []any{l, false}
		}
		x, _ := pair[0].(float64)
		greedy, _ := pair[1].(bool)
		a.LogLikelihoods = append(a.LogLikelihoods, x)
		a.Greedy = append(a.Greedy, greedy)
	}
	return a
}

// followed says of every response in the golden file whether it follows the only
// instruction of a document.
func (g *golden) followed(d Fields) (any, error) {
	checks, err := instructions(&row{fields: d})
	if err != nil {
		return nil, err
	}
	var strict, loose strings.Builder
	for _, response := range g.Responses {
		for b, variants := range map[*strings.Builder][]string{&strict: {response}, &loose: loosened(response)} {
			ok, err := checks[0].anyFollows(variants)
			if err != nil {
				return nil, err
			}
			if ok {
				b.WriteByte('1')
			} else {
				b.WriteByte('0')
			}
		}
	}
	return map[string]any{"strict": strict.String(), "loose": loose.String()}, nil
}

// differ compares a value with one of the golden file. Numbers that are no integers may
// differ in the last digits.
func differ(got, want any) error {
	switch want := want.(type) {
	case float64:
		g, ok := got.(float64)
		if !ok || !(math.Abs(g-want) <= 1e-12*math.Abs(want)) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		for i := range want {
			if err := differ(g[i], want[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	case map[string]any:
		if m, ok := got.(Mark); ok {
			return differMark(m, want)
		}
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		for k := range want {
			if err := differ(g[k], want[k]); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	}
	if got != want {
		return fmt.Errorf("got %q, want %q", got, want)
	}
	return nil
}

func differMark(got Mark, want map[string]any) error {
	w := Mark{Value: number(want["Value"]), Weight: number(want["Weight"])}
	values, _ := want["Values"].([]any)
	for _, v := range values {
		w.Values = append(w.Values, number(v))
	}
	known := len(want)
	for _, k := range []string{"Value", "Weight", "Values"} {
		if _, ok := want[k]; ok {
			known--
		}
	}
	if known > 0 || got.Weight != w.Weight || !slices.Equal(got.Values, w.Values) || !(math.Abs(got.Value-w.Value) <= 1e-12*math.Abs(w.Value)) {
		return fmt.Errorf("got %+v, want %+v", got, want)
	}
	return nil
}

func number(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

// Every port returns what the harness's own function returned, and refuses what that
// raised an exception for.
func TestGolden(t *testing.T) {
	g, err := parseGolden(readGolden(t))
	if err != nil {
		t.Fatal(err)
	}
	untested := Names()
	failures := 0
	for i := range g.Cases {
		c := &g.Cases[i]
		untested = slices.DeleteFunc(untested, func(n string) bool { return n == c.Function })
		if err := c.judge(g.run(c)); err != nil {
			if failures++; failures < 40 {
				t.Errorf("case %d, %s: %v", i, c.Function, err)
			}
		}
	}
	if failures > 0 {
		t.Errorf("%d of %d cases differ", failures, len(g.Cases))
	}
	own := []string{"ifeval/utils.agg_inst_level_acc", "ifeval/utils.decidable_docs"} // see ifeval_test.go
	if !slices.Equal(untested, own) {
		t.Errorf("not in the golden file: %q", untested)
	}
}

// One byte changed in what the harness returned is noticed: the comparison looks at all
// of it.
func TestGoldenBites(t *testing.T) {
	g, err := parseGolden(readGolden(t))
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := 0; i < len(g.Cases); i += 3 {
		c := g.Cases[i]
		if c.Raises != "" {
			continue
		}
		got, err := g.run(&c)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(c.Want)
		if err != nil {
			t.Fatal(err)
		}
		for at := i % 5; at < len(text); at += 1 + len(text)/50 {
			mutant := c
			if mutant.Want = mutated(text, at); mutant.Want == nil || reflect.DeepEqual(mutant.Want, c.Want) {
				continue // no JSON any more, or 1.0 for 1.1e0
			}
			tried++
			if mutant.judge(got, nil) == nil && !nearby(mutant.Want, c.Want) {
				t.Errorf("case %d, %s: byte %d of %s changed, and nothing was noticed", i, c.Function, at, text)
			}
		}
	}
	if tried < 5000 {
		t.Errorf("only %d changes were tried", tried)
	}
}

// mutated returns JSON with one byte changed, parsed, or nil.
func mutated(text []byte, at int) any {
	changed := bytes.Clone(text)
	switch b := changed[at]; {
	case b >= '0' && b <= '8' || b >= 'a' && b <= 'y' || b >= 'A' && b <= 'Y':
		changed[at]++
	default:
		changed[at] = '7'
	}
	d := json.NewDecoder(bytes.NewReader(changed))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil
	}
	return typed(v)
}

// nearby says whether two values differ in nothing but the last digits of numbers.
func nearby(a, b any) bool { return differ(a, b) == nil }
