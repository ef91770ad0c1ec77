package port

import (
	"regexp"
	"strings"

	"mergesearch/eval/python"
)

// wikitext: WikiText-2 (Merity et al. 2016, arXiv:1609.07843), task wikitext: the
// perplexity of whole articles. The text that is scored is the article with its
// tokenisation undone; words and bytes are counted in the article as it is.
var wikitext = family{
	name:  "wikitext",
	tasks: named("wikitext"),
	functions: []Function{
		{Name: "preprocess_wikitext.wikitext_detokenizer", Value: valued(func(r *row) string {
			return detokenised(r.text("page"))
		})},
		{Name: "preprocess_wikitext.process_results", Results: scored(func(r *row, a Answers) map[string]Mark {
			page := r.text("page")
			if len(a.LogLikelihoods) != 1 {
				r.fail("answers", "%d log-likelihoods, want the page's", len(a.LogLikelihoods))
				return nil
			}
			l, bytes := a.LogLikelihoods[0], float64(len(page))
			return map[string]Mark{
				"word_perplexity": {Value: l, Weight: float64(words(page))},
				"byte_perplexity": {Value: l, Weight: bytes},
				"bits_per_byte":   {Value: l, Weight: bytes},
			}
		})},
	},
}

// words counts the pieces between runs of white space, also empty ones at the ends.
func words(s string) int { return python.Runs(s, python.IsSpace) + 1 }

// space is Python's \s in Go's syntax: [space].
const space = `\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// detokenisers are what is put for what, in order. Go's leftmost-first matches are
// Python's.
var detokenisers = []func(string) string{
	literally("s '", "s'"),
	pattern(`/' [0-9]/`, "/'[0-9]/"), // as the harness has it
	literally(" @-@ ", "-"), literally(" @,@ ", ","), literally(" @.@ ", "."),
	literally(" : ", ": "), literally(" ; ", "; "), literally(" . ", ". "),
	literally(" ! ", "! "), literally(" ? ", "? "), literally(" , ", ", "),
	between(`\(`, `\)`, "(", ")"), between(`\[`, `\]`, "[", "]"), between(`\{`, `\}`, "{", "}"),
	between(`"`, `"`, `"`, `"`), between(`'`, `'`, `'`, `'`),
	literally("= = = =", "===="), literally("= = =", "==="), literally("= =", "=="),
	literally(" ° ", "°"), literally(" \n", "\n"), literally("\n ", "\n"),
	literally(" N ", " 1 "), literally(" 's", "'s"),
}

func literally(what, by string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, what, by) }
}

func pattern(what, by string) func(string) string {
	r := regexp.MustCompile(what)
	return func(s string) string { return r.ReplaceAllLiteralString(s, by) }
}

// between trims what stands between an opening and a closing character.
func between(opening, closing, before, after string) func(string) string {
	r := regexp.MustCompile(opening + `[` + space + `]*([^` + closing + `]*?)[` + space + `]*` + closing)
	return func(s string) string { return r.ReplaceAllString(s, before+"${1}"+after) }
}

func detokenised(s string) string {
	for _, f := range detokenisers {
		s = f(s)
	}
	return s
}
