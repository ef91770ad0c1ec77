package jinja_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mergesearch/eval/jinja"
)

var doc = map[string]any{
	"q": "What is 2+2?", "n": int64(7), "x": 1.0, "yes": true, "none": nil, "label": int64(1),
	"choices": map[string]any{"text": []any{"three", "four"}, "label": []any{"A", "B"}},
	"list":    []any{"α", "β", "γ"}, "key": "B", "greek": "αβγ", "pad": " \x1f a b\u00a0",
	"big": 1e16, "small": 0.00001, "half": 0.5, "digits": " 42 ", "numbers": []any{int64(1), 2.5, true},
	"ordered": ordered("b", int64(1), "a", []any{"it's"}), "lone": map[string]any{"k": "v"},
}

// ordered makes a mapping of keys and values in turn.
func ordered(pairs ...any) *jinja.Dict {
	d := jinja.NewDict()
	for i := 0; i < len(pairs); i += 2 {
		d.Set(pairs[i].(string), pairs[i+1])
	}
	return d
}

// A template that is one expression gives the value with its type.
func TestValue(t *testing.T) {
	for source, want := range map[string]any{
		"plain":                          "plain",
		"":                               "",
		"{{q}}":                          "What is 2+2?",
		"Q: {{ q }}\nA:":                 "Q: What is 2+2?\nA:",
		"{# note #}{{n}}{# again #}":     int64(7),
		"{{n}}{{x}}{{yes}}{{none}}":      "71.0TrueNone",
		"{{x}}":                          1.0,
		"{{none}}":                       nil,
		"{{choices.text}}":               []any{"three", "four"},
		"{{choices['text'][1]}}":         "four",
		"{{choices.text[label]}}":        "four",
		"{{choices.label.index(key)}}":   int64(1),
		"{{choices}}":                    doc["choices"],
		"{{list[:2]}}":                   []any{"α", "β"},
		"{{greek[1:]}}":                  "βγ",
		"{{list|length}}":                int64(3),
		"{{digits|int}}":                 int64(42),
		"{{n|string}}":                   "7",
		"{{ -3 }}":                       int64(-3),
		"{{-3}}":                         int64(3), // the sign belongs to the tag
		"{{1/2}}":                        0.5,
		"{{n > 3}}":                      true,
		"{{['a', n]}}":                   []any{"a", int64(7)},
		"{{(1, 'b')}}":                   jinja.Tuple{int64(1), "b"},
		"{{list|map('upper')|list}}":     []any{"Α", "Β", "Γ"},
		"{{q if n else x}}":              "What is 2+2?",
		"{% if n %}{{n}}{% endif %}":     "7",
		"{{range(3)}}":                   "range(0, 3)", // no document has one: its text
		"{{ordered.keys()}}":             "dict_keys(['b', 'a'])",
		"{{list}}.":                      "['α', 'β', 'γ'].",
		"{{ordered}}.":                   `{'b': 1, 'a': ["it's"]}.`,
		"{{lone}}.":                      "{'k': 'v'}.",
		"{{choices|length}}":             int64(2),
		"{{'text' in choices}}":          true,
		"{{choices == {'text': 1}}}":     false,
		"{{choices.get('text')|length}}": int64(2),
		"}} { {":                         "}} { {",
	} {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		got, err := tmpl.Value(doc)
		if err != nil {
			t.Errorf("%q: %v", source, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", source, d)
		}
	}
}

func TestConstant(t *testing.T) {
	for source, want := range map[string]bool{
		"": true, "plain": true, "a {# note #} b": true, "{% raw %}{{q}}{% endraw %}": true,
		"{{q}}": false, "a{{1}}": false, "{% if q %}a{% endif %}": false, "{% set a = 1 %}a": false,
	} {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if got := tmpl.Constant(); got != want {
			t.Errorf("%q: %v", source, got)
		}
	}
}

// What is not understood is refused with its name and place.
func TestRefused(t *testing.T) {
	for source, want := range map[string]string{
		"{{q":                                  "{{ without its closing }}, at character 1",
		"{{}}":                                 "an expression is missing, at character 3",
		"αβ{{ }}":                              "an expression is missing, at character 6",
		"{{q ** n}}":                           `"**" is not supported, at character 5`,
		"{{q + }}":                             "an expression is missing, at character 7",
		"{{q n}}":                              `"n" is not expected here, at character 5`,
		"{{q == = n}}":                         `"=" is not expected here, at character 8`,
		"{% include 'a' %}":                    "{% include %} is not supported, at character 1",
		"α{% macro m() %}{% endmacro %}":       "{% macro %} is not supported, at character 2",
		"{% for a in b recursive %}":           "a recursive loop is not supported",
		"{% for a in b %}":                     "the template ends without {% endfor %}",
		"{% if a %}{% for a in b %}{% endif%}": "{% endif %} is not supported, at character 27",
		"{% set a | upper %}x{% endset %}":     "a filter on {% set %} with a body is not supported",
		"{# open":                              "comment without its closing #}, at character 1",
		"{% raw %}{{":                          "{% raw %} without its {% endraw %}",
		"{{q|wordcount}}":                      `the filter "wordcount" is not supported, at character 5`,
		"{{q is callable}}":                    `the test "callable" is not supported, at character 8`,
		"{{q.format(1)}}":                      "the method format is not supported, at character 4",
		"{{list.append(1)}}":                   "the method append is not supported, at character 7",
		"{{q.__class__}}":                      "the attribute __class__ is not supported",
		"{{q.split(*list)}}":                   `"*" before an argument is not supported`,
		"{{self}}":                             "self is not supported, at character 3",
		"{{'open}}":                            "text without its closing quote, at character 3",
		"{{'\\N{BULLET}'}}":                    `the escape \N is not supported`,
		"{{99999999999999999999}}":             "does not fit 64 bits, is not supported, at character 3",
		"{{ (1] }}":                            `"]" closes nothing, at character 6`,
		"{{" + strings.Repeat("(", 200) + "q" + strings.Repeat(")", 200) + "}}": "nested too deeply",
		strings.Repeat("{% if q %}", 200):                                       "nested too deeply",
		"{{q.}}":                                                                "an expression is missing",
		"{{ ! }}":                                                               "'!' has no meaning here",
		"a\xff":                                                                 "not valid UTF-8",
		strings.Repeat("a", 300000):                                             "at most 262144 are read",
	} {
		var fault *jinja.Error
		if _, err := jinja.Parse(source); !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", source, err, want)
		} else if strings.Contains(want, "not supported") != fault.Unsupported {
			t.Errorf("%.60q: unsupported is %v", source, fault.Unsupported)
		}
	}
}

