package python

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func hexFloat(x float64) string { return strconv.FormatFloat(x, 'x', -1, 64) }

// sameFloat compares with the hexadecimal text that Python writes.
func sameFloat(t *testing.T, what string, got float64, want string) {
	t.Helper()
	w, err := strconv.ParseFloat(want, 64)
	if err != nil {
		t.Fatal(err)
	}
	if hexFloat(got) != hexFloat(w) {
		t.Errorf("%s: %s, Python says %s", what, hexFloat(got), want)
	}
}

func TestRandomAsPython(t *testing.T) {
	var cases []struct {
		Seed    int64
		Bits    []string
		Random  []string
		Below   [][2]int
		Sample  [][3]json.RawMessage
		Choices [][2]json.RawMessage
		Shuffle []int
		Last    string
	}
	readJSON(t, "random.json", &cases)
	if len(cases) < 10 {
		t.Fatal("the golden file is not whole")
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.Seed), func(t *testing.T) {
			r := NewRandom(c.Seed)
			for i, k := range []int{1, 5, 31, 32, 33, 53, 63, 64} {
				if got := strconv.FormatUint(r.GetRandBits(k), 10); got != c.Bits[i] {
					t.Errorf("%d bits: %s, Python says %s", k, got, c.Bits[i])
				}
			}
			for _, want := range c.Random {
				sameFloat(t, "random", r.Random(), want)
			}
			for _, b := range c.Below {
				if got := r.RandBelow(b[0]); got != b[1] {
					t.Errorf("below %d: %d, Python says %d", b[0], got, b[1])
				}
			}
			for _, s := range c.Sample {
				var n, k int
				var want []int
				decode(t, s[:], &n, &k, &want)
				if got := r.Sample(n, k); !slices.Equal(got, want) {
					t.Errorf("sample of %d from %d: %v, Python says %v", k, n, got, want)
				}
			}
			r.GetRandBits(8)
			for _, s := range c.Choices {
				var n int
				var want []int
				decode(t, s[:], &n, &want)
				if got := r.Choices(n, 400)[397:]; !slices.Equal(got, want) {
					t.Errorf("choices of %d: %v, Python says %v", n, got, want)
				}
			}
			list := make([]int, 40)
			for i := range list {
				list[i] = i
			}
			r.Shuffle(40, func(i, j int) { list[i], list[j] = list[j], list[i] })
			if !slices.Equal(list, c.Shuffle) {
				t.Errorf("shuffle: %v, Python says %v", list, c.Shuffle)
			}
			sameFloat(t, "after all", r.Random(), c.Last)
		})
	}
}

func decode(t *testing.T, raw []json.RawMessage, into ...any) {
	t.Helper()
	for i := range into {
		if err := json.Unmarshal(raw[i], into[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// Draws that the harness makes: shots of gsm8k and of small pools, seed 1234.
func TestShotsOfTheHarness(t *testing.T) {
	r := NewRandom(1234)
	for i, want := range []uint64{4150886329, 3342196574, 1892932127, 501869158} {
		if got := r.GetRandBits(32); got != want {
			t.Errorf("word %d: %d, want %d", i, got, want)
		}
	}
	for _, c := range []struct {
		n     int
		draws [][]int
	}{
		{100, [][]int{{99, 56, 14, 0, 11}, {74, 4, 85, 88, 10}, {12, 98, 45, 30, 2, 3}}},
		{7473, [][]int{{6374, 3610, 957, 61, 742}, {7462, 6610, 4769, 286, 5501}}},
		{21, [][]int{{14, 3, 0, 2, 1}}},
		{22, [][]int{{14, 3, 0, 2, 18}}},
	} {
		r.Seed(1234)
		for _, want := range c.draws {
			if got := r.Sample(c.n, len(want)); !slices.Equal(got, want) {
				t.Errorf("from %d: %v, want %v", c.n, got, want)
			}
		}
	}
	if got := NewRandom(0).Choices(10, 10); !slices.Equal(got, []int{8, 7, 4, 2, 5, 4, 7, 3, 4, 5}) {
		t.Errorf("choices: %v", got)
	}
	if got := NewRandom(1<<40 + 5).Random(); got != 0.5043802970418443 {
		t.Errorf("a seed of two words: %v", got)
	}
}

func TestRandomLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Int64().Draw(t, "seed")
		n := rapid.IntRange(1, 3000).Draw(t, "n")
		k := rapid.IntRange(0, n).Draw(t, "k")
		a, b := NewRandom(seed), NewRandom(-seed)
		sample := a.Sample(n, k)
		if !slices.Equal(sample, b.Sample(n, k)) {
			t.Fatal("a seed and its negative differ")
		}
		seen := map[int]bool{}
		for _, s := range sample {
			if s < 0 || s >= n || seen[s] {
				t.Fatalf("%d is no place, or taken twice", s)
			}
			seen[s] = true
		}
		// Many choices at once are the choices one by one.
		many := a.Choices(n, k)
		for i, c := range many {
			if one := int(b.Random() * float64(n)); one != c {
				t.Fatalf("choice %d of %d: %d, one by one %d", i, n, c, one)
			}
		}
		if a.GetRandBits(64) != b.GetRandBits(64) {
			t.Fatal("the two end in different places")
		}
	})
}

func TestRandomMisuse(t *testing.T) {
	r := NewRandom(1)
	for name, f := range map[string]func(){
		"sample": func() { r.Sample(3, 4) }, "negative": func() { r.Sample(3, -1) }, "below": func() { r.RandBelow(0) },
		"bits": func() { r.GetRandBits(65) }, "choices": func() { r.Choices(0, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkFillChoices(b *testing.B) {
	r, dst := NewRandom(1), make([]int32, 1000)
	b.SetBytes(8 * 1000)
	for b.Loop() {
		r.FillChoices(dst, 1000)
	}
}
