package lm

import (
	"testing"

	"pgregory.net/rapid"
)

// The index finds what a map finds, whatever is added and removed.
func TestSlotIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(t, "slots")
		x, nodes := newSlotIndex(n), make([]node, n)
		want := map[[2]int32]int32{}
		pair := rapid.Custom(func(t *rapid.T) [2]int32 {
			return [2]int32{rapid.Int32Range(-1, 5).Draw(t, "parent"), rapid.Int32Range(0, 5).Draw(t, "token")}
		})
		var free []int32
		for i := range n {
			free = append(free, int32(i))
		}
		for _, p := range rapid.SliceOfN(pair, 0, 200).Draw(t, "pairs") {
			slot, listed := want[p]
			switch {
			case listed:
				x.remove(nodes, slot)
				delete(want, p)
				free = append(free, slot)
			case len(free) > 0:
				slot, free = free[len(free)-1], free[:len(free)-1]
				nodes[slot] = node{parent: p[0], token: p[1]}
				x.add(nodes, slot)
				want[p] = slot
			}
			for parent := int32(-1); parent <= 5; parent++ {
				for token := range int32(6) {
					slot, listed := want[[2]int32{parent, token}]
					if !listed {
						slot = noNode
					}
					if got := x.find(nodes, parent, token); got != slot {
						t.Fatalf("(%d, %d) at %d, want %d", parent, token, got, slot)
					}
				}
			}
		}
	})
}
