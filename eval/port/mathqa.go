package port

import (
	"strings"

	"mergesearch/eval/python"
)

// mathqa: MathQA (Amini et al. 2019, arXiv:1905.13319), task mathqa. The five options
// stand in one text: "a ) 1 , b ) 2 , ...".
var mathqa = family{
	name:  "mathqa",
	tasks: named("mathqa"),
	functions: []Function{
		{Name: "utils.doc_to_choice", Value: valued(func(r *row) []any {
			options, err := lettered.FindAll(r.text("options"))
			if err != nil {
				r.fail("options", "%v", err)
			}
			out := []any{}
			for _, option := range options {
				out = append(out, strings.TrimRight(option[0][len("a ) "):], " ,"))
			}
			return out
		})},
	},
}

var lettered = python.MustCompile(`[abcd] \) .*?, |e \) .*?$`)
