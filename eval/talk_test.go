package eval_test

import (
	"context"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

const turnsTemplate = `{{ bos_token }}{% if loud %}LOUD{% endif %}{% for m in messages %}{% if m.role == 'system' and strict is defined %}{{ raise_exception('no system here') }}{% endif %}<{{ m.role }}>{{ m.content }}</>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`

// talkers asks a task in conversations of a server with a profile.
func talkers(t *testing.T, p eval.Profile, text string, o eval.ChatTemplate, files map[string]string) (*eval.Evaluator, *evaltest.Server, mergesearch.Candidate) {
	t.Helper()
	s := evaltest.NewServer(t, p, nil)
	task := readTaskAs(t, text, eval.Reading{Chat: true, System: "Add."})
	e, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: s.Endpoint(good), Chat: o, Tokenizer: func([]byte) (eval.Tokenizer, error) { return evaltest.Tokenizer{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	c := evaltest.Candidate(1, good)
	c.Files = map[string][]byte{"tokenizer.json": []byte("{}")}
	for name, text := range files {
		c.Files[name] = []byte(text)
	}
	return e, s, c
}

// The template of the model's files is used, unless the run names one; a server that
// takes text alone applies its own, unless the run names a template or variables.
func TestWhoRenders(t *testing.T) {
	own := map[string]string{"tokenizer_config.json": `{"bos_token": "<s>"}`, "chat_template.jinja": turnsTemplate}
	text, chatty := evaltest.Full, evaltest.Full
	text.TokenPrompts, text.EchoLogprobs = false, false
	chatty.Chat = true
	both := text
	both.Chat = true
	adds := text
	adds.AddsBegin = true
	only := eval.Profile{Chat: true, ChatOnly: true}
	broken := map[string]string{"chat_template.jinja": "{% if %}"}
	none := eval.ChatTemplate{}
	named := eval.ChatTemplate{Source: "!" + turnsTemplate, File: "t"}
	loud := eval.ChatTemplate{Variables: map[string]any{"loud": true}}
	for name, c := range map[string]struct {
		profile eval.Profile
		given   eval.ChatTemplate
		files   map[string]string
		want    string // part of a request
	}{
		"ids":                    {evaltest.Full, none, own, `"prompt":[60,115,62,60,115,121,115,116`},
		"ids, though it chats":   {chatty, none, own, `"prompt":[60,115,62,60,115,121,115,116`},
		"text":                   {text, none, own, `"prompt":"\u003cs\u003e\u003csystem\u003eAdd.`},
		"text after a begin":     {adds, none, own, `"prompt":"\u003csystem\u003eAdd.`},
		"by the server":          {both, none, own, `"messages":[{"role":"system","content":"Add.`},
		"given":                  {both, named, own, `"prompt":"!\u003cs\u003e\u003csystem`},
		"given variables":        {both, loud, own, `"prompt":"\u003cs\u003eLOUD\u003csystem`},
		"no template":            {chatty, none, nil, `"messages":[{"role":"system","content":"Add.`},
		"broken, by such alone":  {only, none, broken, `"messages":[{"role":"system","content":"Add.`},
		"template and variables": {both, eval.ChatTemplate{Source: turnsTemplate, File: "t", Variables: loud.Variables}, nil, `"prompt":"LOUD\u003csystem`},
	} {
		e, s, candidate := talkers(t, c.profile, generateTask, c.given, c.files)
		if _, err := e.Score(context.Background(), candidate, items(e, mergesearch.SearchSplit)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if body := s.Bodies()[0]; !strings.Contains(body, c.want) {
			t.Errorf("%s: %.200s, want %s", name, body, c.want)
		}
	}
	for name, c := range map[string]struct {
		profile eval.Profile
		given   eval.ChatTemplate
		files   map[string]string
		field   string
	}{
		"template, by the server alone":  {only, named, own, "chat_template"},
		"variables, by the server alone": {only, loud, own, "chat_template_args"},
		"variables without a template":   {chatty, loud, nil, "chat_template_args"},
	} {
		e, s, candidate := talkers(t, c.profile, generateTask, c.given, c.files)
		_, err := e.Score(context.Background(), candidate, items(e, mergesearch.SearchSplit))
		if in := inputError(t, err); in.Field != c.field || in.Hint == "" || s.Requests() != 0 {
			t.Errorf("%s: %v after %d requests, want one of %s", name, err, s.Requests(), c.field)
		}
	}
}

// What cannot be asked is refused by name, before anything is sent.
func TestTalkRefused(t *testing.T) {
	own := map[string]string{"tokenizer_config.json": `{"bos_token": "<s>"}`, "chat_template.jinja": turnsTemplate}
	only := eval.Profile{Chat: true, ChatOnly: true}
	for name, c := range map[string]struct {
		profile eval.Profile
		task    string
		chat    eval.ChatTemplate
		files   map[string]string
		problem string
	}{
		"no template, choices":    {evaltest.Full, choiceTask, eval.ChatTemplate{}, nil, "the model's files have none"},
		"no template, no chat":    {evaltest.Full, generateTask, eval.ChatTemplate{}, nil, "and the endpoint has no chat completions"},
		"prefix, chat alone":      {only, generateTask + "gen_prefix: So\n", eval.ChatTemplate{}, own, "gen_prefix begins the answer"},
		"the template's own word": {evaltest.Full, choiceTask, eval.ChatTemplate{Variables: map[string]any{"strict": true}}, own, "no system here"},
		"no such token":           {evaltest.Full, choiceTask, eval.ChatTemplate{Source: "{{ bos_token + 'x' }}"}, nil, "wants bos_token"},
		"broken":                  {evaltest.Full, choiceTask, eval.ChatTemplate{}, map[string]string{"chat_template.jinja": "{% if %}"}, "an expression is missing"},
	} {
		e, s, candidate := talkers(t, c.profile, c.task, c.chat, c.files)
		_, err := e.Score(context.Background(), candidate, items(e, mergesearch.SearchSplit))
		if in := inputError(t, err); !strings.Contains(in.Problem, c.problem) || s.Requests() != 0 {
			t.Errorf("%s: %v after %d requests, want %q", name, err, s.Requests(), c.problem)
		}
		if err := e.Prepare(candidate.Files); err == nil {
			t.Errorf("%s: prepared", name)
		}
	}
}

// Samples show the prompt as the template wrote it.
func TestSamplesShowTheTemplate(t *testing.T) {
	own := map[string]string{"tokenizer_config.json": `{"bos_token": "<s>"}`, "chat_template.jinja": turnsTemplate}
	for _, text := range []string{choiceTask, generateTask} {
		e, _, c := talkers(t, evaltest.Full, text, eval.ChatTemplate{}, own)
		r, err := e.ScoreDetailed(context.Background(), c, items(e, mergesearch.SearchSplit))
		if err != nil {
			t.Fatal(err)
		}
		if p := r.Samples[0].Prompt; !strings.HasPrefix(p, "<s><system>Add.") || !strings.HasSuffix(p, "</><assistant>") {
			t.Errorf("%q", p)
		}
	}
}