// What does not work for a document is an error at its place, and a missing name
// is named.
func TestFails(t *testing.T) {
	for source, want := range map[string]struct{ problem, name string }{
		"{{missing}}":                         {`no column "missing", at character 3`, "missing"},
		"αβ{{ missing + 1 }}":                 {`no column "missing", at character 6`, "missing"},
		"{% for a in missing %}{% endfor %}":  {`no column "missing", at character 13`, "missing"},
		"{{choices.txt}}":                     {`no key "txt", at character 10`, "txt"},
		"{{list[3]}}":                         {"a list has nothing at 3", ""},
		"{{q.name}}":                          {"text has nothing at name", ""},
		"{{n[0]}}":                            {"a number has nothing at 0", ""},
		"{{[missing]}}":                       {`no column "missing"`, "missing"},
		"{{choices.label.index('Z')}}":        {"Z is not in the list", ""},
		"{{q.index('Z')}}":                    {`"Z" is not in the text`, ""},
		"{{q.split('')}}":                     {"the separator is empty", ""},
		"{{n|join}}":                          {"a number cannot be gone through", ""},
		"{{n|length}}":                        {"it has no length", ""},
		"{{q + 1}}":                           {`"+" does not go with text and a number, at character 5`, ""},
		"{{q < 1}}":                           {`"<" does not go with text and a number, at character 5`, ""},
		"{{n / 0}}":                           {"division by zero, at character 5", ""},
		"{{q % 1}}":                           {"formatting with % is not supported, at character 5", ""},
		"{{n.real}}":                          {"the method real of a number is not supported", ""},
		"{{choices}}.":                        {"a mapping whose order was lost", ""},
		"{% for k in choices %}{% endfor %}":  {"a mapping whose order was lost", ""},
		"{{list|map('upper')}}":               {"a generator (|list makes it a list) cannot be printed", ""},
		"{{q.strip}}":                         {"the method strip cannot be printed", ""},
		"{{9223372036854775807 + 1}}":         {"beyond 64 bits is not supported, at character 23", ""},
		"{{lipsum()}}":                        {"lipsum: the function is not supported", ""},
		"{% for a, b in list %}{% endfor %}":  {"1 values for 2 names", ""},
		"{% set q.x = 1 %}":                   {`"q" is no namespace`, ""},
		"{{q|regex_replace('(?P<a>b)', '')}}": {"the pattern (?P< is not supported", ""},
		"{{q|regex_replace('(', '')}}":        {"the pattern", ""},
		"{{q|replace('a')}}":                  {`lacks the argument "new"`, ""},
		"{{q|trim(1, 2)}}":                    {"takes at most 1 arguments, got 2", ""},
		"{{list|join(sep=1)}}":                {`has no argument "sep"`, ""},
		"{{list|join('a', d='b')}}":           {`got "d" twice`, ""},
	} {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		var fault *jinja.Error
		_, err = tmpl.Value(doc)
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want.problem) || fault.Name != want.name {
			t.Errorf("%q: %v, want %+v", source, err, want)
		} else if strings.Contains(want.problem, "not supported") && !fault.Unsupported {
			t.Errorf("%q: %v is not marked as unsupported", source, err)
		}
	}
}

