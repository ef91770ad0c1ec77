package eval

import (
	"flag"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/xxh3"
	"pgregory.net/rapid"
)

var lookups = flag.Int("lookups", 50_000, "how many keys TestCacheKeysNeverMeet makes")

// In many lookups (-lookups makes more) of requests that are as
// alike as can be, no key of one candidate, server or request is that of another.
func TestCacheKeysNeverMeet(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	flip := func() bool { return random.IntN(2) == 0 }
	var memories []*memory
	for _, p := range []Profile{{}, {ManyPrompts: true}, {Context: 1}, {Context: 11}} {
		p.Fingerprint = true
		for _, fingerprint := range []string{"a", "b", "ab", "aba", "b1", "1"} {
			memories = append(memories, memoryOf(nothing{}, Session{Fingerprint: fingerprint}, p))
		}
	}
	ids := make([]int32, 4)
	seen := map[[32]byte]xxh3.Uint128{}
	hits := 0
	var what []byte
	for range *lookups {
		i := random.IntN(len(memories))
		r := &request{via: echoRoute{}, path: pick("/a", "/ab", "/"), tail: []byte(pick("b", "", "bb", "1", "\x01b")), greedy: flip(), zero: flip(), root: flip()}
		what = append(what[:0], byte(i), byte(bit(r.greedy)), byte(bit(r.zero)), byte(bit(r.root)))
		what = append(append(append(what, r.path...), " tail "...), r.tail...)
		for range random.IntN(3) {
			n := 1 + random.IntN(3)
			q := sequence{ids: ids[:n+1], ctx: 1 + random.IntN(n)}
			r.seqs = append(r.seqs, q)
			what = append(what, 's', byte(n), byte(q.ctx))
		}
		for range random.IntN(3) {
			r.drawn.until = append(r.drawn.until, pick("a", "", "b", "\x01a"))
			what = strconv.AppendQuote(append(what, " until "...), r.drawn.until[len(r.drawn.until)-1])
		}
		key := memories[i].key(r)
		name := xxh3.Hash128(what)
		before, known := seen[key]
		if known && before != name {
			t.Fatalf("a key of two requests, one of them %q", what)
		}
		hits += bit(known)
		seen[key] = name
	}
	if hits == 0 || len(seen) < 1000 {
		t.Errorf("%d keys, %d hits: the test tests nothing", len(seen), hits)
	}
	if memoryOf(nothing{}, Session{}, Profile{Fingerprint: true}) != nil || memoryOf(nothing{}, Session{Fingerprint: "a"}, Profile{}) != nil {
		t.Error("answers of unknown weights would be remembered")
	}
}

type nothing struct{ Cache }

// What is remembered is what was answered, to the last bit.
func TestPartsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []part
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			parts = append(parts, part{
				likelihood: likelihood{math.Copysign(rapid.Float64Range(0, 1e6).Draw(t, "logprob"), -1), rapid.Bool().Draw(t, "greedy")},
				written:    written{rapid.String().Draw(t, "text"), rapid.SampledFrom([]string{"", "stop", "length"}).Draw(t, "finish"), rapid.IntRange(-1, 9999).Draw(t, "tokens"), rapid.IntRange(-1, 9999).Draw(t, "prompt")},
				taken:      true,
			})
		}
		b := encodeParts(parts)
		got, ok := decodeParts(b)
		if !ok || !reflect.DeepEqual(got, parts) {
			t.Fatal(cmp.Diff(parts, got, cmp.AllowUnexported(part{}, likelihood{}, written{})))
		}
		for n := range b {
			if _, ok := decodeParts(b[:n]); ok {
				t.Fatalf("%d of %d bytes were taken for whole", n, len(b))
			}
		}
	})
}

// FuzzParts: whatever a cache hands out is understood or refused.
func FuzzParts(f *testing.F) {
	f.Add(encodeParts([]part{{written: written{"text", "stop", 3, 7}}, {likelihood: likelihood{-1.5, true}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, ok := decodeParts(b)
		if !ok {
			return
		}
		again, ok := decodeParts(encodeParts(parts))
		if !ok || !reflect.DeepEqual(parts, again) {
			t.Errorf("%+v, then %+v", parts, again)
		}
	})
}
