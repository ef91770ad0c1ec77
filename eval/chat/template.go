package chat

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"mergesearch/eval/jinja"
)

// Template is a chat template with the special tokens of its model.
type Template struct {
	source   string
	parsed   *jinja.Template
	specials map[string]any // by their names in a template: bos_token, eos_token
}

// today is the day that strftime_now tells: answers must not change with the calendar.
var today = time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC)

var environment = jinja.NewChat(today)

// Parse parses the text of a template for a model without special tokens. Files gives
// it those of a model. The error is a *jinja.Error.
func Parse(source string) (*Template, error) {
	parsed, err := environment.Parse(source)
	if err != nil {
		return nil, err
	}
	return &Template{source: source, parsed: parsed, specials: map[string]any{}}, nil
}

// Source returns the text of the template.
func (t *Template) Source() string { return t.source }

// Special returns the text of a special token of the model, "" where it has none.
func (t *Template) Special(name string) string {
	s, _ := t.specials[name].(string)
	return s
}

// Message makes a message of a role: "system", "user" or "assistant".
func Message(role, content string) *jinja.Dict {
	d := jinja.NewDict()
	d.Set("role", role)
	d.Set("content", content)
	return d
}

// Conversation is what a template is applied to.
type Conversation struct {
	Messages []*jinja.Dict // with role and content; a key without value is left out

	// Generate adds what begins the assistant's next turn (add_generation_prompt).
	Generate bool

	// Continue leaves the last message open at its end (continue_final_message).
	Continue bool

	// Variables are names that the template reads beside the usual ones, such as
	// enable_thinking or date_string. One of the usual ones would be replaced.
	Variables map[string]any
}

// Refusal is what a template says of a conversation that it does not take, in its own
// words: "System role not supported".
type Refusal struct{ Words string }

func (r *Refusal) Error() string { return "the chat template refuses the conversation: " + r.Words }

// mark stands where the last message ends. Its space shows whether the template keeps
// white space there.
const mark = "CONTINUE_FINAL_MESSAGE_TAG "

// Render returns the prompt of a conversation. The error is a *Refusal, or says what in
// the template or the conversation is wrong.
func (t *Template) Render(c Conversation) (string, error) {
	messages := make([]any, len(c.Messages))
	for i, m := range c.Messages {
		messages[i] = present(m)
	}
	final := ""
	if c.Continue {
		var err error
		if final, err = t.leaveOpen(messages); err != nil {
			return "", err
		}
	}
	names := map[string]any{"messages": messages, "tools": nil, "documents": nil, "add_generation_prompt": c.Generate}
	maps.Copy(names, t.specials)
	maps.Copy(names, c.Variables)
	text, err := t.parsed.Text(names)
	var fault *jinja.Error
	switch {
	case errors.As(err, &fault) && fault.Raised:
		return "", &Refusal{fault.Problem}
	case errors.As(err, &fault) && fault.Name != "" && strings.HasSuffix(fault.Name, "_token"):
		return "", fmt.Errorf("the chat template wants %s, which the model's files do not name", fault.Name)
	case err != nil:
		return "", fmt.Errorf("chat template: %w", err)
	case c.Continue:
		return cut(text, final)
	}
	return text, nil
}

// present leaves out the keys that have no value: many templates print None for them.
func present(m *jinja.Dict) *jinja.Dict {
	out := jinja.NewDict()
	for k, v := range m.All() {
		if v != nil {
			out.Set(k.(string), v)
		}
	}
	return out
}

// leaveOpen puts the mark behind the last message, and returns its text.
func (t *Template) leaveOpen(messages []any) (final string, err error) {
	if len(messages) == 0 {
		return "", errors.New("there is no message to continue")
	}
	last := messages[len(messages)-1].(*jinja.Dict)
	if !strings.Contains(t.source, "content") {
		return "", errors.New("the chat template does not read the content of messages, so the last one cannot be continued")
	}
	switch content, _ := last.Get("content"); content := content.(type) {
	case string:
		last.Set("content", content+mark)
		return content, nil
	case []any:
		for i := len(content) - 1; i >= 0; i-- {
			if block, ok := content[i].(*jinja.Dict); ok {
				if text, ok := block.Get("text"); ok {
					final, isText := text.(string)
					if !isText {
						break
					}
					blocks := append([]any{}, content...)
					block = present(block)
					block.Set("text", final+mark)
					blocks[i] = block
					last.Set("content", blocks)
					return final, nil
				}
			}
		}
	}
	return "", errors.New("the last message has no text that could be continued")
}

// cut ends a prompt at the mark. Where the template took the white space at the end
// of the message, it is gone for good.
func cut(text, final string) (string, error) {
	at := strings.LastIndex(text, strings.TrimSpace(mark))
	if at < 0 || !strings.Contains(text, strings.TrimFunc(final, jinja.IsSpace)) {
		return "", errors.New("the chat template leaves out, or changes, the message that is to be continued")
	}
	if strings.HasPrefix(text[at:], mark) {
		return text[:at], nil
	}
	return strings.TrimRightFunc(text[:at], jinja.IsSpace), nil
}
