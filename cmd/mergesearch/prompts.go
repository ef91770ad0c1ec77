package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/pflag"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/chat"
	"mergesearch/eval/dataset"
)

// promptFlags say how prompts are put together where that is not the task's matter,
// in the words of lm-evaluation-harness.
type promptFlags struct {
	fewshot   string
	shots     int
	system    string
	chat      bool
	multiTurn bool
	template  string // file
	arguments string // JSON
}

func (p *promptFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&p.fewshot, "fewshot", string(eval.DrawPerItem), "how examples are drawn: per_item, or harness as lm-evaluation-harness draws them")
	flags.IntVar(&p.shots, "num-fewshot", -1, "number of examples (default the task's own)")
	flags.StringVar(&p.system, "system-instruction", "", "text before every prompt")
	flags.BoolVar(&p.chat, "apply-chat-template", false, "ask in a conversation, by the model's chat template")
	flags.StringVar(&p.template, "chat-template", "", "file of the chat template (default the model's own)")
	flags.StringVar(&p.arguments, "chat-template-args", "", `variables for the chat template, such as {"enable_thinking": false}`)
	flags.BoolVar(&p.multiTurn, "fewshot-as-multiturn", false, "make each example a turn of the conversation")
}

func (p *promptFlags) check() error {
	if err := checkShots(p.shots); err != nil {
		return err
	}
	if err := checkDraw(p.fewshot); err != nil {
		err.Field = "--fewshot"
		return err
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{{"--fewshot-as-multiturn", p.multiTurn}, {"--chat-template", p.template != ""}, {"--chat-template-args", p.arguments != ""}} {
		if flag.given && !p.chat {
			return &mergesearch.InputError{Field: flag.name, Problem: "needs --apply-chat-template"}
		}
	}
	return nil
}

// chatTemplate reads what the flags name.
func (p *promptFlags) chatTemplate() (eval.ChatTemplate, error) {
	var names map[string]any
	if p.arguments != "" {
		var err error
		if names, err = chat.Variables([]byte(p.arguments)); err != nil {
			return eval.ChatTemplate{}, &mergesearch.InputError{Field: "--chat-template-args", Problem: err.Error(), Hint: `for example {"enable_thinking": false}`}
		}
	}
	return readChatTemplate(p.template, names)
}

// readChatTemplate reads a template from a file; without one it is the model's own.
func readChatTemplate(file string, names map[string]any) (eval.ChatTemplate, error) {
	t := eval.ChatTemplate{File: file, Variables: names}
	if file == "" {
		return t, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		var cause *fs.PathError
		if errors.As(err, &cause) { // which names the file again
			err = cause.Err
		}
		return t, &mergesearch.InputError{File: file, Problem: "no chat template can be read: " + err.Error(), Hint: "name a file with a Jinja template, such as chat_template.jinja of a model", Cause: err}
	}
	t.Source = string(text)
	_, err = chat.For(nil, t.Source, file) // so that a fault is found before any model is read
	return t, err
}

// checkShots refuses a number of examples that is none.
func checkShots(n int) *mergesearch.InputError {
	if n >= -1 {
		return nil
	}
	return &mergesearch.InputError{Field: "--num-fewshot", Problem: fmt.Sprintf("%d is no number of examples", n), Hint: "leave it out for the task's own"}
}

// checkDraw refuses a way of drawing that does not exist.
func checkDraw(word string) *mergesearch.InputError {
	known := []string{string(eval.DrawPerItem), string(eval.DrawHarness)}
	if word == known[0] || word == known[1] {
		return nil
	}
	e := mergesearch.UnknownWord("way to draw examples", word, known)
	e.Problem = fmt.Sprintf("unknown way to draw examples %q", word)
	return e
}

func (p *promptFlags) reading() eval.Reading {
	r := eval.Reading{
		Draw: eval.Draw(p.fewshot), System: p.system, Chat: p.chat, MultiTurn: p.multiTurn,
		Cache: dataset.HubCache(os.Getenv),
	}
	if p.shots >= 0 {
		r.Shots = &p.shots
	}
	return r
}
