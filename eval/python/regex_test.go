package python

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// found is what Python finds in one text: where match and fullmatch end, then the
// spans of all groups of all matches in turn.
type found struct {
	Text int
	Ends [2]int
	Flat []int
}

func (f *found) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&f.Text, &f.Ends, &f.Flat})
}

type regexGolden struct {
	Strings, Fuzz, Templates []string
	Patterns                 [][3]json.RawMessage // pattern, number of texts, found
	Random                   [][2]json.RawMessage // pattern, found
	Broken                   [][]any
	Findall                  [][3]json.RawMessage
	Split                    [][3]json.RawMessage
	Sub                      [][4]string
	Escape                   [][2]string
}

func readRegexGolden(t testing.TB) *regexGolden {
	t.Helper()
	f, err := os.Open("testdata/regex.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	g := new(regexGolden)
	if err := json.NewDecoder(z).Decode(g); err != nil {
		t.Fatal(err)
	}
	return g
}

func findIn(t *testing.T, r *Regex, s string) found {
	t.Helper()
	var f found
	ms, err := r.FindIter(s)
	if err != nil {
		t.Fatalf("%q on %q: %v", r, s, err)
	}
	for _, m := range ms {
		for g := range r.Groups() + 1 {
			a, b := m.Span(g)
			f.Flat = append(f.Flat, a, b)
		}
	}
	for i, op := range []func(string) (*Match, error){r.Match, r.FullMatch} {
		m, err := op(s)
		if err != nil {
			t.Fatalf("%q on %q: %v", r, s, err)
		}
		f.Ends[i] = -1
		if m != nil {
			_, f.Ends[i] = m.Span(0)
		}
	}
	return f
}

// comparePattern returns how many texts a pattern reads as Python does, and otherwise.
func comparePattern(t *testing.T, pattern string, texts []string, want []found) (same, other int) {
	t.Helper()
	r, err := Compile(pattern)
	if err != nil {
		t.Errorf("%q: %v", pattern, err)
		return 0, len(texts)
	}
	return compareTexts(t, r, texts, want, true)
}

func compareTexts(t *testing.T, r *Regex, texts []string, want []found, report bool) (same, other int) {
	t.Helper()
	byText := map[int]found{}
	for _, w := range want {
		byText[w.Text] = w
	}
	for i, s := range texts {
		w, ok := byText[i]
		if !ok {
			w.Ends = [2]int{-1, -1}
		}
		got := findIn(t, r, s)
		if got.Ends == w.Ends && slices.Equal(got.Flat, w.Flat) {
			same++
			continue
		}
		if other++; report && other <= 2 {
			t.Errorf("%q on %q: %v %v, Python says %v %v (translated: %q)", r, s, got.Ends, got.Flat, w.Ends, w.Flat, r.search().String())
		}
	}
	return same, other
}

func TestRegexAsPython(t *testing.T) {
	g := readRegexGolden(t)
	if len(g.Patterns) < 150 || len(g.Random) < 2000 || len(g.Broken) < 80 {
		t.Fatal("the golden file is not whole")
	}
	same, other := 0, 0
	for _, raw := range g.Patterns {
		var pattern string
		var texts int
		var want []found
		decode(t, raw[:], &pattern, &texts, &want)
		a, b := comparePattern(t, pattern, g.Strings[:texts], want)
		same, other = same+a, other+b
	}
	t.Logf("%d results are Python's, %d are not", same, other)
}

// differing are the patterns, of the 2,500 random ones, in which a group holds
// something else than in CPython: both have a repetition in a counted one. The
// engine underneath tries the turns of inner and outer in another order.
var differing = []string{
	`(?m)(?:(?:((?:[^\Wa]|\b| ))?){1,3}|(?-i:[\d\s]))`,
	`(?s)(?:(\Z[A-Z]$)(?>(?:1|b|a))|(?:((?:[^\s]){1,3})+){2}|b\A\s(?:[\d\s]|[^\Wa]|\2(?:))(\B)+)`,
}

func TestRandomRegexesAsPython(t *testing.T) {
	g := readRegexGolden(t)
	same, other := 0, 0
	for i, raw := range g.Random {
		if testing.Short() && i%8 > 0 {
			continue
		}
		var pattern string
		var want []found
		decode(t, raw[:], &pattern, &want)
		if slices.Contains(differing, pattern) {
			continue
		}
		a, b := comparePattern(t, pattern, g.Fuzz, want)
		same, other = same+a, other+b
	}
	t.Logf("%d results are Python's, %d are not", same, other)
}

func TestRegexRefusals(t *testing.T) {
	g := readRegexGolden(t)
	for _, b := range g.Broken {
		pattern, problem := b[0].(string), b[1].(string)
		_, err := Compile(pattern)
		var bad *PatternError
		if !errors.As(err, &bad) {
			t.Errorf("%q: %v, Python says %s", pattern, err, problem)
			continue
		}
		if bad.Problem != problem && pattern != `\N{}` {
			t.Logf("%q: %s, Python says %s", pattern, bad.Problem, problem)
		}
	}
	for _, template := range g.Templates {
		var bad *PatternError
		if _, err := MustCompile("(a)").Sub(template, "a"); !errors.As(err, &bad) {
			t.Errorf("template %q: %v", template, err)
		}
	}
}

func TestRegexOperations(t *testing.T) {
	g := readRegexGolden(t)
	for _, raw := range g.Findall {
		var pattern, s string
		var want []any
		decode(t, raw[:], &pattern, &s, &want)
		got, err := MustCompile(pattern).FindAll(s)
		if err != nil {
			t.Fatal(err)
		}
		var tuples []any
		for _, m := range got {
			if len(m) == 1 {
				tuples = append(tuples, m[0])
				continue
			}
			var tuple []any
			for _, x := range m {
				tuple = append(tuple, x)
			}
			tuples = append(tuples, tuple)
		}
		sameJSON(t, "findall "+pattern+" in "+s, tuples, want)
	}
	for _, raw := range g.Split {
		var pattern, s string
		var want []any
		decode(t, raw[:], &pattern, &s, &want)
		got, err := MustCompile(pattern).Split(s)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, "split "+pattern+" of "+s, got, want)
	}
	for _, c := range g.Sub {
		if got, err := MustCompile(c[0]).Sub(c[1], c[2]); err != nil || got != c[3] {
			t.Errorf("sub %q by %q in %q: %q %v, Python says %q", c[0], c[1], c[2], got, err, c[3])
		}
	}
	for _, c := range g.Escape {
		if got := Escape(c[0]); got != c[1] {
			t.Errorf("escape %q: %q, Python says %q", c[0], got, c[1])
		}
	}
}

