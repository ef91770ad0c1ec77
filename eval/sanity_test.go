package eval

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLooping(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                    false,
		"42":                                  false,
		"10000000":                            false,
		"The answer is 12. The answer is 13.": false,
		strings.Repeat("a", 31):               false,
		strings.Repeat("a", 32):               true,
		"So " + strings.Repeat("the answer is ", 3):          false,
		"So " + strings.Repeat("the answer is ", 4):          true,
		strings.Repeat("the answer is ", 9) + "twelve.":      false,
		strings.Repeat(strings.Repeat("x", 300)+"y", 5):      false, // longer pieces than are looked for
		"1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,": false,
		strings.Repeat("日本語", 8):                             true,
		strings.Repeat("word ", 100) + "wor":                 true, // cut off within the piece
	} {
		if looping(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// Law: whatever comes before, a repetition that is long enough is seen, and what
// stands before a text that does not loop only matters when it repeats it.
func TestLoopingIsSeenAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.StringMatching(`[a-z ]{1,40}`).Draw(t, "piece")
		head := rapid.String().Draw(t, "head")
		if times := max(loopTimes, 1+loopBytes/len(piece)); !looping(head + strings.Repeat(piece, times)) {
			t.Errorf("%q, %d times, was not seen", piece, times)
		}
	})
}