// No template runs away: each of these would take hours or terabytes.
func TestLimits(t *testing.T) {
	r := "{% for a in range(1000000) %}"
	for i, source := range []string{
		r + r + r + "{% endfor %}{% endfor %}{% endfor %}",
		r + "{{ q }}" + strings.Repeat("x", 1000) + "{% endfor %}",
		"{{ 'a' * 1000000000 }}", "{{ [1] * 1000000000 }}", "{{ range(1000000000)|list }}", "{{ 5 in range(1000000000) }}",
		"{% set n = namespace(s='ab') %}" + r + "{% set n.s = n.s ~ n.s %}{% endfor %}",
		"{% set n = namespace(s=[1]) %}" + r + "{% set n.s = n.s + n.s %}{% endfor %}",
		"{% set n = namespace(s=[1]) %}{% for a in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}",
		"{% set n = namespace(s=[1]) %}{% for a in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s == n.s }}",
		"{% set n = namespace(s=(1,)) %}{% for a in range(60) %}{% set n.s = (n.s, n.s) %}{% endfor %}{{ {n.s: 1} }}",
		"{% set n = namespace(s=[1]) %}{% for a in range(5000) %}{% set n.s = [n.s] %}{% endfor %}{{ n.s }}",
		"{{ ('a' * 1000000)|replace('a', 'b' * 1000) }}", "{{ ('a' * 1000000)|replace('', 'b' * 1000) }}",
		"{{ (range(100000)|list)|join('a' * 10000) }}", "{{ ('x' * 100000).join(range(10000)|map('string')) }}",
		"{{ '1'.zfill(1000000000) }}", r + "{% if 'b' in ('a' * 100000) %}{% endif %}{% endfor %}",
		"{{ ('a' * 50 ~ 'c')|regex_replace('(a|aa)+$', 'c') }}",
		"{% set s %}" + r + "{{ q }}{% endfor %}{% endset %}",
	} {
		if testing.Short() && i%4 != 0 {
			continue // each takes most of a second
		}
		tmpl, err := jinja.Parse(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		var fault *jinja.Error
		if text, err := tmpl.Text(doc); !errors.As(err, &fault) {
			t.Errorf("%q gave %d bytes and %v", source, len(text), err)
		}
	}
}

// A template may be used by many at once, and gives each the same.
func TestConcurrent(t *testing.T) {
	tmpl, err := jinja.Parse("{% for a in list if a != key %}{{ loop.index }}{{ a|upper }}{{ ordered }}{% endfor %}{{ 'ß'|upper }}")
	if err != nil {
		t.Fatal(err)
	}
	want, err := tmpl.Text(doc)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got, err := tmpl.Text(doc); got != want || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	group.Wait()
}

// A template of one column gives back the column, whatever it holds.
func TestColumnIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		tmpl, err := jinja.Parse("<{{ column }}>")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tmpl.Text(map[string]any{"column": text}); err != nil || got != "<"+text+">" {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// value draws anything that a document may hold.
func value(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 6
		if depth > 0 {
			kinds = 9
		}
		inner := func(i int) any { return value(depth-1).Draw(t, fmt.Sprint(i)) }
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return rapid.Int64().Draw(t, "int")
		case 3:
			return rapid.Float64().Draw(t, "float")
		case 4, 5:
			return rapid.String().Draw(t, "text")
		case 6:
			out := []any{}
			for i := range rapid.IntRange(0, 3).Draw(t, "n") {
				out = append(out, inner(i))
			}
			return out
		case 7:
			out := jinja.Tuple{}
			for i := range rapid.IntRange(0, 3).Draw(t, "n") {
				out = append(out, inner(i))
			}
			return out
		}
		d := jinja.NewDict()
		for i := range rapid.IntRange(0, 3).Draw(t, "n") {
			d.Set(rapid.String().Draw(t, "key"), inner(i))
		}
		return d
	})
}

// What is printed inside a list is a literal, and reading it gives the list back.
func TestPrintedIsLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := []any{value(3).Draw(t, "value")}
		text, err := jinja.Print(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := jinja.Literal(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := jinja.Print(got)
		if err != nil || again != text {
			t.Fatalf("%s became %s, %v", text, again, err)
		}
		if d := cmp.Diff(want, got, cmp.Comparer(sameDict)); d != "" {
			t.Fatalf("%s: %s", text, d)
		}
	})
}

