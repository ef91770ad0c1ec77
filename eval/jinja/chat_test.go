package jinja_test

import (
	"encoding/json"
	"errors"
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