func sameJSON(t *testing.T, what string, got, want []any) {
	t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("%q: %s, Python says %s", what, a, b)
	}
}

// The comparison is worth nothing if a translation that is a little wrong passes.
func TestGoldenComparisonBites(t *testing.T) {
	if testing.Short() {
		t.Skip("many patterns, one goroutine")
	}
	g := readRegexGolden(t)
	for _, change := range [][2]string{
		{`\p{N}_`, `\p{Nd}_`},
		{`\p{L}`, `A-Za-z`},
		{"\x1c-", ""},
		{"\u2028", ""},
		{"\u00a0", ""},
		{`\Z`, `\z`},
		{`\A`, `(?m:^)`},
		{"[^\n]", "[^\r\n]"},
		{`\p{Nd}`, "0-9"},
		{"(?m:$)", `\Z`},
		{"(?>", "(?:"},
		{"*?", "*"},
		{`(?!\A\z)`, ""},
		{"\u212a", ""},
		{"ſ", ""},
	} {
		tried, noticed := 0, 0
		for _, raw := range g.Patterns {
			var source string
			var texts int
			var want []found
			decode(t, raw[:], &source, &texts, &want)
			p, err := parsePattern(source)
			if err != nil {
				t.Fatal(err)
			}
			right := translate(p.root)
			wrong := strings.ReplaceAll(right, change[0], change[1])
			if wrong == right {
				continue
			}
			tried++
			r, err := compileTranslated(source, p, wrong)
			if err != nil {
				continue // an empty set
			}
			if _, other := compareTexts(t, r, g.Strings[:texts], want, false); other > 0 {
				noticed++
			}
		}
		if noticed == 0 {
			t.Errorf("%q in place of %q: %d patterns changed, and nothing was noticed", change[1], change[0], tried)
		}
	}
}

func TestTimeout(t *testing.T) {
	r := MustCompile(`(a+|b)*?c`)
	r.SetTimeout(1) // a nanosecond
	if _, err := r.FindAll(strings.Repeat("a", 60)); !errors.Is(err, ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// Where Go's engine and Python's agree, so must this one: patterns of letters, sets
// and quantifiers over ASCII.
func TestRegexBesideGo(t *testing.T) {
	piece := rapid.StringMatching(`(a|b|\.|\[ab\]|\[\^a\]|\(a\|b\)|\(\?:ab\))[*+?]?`)
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(piece, 1, 6).Draw(t, "pattern"), "")
		s := rapid.StringMatching(`[abc]{0,12}`).Draw(t, "text")
		want := regexp.MustCompile(pattern).FindStringIndex(s)
		m, err := MustCompile(pattern).Search(s)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		if m != nil {
			a, b := m.Span(0)
			got = []int{a, b}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q in %q: %v, Go finds %v", pattern, s, got, want)
		}
	})
}

func TestSubByNothingMatched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		r := MustCompile(Escape(s))
		if m, err := r.FullMatch(s); err != nil || m == nil {
			t.Fatalf("an escaped text does not match itself: %q", s)
		}
		same, err := MustCompile(`(?s).`).Sub(`\g<0>`, s)
		if err != nil || same != s {
			t.Fatalf("every character by itself: %q, got %q %v", s, same, err)
		}
		pieces, err := MustCompile(`(\s+)`).Split(s)
		if err != nil {
			t.Fatal(err)
		}
		var joined strings.Builder
		for _, p := range pieces {
			joined.WriteString(p.(string))
		}
		if joined.String() != s {
			t.Fatalf("the pieces of %q join to %q", s, joined.String())
		}
	})
}

// Whatever is compiled must be searchable without a panic, and matches lie in order.
func FuzzRegex(f *testing.F) {
	for _, raw := range readRegexGolden(f).Patterns {
		var pattern string
		if err := json.Unmarshal(raw[0], &pattern); err != nil {
			f.Fatal(err)
		}
		f.Add(pattern, "The answer is (B) 1,018.\n")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 200 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		r, err := Compile(pattern)
		if err != nil {
			var bad *PatternError
			if !errors.As(err, &bad) || strings.HasPrefix(bad.Problem, "not supported") && !strings.Contains(pattern, `{`) {
				t.Fatalf("%q: %v", pattern, err)
			}
			return
		}
		r.SetTimeout(20e6)
		ms, err := r.FindIter(text)
		if err != nil {
			return
		}
		last := 0
		for _, m := range ms {
			a, b := m.Span(0)
			if a < last || b < a {
				t.Fatalf("%q in %q: a match from %d to %d after %d", pattern, text, a, b, last)
			}
			last = b
		}
	})
}
