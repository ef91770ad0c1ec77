package metric

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func count(from, to int) []int {
	var out []int
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

// input is what the model reads.
func (w Window) input() []int { return slices.Concat(w.Context, w.Target[:len(w.Target)-1]) }

// The vectors of the harness's own tests: first and last tokens of inputs and targets.
func TestWindowsAsTheHarness(t *testing.T) {
	for _, c := range []struct {
		tokens, length, context int
		want                    string
	}{
		{34, 10, 1, "[-100 8 | 0 9] [9 18 | 10 19] [19 28 | 20 29] [23 32 | 30 33]"},
		{34, 10, 8, "[-100 8 | 0 9] [2 11 | 10 12] [5 14 | 13 15] [8 17 | 16 18] [11 20 | 19 21] [14 23 | 22 24] [17 26 | 25 27] [20 29 | 28 30] [23 32 | 31 33]"},
		{13, 10, 10, "[-100 8 | 0 9] [0 9 | 10 10] [1 10 | 11 11] [2 11 | 12 12]"},
		{30, 10, 1, "[-100 8 | 0 9] [9 18 | 10 19] [19 28 | 20 29]"},
		{9, 2, 1, "[-100 0 | 0 1] [1 2 | 2 3] [3 4 | 4 5] [5 6 | 6 7] [6 7 | 8 8]"},
		{0, 2, 1, ""},
	} {
		var got string
		for i, w := range Windows(count(0, c.tokens-1), -100, c.length, c.context) {
			if i > 0 {
				got += " "
			}
			in := w.input()
			got += fmt.Sprintf("[%d %d | %d %d]", in[0], in[len(in)-1], w.Target[0], w.Target[len(w.Target)-1])
		}
		if got != c.want {
			t.Errorf("%d tokens, length %d, context %d: %s, want %s", c.tokens, c.length, c.context, got, c.want)
		}
	}
}

// Every token is a target once, in order, after the token before it.
func TestWindowsLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := count(1, rapid.IntRange(0, 60).Draw(t, "tokens"))
		length := rapid.IntRange(1, 12).Draw(t, "length")
		context := rapid.IntRange(1, length).Draw(t, "context")
		var targets []int
		for _, w := range Windows(tokens, 0, length, context) {
			in := w.input()
			if len(in) > length || len(w.Context) == 0 || len(targets) > 0 && len(w.Context) < context {
				t.Fatalf("window %v", w)
			}
			for i := range in[1:] {
				if in[i+1] != in[i]+1 {
					t.Fatalf("the input %v has a gap", in)
				}
			}
			if w.Context[len(w.Context)-1] != w.Target[0]-1 {
				t.Fatalf("%v does not follow %v", w.Target, w.Context)
			}
			targets = append(targets, w.Target...)
		}
		if !slices.Equal(targets, tokens) {
			t.Fatalf("targets %v", targets)
		}
	})
}