func sameDict(a, b *jinja.Dict) bool {
	x, _ := jinja.Print(a)
	y, _ := jinja.Print(b)
	return x == y && a.Len() == b.Len()
}

// The laws of slices: any cut of a text is what picking its code points gives.
func TestSlicesPick(t *testing.T) {
	tmpl, err := jinja.Parse("{{ s[a:b:c] }}")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("aé日😀")), 0, 8, -1).Draw(t, "s")
		a, b := rapid.Int64Range(-10, 10).Draw(t, "a"), rapid.Int64Range(-10, 10).Draw(t, "b")
		c := rapid.SampledFrom([]int64{-3, -2, -1, 1, 2, 3}).Draw(t, "c")
		runes := []rune(s)
		n := int64(len(runes))
		from, to := a, b
		if from < 0 {
			from += n
		}
		if to < 0 {
			to += n
		}
		var want []rune
		for i := int64(0); i < n; i++ { // in order of the slice: those on its grid, between its bounds
			at := i
			if c < 0 {
				at = n - 1 - i
			}
			start := min(max(from, 0), n)
			if c < 0 {
				start = min(max(from, -1), n-1)
			}
			inside := at >= start && at < to
			if c < 0 {
				inside = at <= start && at > max(to, -1)
			}
			if inside && (at-start)%c == 0 {
				want = append(want, runes[at])
			}
		}
		got, err := tmpl.Text(map[string]any{"s": s, "a": a, "b": b, "c": c})
		if err != nil || got != string(want) {
			t.Fatalf("%q[%d:%d:%d] is %q (%v), want %q", s, a, b, c, got, err, string(want))
		}
	})
}

// FuzzRender feeds arbitrary templates: each is refused, or renders twice to the
// same, or fails twice with the same error at a place in the template.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"{{q}}", "{{choices.label.index(key)|string}}", "{# #}{{'a'}}", "{{q[-1]", "{{ x | join(', ') }}%}",
		"{% for a in list if a is string %}{{ loop.index }}{{ a }}{% else %}-{% endfor %}", "{% set a, b = 1, [2] %}{{ a ~ b }}",
		"{% if n > 3 and not x %}a{% elif 1 < n <= 7 %}b{%- else -%} c{% endif %}", "{{ ordered.items()|list }}{{ range(5)[::-2] }}",
		"{% raw %}{{{% endraw %}{{ {'a': (1,)}['a'][0] // 2.5 }}", "{% set n = namespace(a=1) %}{% set n.a = n.a * 3 %}{{ n.a }}",
		"{{ numbers|map('string')|select('in', '1')|list }}", "{{ q|regex_replace('\\\\w+', '\\\\g<0>x') }}", "{{ q.split('i', 1)[0].rstrip() if q else none }}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := jinja.Parse(source)
		var fault *jinja.Error
		if err != nil {
			if !errors.As(err, &fault) || fault.Offset < 1 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		text, err := tmpl.Text(doc)
		if err != nil && (!errors.As(err, &fault) || fault.Offset < 1 || fault.Offset > len(source)+1) {
			t.Fatalf("%T %v", err, err)
		}
		if again, failed := tmpl.Text(doc); again != text || fmt.Sprint(failed) != fmt.Sprint(err) {
			t.Fatalf("%q (%v), then %q (%v)", text, err, again, failed)
		}
		v, failed := tmpl.Value(doc)
		if failed != nil && !errors.As(failed, &fault) {
			t.Fatalf("%T %v", failed, failed)
		}
		if printed, bad := jinja.Print(v); failed == nil && err == nil && (bad != nil || printed != text) {
			t.Fatalf("the value %v prints %q (%v), the text is %q", v, printed, bad, text)
		}
	})
}

// FuzzLiteral feeds arbitrary text: what is read prints as a literal of the same value.
func FuzzLiteral(f *testing.F) {
	for _, s := range []string{"[1, 'a']", "{'a': (1,), 2: None}", "'it\\'s' \"x\"", "-1.5e3", "[1, # c\n 2]", "r'\\n'", "\n1,", "'''a\n'''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jinja.Literal(text)
		var fault *jinja.Error
		if err != nil {
			if !errors.As(err, &fault) || fault.Offset < 1 || fault.Offset > len(text)+1 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		printed, err := jinja.Print([]any{v})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(printed, "inf") || strings.Contains(printed, "nan") {
			return // a float that has no literal
		}
		again, err := jinja.Literal(printed)
		if err != nil {
			t.Fatalf("%s: %v", printed, err)
		}
		if twice, err := jinja.Print(again); err != nil || twice != printed {
			t.Fatalf("%s became %s, %v", printed, twice, err)
		}
	})
}
