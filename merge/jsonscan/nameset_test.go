package jsonscan

import (
	"testing"

	"pgregory.net/rapid"
)

// A set of names answers as a map does, from whatever size it begins.
func TestNameSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, want := newNameSet(rapid.IntRange(0, 20).Draw(t, "room")), map[string]bool{}
		for _, name := range rapid.SliceOfN(rapid.StringMatching(`[ab]{0,7}`), 0, 400).Draw(t, "names") {
			if got := set.add(name); got == want[name] {
				t.Fatalf("%q is new: %v", name, got)
			}
			want[name] = true
		}
	})
}

// Names whose hashes collide in the table, or in their upper halves too, are kept apart.
func TestNameSetWithCollisions(t *testing.T) {
	s := newNameSet(3)
	for i, name := range []string{"a", "b", "c"} {
		at := s.find(7, name)
		if s.table[at] != 0 {
			t.Fatalf("%q is found before it is there", name)
		}
		s.names = append(s.names, name)
		s.table[at] = uint64(i + 1)
	}
	for i, name := range []string{"a", "b", "c"} {
		if at := s.find(7, name); s.table[at] != uint64(i+1) {
			t.Errorf("%q is found as number %d, want %d", name, s.table[at], i+1)
		}
	}
}
