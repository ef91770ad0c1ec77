package jinja_test

import (
	"errors"
	"strings"
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
}

func TestValue(t *testing.T) {
	for source, want := range map[string]any{
		"plain":                              "plain",
		"":                                   "",
		"{{q}}":                              "What is 2+2?",
		"Q: {{ q }}\nA:":                     "Q: What is 2+2?\nA:",
		"{# note #}{{n}}{# again #}":         int64(7),
		"{{n}}{{x}}{{yes}}{{none}}":          "71.0TrueNone",
		"{{x}}":                              1.0,
		"{{choices.text}}":                   []any{"three", "four"},
		"{{choices['text'][1]}}":             "four",
		"{{choices.text[-1]}}":               "four",
		"{{choices.text[label]}}":            "four",
		"{{choices.label.index(key)}}":       int64(1),
		"{{greek[1]}}":                       "β",
		"{{greek[-1]}}":                      "γ",
		"{{greek|length}}":                   int64(3),
		"{{list|length}}":                    int64(3),
		"{{list|join(', ')}}":                "α, β, γ",
		"{{numbers|join('/')}}":              "1/2.5/True",
		"{{', '.join(list)}}":                "α, β, γ",
		"{{pad.strip()}}":                    "a b",
		"{{pad|trim}}":                       "a b",
		"{{q.rstrip('?')}}":                  "What is 2+2",
		"{{q.lstrip(\"Wh\")}}":               "at is 2+2?",
		"{{q.split()[0].lower()}}":           "what",
		"{{q.split('2')}}":                   []any{"What is ", "+", "?"},
		"{{q|replace('2', '3')|upper}}":      "WHAT IS 3+3?",
		"{{'hELLO wORLD'|capitalize}}":       "Hello world",
		"{{digits|int}}":                     int64(42),
		"{{n|string}}":                       "7",
		"{{greek|list}}":                     []any{"α", "β", "γ"},
		"{{big}} {{small}} {{half}}":         "1e+16 1e-05 0.5",
		"{{ -3 }}":                           int64(-3),
		"{{1.5}}":                            1.5,
		"{{(list)[0]}}":                      "α",
		"{{'a\\n\\'b'}}":                     "a\n'b",
		"{{True}}":                           true,
		"}} { {":                             "}} { {",
		"{{ choices . text [ 0 ] | upper }}": "THREE",
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

// What is not understood is refused with its name and place.
func TestRefused(t *testing.T) {
	for source, want := range map[string]string{
		"{{q":                                "without its closing }}, at character 4",
		"{{}}":                               "an expression is missing, at character 3",
		"αβ{{ }}":                            "an expression is missing, at character 6",
		"{{q + n}}":                          `"+" is not supported here, at character 5`,
		"{{q if n else x}}":                  `"if" is not supported here, at character 5`,
		"{{not q}}":                          `"not" is not supported here, at character 3`,
		"{{q == n}}":                         `"=" is not supported here, at character 5`,
		"{% for a in b %}":                   "{% for %} is not supported, at character 1",
		"{%- set a = 1 %}":                   "{% set %} is not supported, at character 1",
		"{{- q }}":                           "whitespace control",
		"{# open":                            "comment without",
		"{{q|sort}}":                         `filter "sort" is not supported, at character 4`,
		"{{q.format(1)}}":                    "method format is not supported, at character 4",
		"{{q[1:2]}}":                         "slices are not supported, at character 6",
		"{{'open}}":                          "without its closing quote, at character 3",
		"{{'\\d'}}":                          `escape \d is not supported`,
		"{{99999999999999999999.1.2}}":       "not a number",
		"{{" + strings.Repeat("(", 60) + "q": "nested too deeply",
		"{{q.}}":                             "an expression is missing",
	} {
		var fault *jinja.Error
		if _, err := jinja.Parse(source); !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
	for source, want := range map[string]string{
		"{{missing}}":                  `no column "missing", at character 3`,
		"{{choices.txt}}":              `no key "txt", at character 10`,
		"{{list[3]}}":                  "a list has nothing at 3",
		"{{list[-4]}}":                 "a list has nothing at -4",
		"{{q.name}}":                   "text has nothing at name",
		"{{n[0]}}":                     "a number has nothing at 0",
		"{{choices.label.index('Z')}}": "Z is not in the list",
		"{{q.index('Z')}}":             `"Z" is not in the text`,
		"{{q|int}}":                    "not a whole number",
		"{{n|upper}}":                  "want text",
		"{{q.split('')}}":              "not empty",
		"{{q|join}}":                   "want a list",
		"list: {{list}}":               "a list cannot be printed",
		"{{n|length}}":                 "want text, a list",
	} {
		tmpl, err := jinja.Parse(source)
		if err != nil {
			t.Errorf("%q: %v", source, err)
			continue
		}
		var fault *jinja.Error
		if _, err := tmpl.Value(doc); !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", source, err, want)
		}
	}
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

// FuzzParse feeds arbitrary templates: each is rendered or refused.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"{{q}}", "{{choices.label.index(key)|string}}", "{# #}{{'a'}}", "{{q[-1]", "{{ x | join(', ') }}%}"} {
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
		if _, err := tmpl.Value(doc); err != nil && !errors.As(err, &fault) {
			t.Fatalf("%T %v", err, err)
		}
	})
}
