package jinja_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"mergesearch/eval/jinja"
)

// Chat templates from the grammar, in the environment of transformers: equal text, or
// an error on both sides. What we refuse by name is counted and bounded.
func TestChatProbes(t *testing.T) {
	g := readGolden(t, "chat.jsonl.gz")
	doc, err := fields(g.head.Document)
	if err != nil {
		t.Fatal(err)
	}
	env := jinja.NewChat(time.Date(2024, 7, 5, 9, 3, 7, 0, time.UTC))
	failed, refused, wrong := 0, map[string]int{}, 0
	for _, l := range g.lines {
		var want result
		if err := json.Unmarshal(l.Result, &want); err != nil {
			t.Fatal(err)
		}
		if want.Error != "" {
			failed++
		}
		got := ""
		parsed, err := env.Parse(*l.Template)
		if err == nil {
			got, err = parsed.Text(doc)
		}
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
	t.Logf("%s: %d probes, %d errors on both sides, %d refused, %d wrong", g.head.Peer, len(g.lines), failed, n, wrong)
	if len(g.lines) != g.head.Templates || len(g.lines)-failed < 5000 || n*100 > len(g.lines)-failed {
		t.Errorf("%d probes (the file has %d), %d errors, %d refused", len(g.lines), g.head.Templates, failed, n)
	}
}

// What is written between elements counts as much as they do, and so does every format
// of a time.
func TestChatLimits(t *testing.T) {
	env := jinja.NewChat(time.Date(2024, 7, 5, 9, 3, 7, 0, time.UTC))
	doc := map[string]any{"long": strings.Repeat("x", 100000), "format": strings.Repeat("%A", 20000)}
	for _, source := range []string{
		"{{ ([1] * 20000)|tojson(separators=[long, ':']) }}",
		"{{ ([{'a': 1}] * 20000)|tojson(separators=[',', long]) }}",
		"{% for i in range(1000000) %}{% if strftime_now(format) %}{% endif %}{% endfor %}",
	} {
		parsed, err := env.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = parsed.Text(doc)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "more than it may") || after.TotalAlloc-before.TotalAlloc > 1<<29 {
			t.Errorf("%s: %v after %d bytes", source, err, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

// Values in JSON lie in each other as deep as documents do, and no deeper.
func TestReadJSONDepth(t *testing.T) {
	for depth, good := range map[int]bool{200: true, 201: false, 1 << 24: false} {
		for _, text := range []string{strings.Repeat("[", depth) + "1" + strings.Repeat("]", depth), strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)} {
			d := json.NewDecoder(strings.NewReader(text))
			d.UseNumber()
			if _, err := jinja.ReadJSON(d); (err == nil) != good || !good && !strings.Contains(err.Error(), "200 deep") {
				t.Errorf("%d deep: %v", depth, err)
			}
		}
	}
}
