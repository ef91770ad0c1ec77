package metric

import (
	"math"
	"strings"

	"mergesearch/eval/python"
)

const bleuOrder = 4 // words in the longest n-gram

// BLEU is sacrebleu's corpus_bleu with its defaults: tokens of mteval-v13a, n-grams up
// to four words, exponential smoothing, case kept; from 0 to 100. Each answer has at
// least one reference.
func BLEU(answers []string, references [][]string) (Statistic, error) {
	return corpus(answers, references, 2+2*bleuOrder, bleuCounts, bleuScore)
}

// bleuCounts returns the length of the answer and of the closest reference, then the
// n-grams of each order that are matched, then all of them.
func bleuCounts(answer string, references []string) counts {
	words := tokens13a(answer)
	out := make(counts, 2+2*bleuOrder)
	most := wordGrams(nil) // of each n-gram, in one reference
	closest := -1
	for _, ref := range references {
		refWords := tokens13a(ref)
		n := len(refWords)
		if d, e := abs(len(words)-n), abs(len(words)-closest); closest < 0 || d < e || d == e && n < closest {
			closest = n
		}
		for n, grams := range wordGrams(refWords) {
			for gram, c := range grams {
				most[n][gram] = max(most[n][gram], c)
			}
		}
	}
	out[0], out[1] = float64(len(words)), float64(closest)
	for n, grams := range wordGrams(words) {
		for gram, c := range grams {
			out[2+n] += float64(min(c, most[n][gram]))
			out[2+bleuOrder+n] += float64(c)
		}
	}
	return out
}

func abs(n int) int { return max(n, -n) }

// wordGrams counts the n-grams of each order. Words hold no white space, so a space
// joins them.
func wordGrams(words []string) (out [bleuOrder]map[string]int) {
	for n := range out {
		out[n] = map[string]int{}
		for i := 0; i+n+1 <= len(words); i++ {
			out[n][strings.Join(words[i:i+n+1], " ")]++
		}
	}
	return out
}

func bleuScore(c counts) float64 {
	length, reference := c[0], c[1]
	matched, all := c[2:2+bleuOrder], c[2+bleuOrder:]
	if sum(matched) == 0 {
		return 0
	}
	const logOfNothing = -9999999999
	logs, smoothing := 0.0, 1.0
	for n := range bleuOrder {
		switch {
		case all[n] == 0: // and of all longer n-grams
			logs += logOfNothing
		case matched[n] == 0:
			smoothing *= 2
			logs += math.Log(100 / (smoothing * all[n]))
		default:
			logs += math.Log(100 * matched[n] / all[n])
		}
	}
	brevity := 1.0
	if length < reference {
		brevity = math.Exp(1 - reference/length)
	}
	return brevity * math.Exp(logs/bleuOrder)
}

// tokens13a cuts a text into the tokens of mteval-v13a, as sacrebleu has it.
func tokens13a(s string) []string {
	s = python.RStrip(s)
	s = strings.ReplaceAll(s, "<skipped>", "")
	s = strings.ReplaceAll(s, "-\n", "")
	s = strings.ReplaceAll(s, "\n", " ")
	if strings.Contains(s, "&") {
		for _, e := range [][2]string{{"&quot;", `"`}, {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}} {
			s = strings.ReplaceAll(s, e[0], e[1])
		}
	}
	r := []rune(" " + s + " ")
	r = pad(r)
	r = splitMark(r, func(before, _ rune) bool { return !digit(before) }, true)
	r = splitMark(r, func(_, after rune) bool { return !digit(after) }, false)
	r = splitDash(r)
	return python.Split(string(r))
}

func digit(r rune) bool { return r >= '0' && r <= '9' }

// pad puts spaces around ASCII punctuation but . , - and '.
func pad(in []rune) []rune {
	out := make([]rune, 0, len(in)+len(in)/4)
	for _, r := range in {
		if r >= '{' && r <= '~' || r >= '[' && r <= '`' || r >= ' ' && r <= '&' || r >= '(' && r <= '+' || r >= ':' && r <= '@' || r == '/' {
			out = append(out, ' ', r, ' ')
		} else {
			out = append(out, r)
		}
	}
	return out
}

// splitMark puts spaces around a period or comma whose neighbour, the one before it or
// the one after, is no digit. Pairs are taken from the left and do not overlap, so the
// second of two marks in a row can stay.
func splitMark(in []rune, apart func(before, after rune) bool, before bool) []rune {
	out := make([]rune, 0, len(in)+len(in)/4)
	mark := func(r rune) bool { return r == '.' || r == ',' }
	for i := 0; i < len(in); i++ {
		switch {
		case i+1 == len(in):
			out = append(out, in[i])
		case before && mark(in[i+1]) && apart(in[i], 0):
			out = append(out, in[i], ' ', in[i+1], ' ')
			i++
		case !before && mark(in[i]) && apart(0, in[i+1]):
			out = append(out, ' ', in[i], ' ', in[i+1])
			i++
		default:
			out = append(out, in[i])
		}
	}
	return out
}

// splitDash puts spaces around a dash after a digit.
func splitDash(in []rune) []rune {
	out := make([]rune, 0, len(in)+8)
	for i, r := range in {
		if r == '-' && i > 0 && digit(in[i-1]) {
			out = append(out, ' ', r, ' ')
		} else {
			out = append(out, r)
		}
	}
	return out
}
