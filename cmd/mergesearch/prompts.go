package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"mergesearch"
	"mergesearch/eval"
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
}

func (p *promptFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&p.fewshot, "fewshot", string(eval.DrawPerItem), "how examples are drawn: per_item, or harness as lm-evaluation-harness draws them")
	flags.IntVar(&p.shots, "num-fewshot", -1, "number of examples (default the task's own)")
	flags.StringVar(&p.system, "system-instruction", "", "text before every prompt")
	flags.BoolVar(&p.chat, "apply-chat-template", false, "ask for completions as a conversation")
	flags.BoolVar(&p.multiTurn, "fewshot-as-multiturn", false, "make each example a turn of the conversation")
}

func (p *promptFlags) check() error {
	if err := checkDraw(p.fewshot); err != nil {
		err.Field = "--fewshot"
		return err
	}
	if p.multiTurn && !p.chat {
		return &mergesearch.InputError{Field: "--fewshot-as-multiturn", Problem: "needs --apply-chat-template"}
	}
	return nil
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
