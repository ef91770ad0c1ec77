package eval

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func idsTo(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(i)
	}
	return ids
}

// The vectors of lm-evaluation-harness.
func TestWindows(t *testing.T) {
	type window struct {
		first, last int32 // of what is read and scored together
		ctx         int
	}
	for _, c := range []struct {
		tokens, most int
		want         []window
	}{
		{34, 10, []window{{-100, 9, 1}, {9, 19, 1}, {19, 29, 1}, {23, 33, 7}}},
		{30, 10, []window{{-100, 9, 1}, {9, 19, 1}, {19, 29, 1}}},
		{9, 2, []window{{-100, 1, 1}, {1, 3, 1}, {3, 5, 1}, {5, 7, 1}, {6, 8, 2}}},
		{3, 0, []window{{-100, 2, 1}}},
		{0, 2, nil},
	} {
		got := windows(-100, idsTo(c.tokens), c.most)
		if len(got) != len(c.want) {
			t.Fatalf("%d windows, want %d", len(got), len(c.want))
		}
		for i, w := range c.want {
			if g := got[i]; g.ids[0] != w.first || g.ids[len(g.ids)-1] != w.last || g.ctx != w.ctx {
				t.Errorf("%d tokens, window %d: %v from %d on, want %v", c.tokens, i, g.ids, g.ctx, w)
			}
		}
	}
}

// Every token is scored once, in order, with as much before it as one window
// holds, and no window reads more than it may.
func TestWindowsScoreEachTokenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, most := rapid.IntRange(1, 60).Draw(t, "tokens"), rapid.IntRange(1, 20).Draw(t, "most")
		var scored []int32
		for i, w := range windows(-1, idsTo(n), most) {
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
		if !slices.Equal(scored, idsTo(n)) {
			t.Fatalf("scored %v", scored)
		}
	})
}
