package eval

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mergesearch"
	"mergesearch/eval/chat"
	"mergesearch/eval/jinja"
)

// talk is a question as a conversation (apply_chat_template of the harness).
type talk struct {
	turns   [][]turn // up to the answer; several for a question with several contexts
	prefill bool     // the last turn is the assistant's, and the answer goes on with it
}

// converse makes a question a conversation. Without MultiTurn everything but the
// instruction is one message of the user.
func (l *loading) converse(q *question, head []turn, prefix string) *talk {
	contexts := []string{q.text}
	if q.context >= 0 {
		contexts = q.choices
	}
	t := &talk{prefill: prefix != ""}
	for _, c := range contexts {
		turns := append(slices.Clone(head), questionTurns(c, "", prefix, "", "")...)
		if !l.reading.MultiTurn {
			turns = singleTurn(turns)
		}
		t.turns = append(t.turns, turns)
	}
	return t
}

// singleTurn joins the turns between the system's and a beginning of the answer.
func singleTurn(turns []turn) []turn {
	var out, rest []turn
	if turns[0].Role == "system" {
		out, turns = turns[:1:1], turns[1:]
	}
	if last := len(turns) - 1; turns[last].Role == "assistant" {
		turns, rest = turns[:last], turns[last:]
	}
	out = append(out, turn{Role: "user", Content: plain(turns)})
	return append(out, rest...)
}

// chatDelimiter stands before a choice in a conversation: nothing, unless it goes on
// with words that were put into the assistant's mouth.
func (l *loading) chatDelimiter() string {
	if last, _ := utf8.DecodeLastRuneInString(l.genPrefix.words); l.genPrefix.words != "" && !jinja.IsSpace(last) {
		return l.targetDelimiter
	}
	return ""
}

// ChatTemplate says how conversations become prompts where that is the run's choice.
// The zero value takes the template of the model's own files.
type ChatTemplate struct {
	Source, File string // the text of a template, and the file that it comes from

	// Variables are names that the template reads beside the usual ones, such as
	// enable_thinking.
	Variables map[string]any
}

// prompter renders conversations for one model. Nil: it has no template.
type prompter struct {
	template  *chat.Template
	variables map[string]any
	given     bool // template or variables, by the run
}

// field names what the run gives, "" for nothing.
func (c ChatTemplate) field() string {
	switch {
	case c.Source != "":
		return "chat_template"
	case len(c.Variables) > 0:
		return "chat_template_args"
	}
	return ""
}

// newPrompter finds the template for a model. What the run gives must be used: it is
// refused where the server would render.
func newPrompter(c ChatTemplate, files map[string][]byte, profile Profile) (*prompter, error) {
	given := c.field()
	if profile.ChatOnly {
		if given == "" {
			return nil, nil // the server's own template counts, not that of the files
		}
		return nil, &mergesearch.InputError{
			Field: given, Problem: "the endpoint has chat completions alone, and applies its own template without what is given here",
			Hint: fmt.Sprintf("leave out --%s (prompts: {%s: ...} in a run file), or ask an endpoint that has /v1/completions", strings.ReplaceAll(given, "_", "-"), given),
		}
	}
	var t *chat.Template
	var err error
	if c.Source != "" {
		t, err = chat.For(files, c.Source, c.File)
	} else {
		t, err = chat.Of(files)
	}
	switch {
	case err != nil:
		return nil, err
	case t == nil && given != "":
		return nil, &mergesearch.InputError{Field: given, Problem: "no template reads them: " + errNoTemplate.Problem, Hint: errNoTemplate.Hint}
	case t == nil:
		return nil, nil
	}
	return &prompter{template: t, variables: c.Variables, given: given != ""}, nil
}

// errNoTemplate is what a model without a template gets.
var errNoTemplate = &mergesearch.InputError{
	Field: "chat_template", Problem: "the model's files have none, neither in tokenizer_config.json nor in chat_template.jinja",
	Hint: "name one with --chat-template FILE (prompts: {chat_template: FILE} in a run file), or ask without --apply-chat-template",
}

