package port

import (
	"slices"
	"strings"

	"mergesearch/eval/python"
)

// GPQA (Rein et al. 2023, arXiv:2311.12022), tasks gpqa_{main,diamond,extended}_* in five
// directories, and the Open LLM Leaderboard's leaderboard_gpqa_*. The right answer and
// three wrong ones are shuffled and become choice1 to choice4, answer is "(A)" to "(D)".
//
// What is equal to the harness: the shuffles are CPython's, drawn in document order.
// All variants but n_shot draw from the global generator, which the harness seeds with
// 0 when it starts; its first task that shuffles therefore gets the choices that this
// port gives. What cannot be equal: a second such task of the same run goes on with the
// generator where the first left it; a shuffle that the datasets library finds in its
// cache, also one of an earlier run with another seed, is taken from there; and other
// code may have drawn before. This port starts with the seed at every call, so that a
// task's prompts do not depend on what else is evaluated.
//
// n_shot draws from a generator of its own, seeded with 42, that runs on: release 0.4.12
// shuffles once for the shots, again when it looks at the task, a third time for the
// prompts and a fourth time for the answers that it scores with, so its prompts and its
// answers belong to different shuffles. Here shots, prompts and answers all come from
// the first one.
var (
	gpqaZeroShot    = gpqa("zeroshot", "zeroshot", 0, false)
	gpqaFewShot     = gpqa("n_shot", "n_shot", 42, false)
	gpqaGenerative  = gpqa("generative", "generative_n_shot", 0, true)
	gpqaCoTZeroShot = gpqa("cot_zeroshot", "cot_zeroshot", 0, true)
	gpqaCoTFewShot  = gpqa("cot_n_shot", "cot_n_shot", 0, true)

	leaderboardGPQA = family{
		name:  "leaderboard/gpqa",
		tasks: named("leaderboard_gpqa_(?:main|diamond|extended)"),
		functions: []Function{
			{Name: "utils.process_docs", Docs: shuffled(0, false, withoutBrackets)},
		},
	}
)

func gpqa(dir, suffix string, seed int64, list bool) family {
	return family{
		name:      "gpqa/" + dir,
		tasks:     named("gpqa_(?:main|diamond|extended)_" + suffix),
		functions: []Function{{Name: "utils.process_docs", Docs: shuffled(seed, list, withoutTitles)}},
	}
}

// shuffled shuffles the choices of each document; list adds them as one column too.
func shuffled(seed int64, list bool, clean func(string) string) func([]Fields) ([]Fields, error) {
	return func(documents []Fields) ([]Fields, error) {
		draws := python.NewRandom(seed)
		return mapped(func(r *row) Fields {
			var choices []string
			for _, column := range []string{"Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3", "Correct Answer"} {
				if r.value(column) == nil {
					choices = append(choices, " ")
				} else {
					choices = append(choices, clean(r.text(column)))
				}
			}
			right := choices[3]
			draws.Shuffle(len(choices), func(i, j int) { choices[i], choices[j] = choices[j], choices[i] })
			out := Fields{
				"choice1": choices[0], "choice2": choices[1], "choice3": choices[2], "choice4": choices[3],
				"answer": "(" + string(rune('A'+slices.Index(choices, right))) + ")",
			}
			if list {
				out["choices"] = anys(choices)
			}
			return out
		})(documents)
	}
}

// withoutTitles is withoutBrackets, but for the brackets.
func withoutTitles(s string) string {
	s = strings.ReplaceAll(python.Strip(s), " [title]", ". ")
	return strings.ReplaceAll(s, "  ", " ")
}
