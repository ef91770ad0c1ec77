package eval

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func upTo(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i)
	}
	return ids
}

// The vector of lm-evaluation-harness: 34 tokens, 10 in a window.
func TestWindows(t *testing.T) {
	got := windows(-100, upTo(34), 10)
	want := []struct {
		first, last int32 // of what is read and scored together
		ctx         int
	}{{-100, 9, 1}, {9, 19, 1}, {19, 29, 1}, {23, 33, 7}}
	if len(got) != len(want) {
		t.Fatalf("%d windows, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.ids[0] != w.first || g.ids[len(g.ids)-1] != w.last || len(g.ids) != 11 || g.ctx != w.ctx {
			t.Errorf("window %d: %v from %d on, want %v", i, g.ids, g.ctx, w)
		}
	}
	if got := windows(7, upTo(3), 0); len(got) != 1 || got[0].ctx != 1 || !slices.Equal(got[0].ids, []int32{7, 0, 1, 2}) {
		t.Errorf("without a limit: %v", got)
	}
	if got := windows(7, nil, 4); got != nil {
		t.Errorf("no tokens: %v", got)
	}
}

// Every token is scored once, in order, with as much before it as one window
// holds, and no window reads more than it may.
func TestWindowsScoreEachTokenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, most := rapid.IntRange(1, 60).Draw(t, "tokens"), rapid.IntRange(1, 20).Draw(t, "most")
		var scored []int32
		for i, w := range windows(-1, upTo(n), most) {
			if len(w.ids) > most+1 || w.ctx < 1 || w.ctx >= len(w.ids) {
				t.Fatalf("window %v from %d on", w.ids, w.ctx)
			}
			if i > 0 && len(w.ids) != most+1 {
				t.Fatalf("window %d has %d tokens of context and text, %d are possible", i, len(w.ids), most+1)
			}
			for k := 1; k < len(w.ids); k++ {
				if w.ids[k] != w.ids[k-1]+1 {
					t.Fatalf("window %v has a hole", w.ids)
				}
			}
			scored = append(scored, w.ids[w.ctx:]...)
		}
		if !slices.Equal(scored, upTo(n)) {
			t.Fatalf("scored %v", scored)
		}
	})
}