// prompt renders the conversation before an answer; which of several contexts, of
// those that have several.
func (p *prompter) prompt(q *question, context int) (string, error) {
	if p == nil {
		return "", errNoTemplate
	}
	c := chat.Conversation{Generate: !q.talk.prefill, Continue: q.talk.prefill, Variables: p.variables}
	for _, t := range q.talk.turns[min(context, len(q.talk.turns)-1)] {
		c.Messages = append(c.Messages, chat.Message(t.Role, t.Content))
	}
	text, err := p.template.Render(c)
	if err != nil {
		hint := ""
		if refusal := (*chat.Refusal)(nil); errors.As(err, &refusal) {
			hint = "some templates take no system message (description, system_instruction), and turns that alternate only"
		}
		return "", &mergesearch.InputError{File: q.file, Line: q.line, Field: string(q.id), Problem: err.Error(), Hint: hint}
	}
	return text, nil
}

// contexts gives what stands before the continuation of each pair, rendered. Pairs
// that have no context, those of acc_mutual_info, keep none.
func (p *prompter) contexts(q *question) ([]string, error) {
	out := make([]string, len(q.pairs))
	for i := range min(len(q.pairs), max(1, len(q.choices))) {
		if i > 0 && len(q.talk.turns) == 1 {
			out[i] = out[0]
			continue
		}
		var err error
		if out[i], err = p.prompt(q, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// server is a prompt for a server that takes text alone: without the begin-of-sequence
// token, where the server adds one.
func (p *prompter) server(prompt string, profile Profile) string {
	if bos := p.template.Special("bos_token"); bos != "" && profile.AddsBegin {
		return strings.TrimPrefix(prompt, bos)
	}
	return prompt
}

// ask writes the requests for a conversation that the model goes on with. The prompt
// is rendered here where the template is known, so that every server reads the same;
// else the server applies its own.
func (p *plan) ask(r *prepared, q *question, d drawing, repeats int) error {
	asIDs := p.literal != nil && p.profile.TokenPrompts
	byServer := p.profile.Chat && !q.talk.prefill
	switch {
	case p.profile.ChatOnly && q.talk.prefill:
		return q.refuse("gen_prefix begins the answer, and the endpoint has chat completions alone")
	case byServer && (p.profile.ChatOnly || p.chat == nil || !asIDs && !p.chat.given):
		for i := range repeats {
			d.seed = firstSeed + i
			r.requests = append(r.requests, chatRequest(q.talk.turns[0], d, p.profile))
		}
		return nil
	}
	prompt, err := p.chat.prompt(q, 0)
	if errors.Is(err, errNoTemplate) {
		both := *errNoTemplate
		both.Problem += ", and the endpoint has no chat completions"
		return &both
	}
	if err != nil {
		return err
	}
	r.prompt = prompt
	var ids []int32
	if asIDs {
		if ids, err = p.ids(p.literal, prompt, q, &d); err != nil {
			return err
		}
	}
	for i := range repeats {
		d.seed = firstSeed + i
		r.requests = append(r.requests, textRequest(ids, p.chat.server(prompt, p.profile), d, p.profile))
	}
	return nil
}

// ids encodes a prompt and leaves room for its completion.
func (p *plan) ids(e *encoder, prompt string, q *question, d *drawing) ([]int32, error) {
	ids := e.prompt(prompt)
	if len(ids) == 0 {
		return nil, q.refuse("the question has no tokens")
	}
	if p.context > 0 {
		if len(ids) >= p.context {
			return nil, q.refuse(tooLong("the prompt has", len(ids), p.context).Error())
		}
		d.maxTokens = min(d.maxTokens, p.context-len(ids))
	}
	return ids, nil
}

// chatFiles are the files of a model that decide how conversations are rendered.
func chatFiles(files map[string][]byte) []byte {
	var all []byte
	for _, name := range chat.Files {
		all = fmt.Appendf(all, "%d ", len(files[name]))
		all = append(all, files[name]...)
	}
	return all
}
