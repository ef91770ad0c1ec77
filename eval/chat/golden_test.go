package chat_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"mergesearch/eval/chat"
	"mergesearch/eval/jinja"
)

var goldenFlag = flag.String("golden", "testdata/golden.jsonl.gz", "file of docs/peers/chat/golden.py to compare with")

// golden is a file of docs/peers/chat/golden.py.
type golden struct {
	Peer, Command string
	Templates     int
	Tokens        map[string]string
	Conversations []json.RawMessage
	Options       [][2]json.RawMessage // number of the conversation, and what it is rendered with

	rendered []rendered
}

type rendered struct {
	Name, Template string
	Results        []json.RawMessage // a text, or what was raised
}

func readGolden(t *testing.T, file string) golden {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(z)
	var g golden
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		var r rendered
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		g.rendered = append(g.rendered, r)
	}
	if !strings.HasPrefix(g.Peer, "transformers ") || g.Command == "" || len(g.rendered) != g.Templates {
		t.Fatalf("%s does not say where it comes from, or lacks templates: %q, %q, %d of %d", file, g.Peer, g.Command, len(g.rendered), g.Templates)
	}
	return g
}

// conversation makes that of an option.
func (g golden) conversation(t *testing.T, option [2]json.RawMessage) chat.Conversation {
	t.Helper()
	var at int
	if err := json.Unmarshal(option[0], &at); err != nil {
		t.Fatal(err)
	}
	messages, err := chat.Value(g.Conversations[at])
	if err != nil {
		t.Fatal(err)
	}
	var c chat.Conversation
	for _, m := range messages.([]any) {
		c.Messages = append(c.Messages, m.(*jinja.Dict))
	}
	names, err := chat.Value(option[1]) // tools among them
	if err != nil {
		t.Fatal(err)
	}
	c.Variables = map[string]any{}
	for k, v := range names.(*jinja.Dict).All() {
		c.Variables[k.(string)] = v
	}
	c.Generate, _ = c.Variables["add_generation_prompt"].(bool)
	c.Continue, _ = c.Variables["continue_final_message"].(bool)
	delete(c.Variables, "add_generation_prompt")
	delete(c.Variables, "continue_final_message")
	return c
}

// differs says why what we rendered is not the peer's result, or "". What we refuse by
// name and the peer renders is told apart.
func differs(want json.RawMessage, got string, err error) (problem string, refused bool) {
	var raised struct{ E, M string }
	var text string
	if json.Unmarshal(want, &text) != nil {
		if err := json.Unmarshal(want, &raised); err != nil {
			return err.Error(), false
		}
		var words *chat.Refusal
		switch {
		case err == nil:
			return fmt.Sprintf("%q, want %s", got, want), false
		case raised.E == "TemplateError" && (!errors.As(err, &words) || words.Words != raised.M):
			return fmt.Sprintf("%v, want %s", err, want), false
		}
		return "", false
	}
	var fault *jinja.Error
	switch {
	case errors.As(err, &fault) && fault.Unsupported:
		return err.Error(), true
	case err != nil:
		return err.Error() + ", want " + string(want), false
	case got != text:
		return fmt.Sprintf("%q, want %q", got, text), false
	}
	return "", false
}

// Every conversation is rendered to the bytes of transformers, or is an error on both
// sides, with the same words where the template chose them.
func TestTransformers(t *testing.T) {
	g := readGolden(t, *goldenFlag)
	files := map[string][]byte{}
	var err error
	if files["tokenizer_config.json"], err = json.Marshal(g.Tokens); err != nil {
		t.Fatal(err)
	}
	cases, failed, wrong, refused := 0, 0, 0, 0
	for _, r := range g.rendered {
		parsed, err := chat.For(files, r.Template, r.Name)
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		for i, option := range g.Options {
			cases++
			got, err := parsed.Render(g.conversation(t, option))
			if err != nil {
				failed++
			}
			problem, named := differs(r.Results[i], got, err)
			switch {
			case named:
				refused++
				t.Logf("refused %s, %s: %s", r.Name, option, problem)
			case problem != "":
				if wrong++; wrong <= 40 {
					t.Errorf("%s, %s: %s", r.Name, option, problem)
				}
			}
			if err == nil && len(got) > 2 { // a changed byte is noticed
				bad, _ := json.Marshal(got[:len(got)/2] + "\x01" + got[len(got)/2+1:])
				if problem, _ := differs(bad, got, nil); problem == "" {
					t.Fatalf("%s: a changed byte is not noticed", r.Name)
				}
			}
		}
	}
	t.Logf("%s: %d templates, %d cases (%d errors on both sides), %d refused, %d wrong", g.Peer, len(g.rendered), cases, failed-refused, refused, wrong)
	if len(g.rendered) < 18 || cases < 1000 || failed*2 > cases || refused*100 > cases {
		t.Errorf("%d templates, %d cases, %d errors, %d refused", len(g.rendered), cases, failed, refused)
	}
}
