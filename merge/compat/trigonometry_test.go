package compat

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

var functions = map[string]struct {
	torch func(float32) float32
	exact func(float64) float64
}{"acos": {acos32, math.Acos}, "sin": {sin32, math.Sin}, "cos": {cos32, math.Cos}}

// torchTrigonometry is what docs/peers/mergekit/trigonometry.py wrote.
type torchTrigonometry struct {
	Origin  struct{ Torch, Command string }
	Samples []struct {
		Function  string
		Low, High float64
		Off       string // +, 0 or - for each number: away from zero of the nearest, it, towards zero
	}
	Edges []struct {
		Function    string
		Input, Want []uint32 // bits
	}
}

// The functions are torch's: in every number of the arc cosine up to 1/2 and at the
// edges, elsewhere in all but one of a thousand, and there they are one unit apart.
func TestTrigonometry(t *testing.T) {
	text, err := os.ReadFile("testdata/trigonometry.json")
	if err != nil {
		t.Fatal(err)
	}
	var peer torchTrigonometry
	if err := json.Unmarshal(text, &peer); err != nil || len(peer.Samples) != 7 || len(peer.Edges) != 3 || peer.Origin.Torch == "" {
		t.Fatalf("%d samples, %d edges, %v", len(peer.Samples), len(peer.Edges), err)
	}
	for _, s := range peer.Samples {
		f := functions[s.Function]
		differ, off := 0, 0
		for k, o := range s.Off {
			x := float32(s.Low + (s.High-s.Low)*(float64(uint32(k*2654435761))/(1<<32)))
			got, nearest := size(f.torch(x)), size(float32(f.exact(float64(x))))
			want := nearest + map[rune]int{'+': 1, '0': 0, '-': -1}[o]
			if got != want {
				differ++
			}
			if want != nearest {
				off++
			}
			if max(got-want, want-got) > 1 {
				t.Errorf("%s(%v): bits %x, want %x", s.Function, x, got, want)
			}
		}
		if limit := len(s.Off) / 1000; differ > limit || s.High <= .5 && s.Low >= -.5 && differ > 0 {
			t.Errorf("%s from %v to %v: %d of %d differ", s.Function, s.Low, s.High, differ, len(s.Off))
		}
		if off < 40*differ || off == 0 {
			t.Errorf("%s from %v to %v: %d of %d are not the nearest, %d differ", s.Function, s.Low, s.High, off, len(s.Off), differ)
		}
	}
	for _, e := range peer.Edges {
		for i, x := range e.Input {
			if got := math.Float32bits(functions[e.Function].torch(math.Float32frombits(x))); got != e.Want[i] {
				t.Errorf("%s(%v): bits %x, want %x", e.Function, math.Float32frombits(x), got, e.Want[i])
			}
		}
	}
}

// size orders numbers of one sign by magnitude.
func size(x float32) int { return int(math.Float32bits(max(x, -x))) }

// Not a number stays one; beyond what torch's formula is known for, the functions
// are rounded to the nearest.
func TestTrigonometryOutside(t *testing.T) {
	for name, f := range functions {
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -2, 2, 12345.678, 3e38} {
			x = float64(float32(x))
			got, want := float64(f.torch(float32(x))), f.exact(x)
			if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-6 {
				t.Errorf("%s(%v) = %v, want %v", name, x, got, want)
			}
		}
	}
}
