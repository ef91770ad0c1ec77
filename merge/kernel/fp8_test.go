package kernel

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"mergesearch"
)

// readCodes returns what torch reads for each code of a type of 8 bits.
func readCodes(t *testing.T) map[mergesearch.DType][]float32 {
	t.Helper()
	text, err := os.ReadFile("testdata/fp8.txt")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[mergesearch.DType][]float32{}
	var current mergesearch.DType
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "F8"):
			current = mergesearch.DType(line)
		default:
			for _, word := range strings.Fields(line) {
				u, err := strconv.ParseUint(word, 16, 32)
				if err != nil {
					t.Fatal(err)
				}
				codes[current] = append(codes[current], math.Float32frombits(uint32(u)))
			}
		}
	}
	return codes
}

func TestEightBits(t *testing.T) {
	for d, want := range readCodes(t) {
		if len(want) != 256 || !d.Eight() {
			t.Fatalf("%s has %d codes", d, len(want))
		}
		all := View{DType: d, Data: make([]byte, 257)[1:]} // at an odd address
		for i := range all.Data {
			all.Data[i] = byte(i)
		}
		for i, got := range Load(all) {
			if got != want[i] && (got == got || want[i] == want[i]) || math.Signbit(float64(got)) != math.Signbit(float64(want[i])) && got == got {
				t.Errorf("%s %02x is %v, torch has %v", d, i, got, want[i])
			}
		}
		for _, n := range []int{0, 1, 255, 256} { // whole and padded blocks
			in := all.Slice(256-n, 256)
			eachLevel(t, func(t *testing.T, k Kernel) {
				for _, to := range floats {
					got, ref := empty(to, n), empty(to, n)
					c := k.WeightedSum(got, []View{in}, []float32{1})
					mustEqual(t, string(d)+" to "+string(to), got, ref, c, Store(ref, Load(in)))
				}
			})
		}
	}
}

// Types of 8 bits are inputs of every operation that takes types of others.
func TestEightBitsMixed(t *testing.T) {
	const n = 4096 + 300
	raw := sample(3, n, mergesearch.F32, false)
	for _, d := range []mergesearch.DType{mergesearch.F8E4M3, mergesearch.F8E5M2} {
		x := View{DType: d, Data: make([]byte, n)}
		for i := range x.Data { // finite codes
			x.Data[i] = byte(i*37) & 0xf7 &^ 0x08
			if d == mergesearch.F8E5M2 {
				x.Data[i] &= 0xbf
			}
		}
		eachLevel(t, func(t *testing.T, k Kernel) {
			for _, base := range []View{raw, x} {
				out, ref := empty(mergesearch.BF16, n), empty(mergesearch.BF16, n)
				c := k.WeightedSum(out, []View{base, x}, []float32{0.25, -1.5})
				want := WeightedSumReference([][]float32{Load(base), Load(x)}, []float32{0.25, -1.5})
				mustEqual(t, "weighted sum of "+string(d), out, ref, c, Store(ref, want))
			}
		})
	}
}

func TestEightBitsAreNotWritten(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a type of 8 bits was written")
		}
	}()
	New(Portable).WeightedSum(View{DType: mergesearch.F8E4M3, Data: make([]byte, 1)}, []View{{DType: mergesearch.F32, Data: make([]byte, 4)}}, []float32{1})
}
