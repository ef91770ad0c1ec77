package python

import (
	"encoding/json"
	"slices"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func everyRune(visit func(r rune)) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if utf8.ValidRune(r) {
			visit(r)
		}
	}
}

func TestTextAsPython(t *testing.T) {
	var golden struct {
		Lower, Upper, Capital map[string]string
		Count                 map[string]int
		Space                 []string
		Words                 int
		Strings               [][]json.RawMessage
		Floats, Ints          [][2]*string
	}
	readJSON(t, "text.json", &golden)

	if testing.Short() {
		t.Skip("every character there is, one goroutine")
	}
	check := func(what, s, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s of %q (%+q): %q, Python says %q", what, s, s, got, want)
		}
	}
	lower, upper, capital, words := 0, 0, 0, 0
	var spaces []string
	everyRune(func(r rune) {
		s := string(r)
		low, up, first := Lower(s), Upper(s), Capitalize(s)
		if low != s {
			lower++
		}
		if up != s {
			upper++
		}
		if first != up {
			capital++
			check("capitalize", s, first, golden.Capital[s])
		}
		if utf8.RuneCountInString(low) > 1 {
			check("lower", s, low, golden.Lower[s])
		}
		if utf8.RuneCountInString(up) > 1 {
			check("upper", s, up, golden.Upper[s])
		}
		if IsSpace(r) {
			spaces = append(spaces, s)
		}
		if IsWord(r) {
			words++
		}
	})
	if lower != golden.Count["lower"] || upper != golden.Count["upper"] || capital != len(golden.Capital) {
		t.Errorf("%d characters have a lower case, %d an upper, %d a title; Python: %v, %d", lower, upper, capital, golden.Count, len(golden.Capital))
	}
	if !slices.Equal(spaces, golden.Space) {
		t.Errorf("white space: %q, Python says %q", spaces, golden.Space)
	}
	// Go's tables are those of a later Unicode, which has more letters but no fewer.
	if words < golden.Words || words > golden.Words+15000 {
		t.Errorf("%d word characters, Python has %d", words, golden.Words)
	}

	for _, raw := range golden.Strings {
		var s, low, up, first, stripped string
		var pieces []string
		decode(t, raw, &s, &low, &up, &first, &stripped, &pieces)
		check("lower", s, Lower(s), low)
		check("upper", s, Upper(s), up)
		check("capitalize", s, Capitalize(s), first)
		check("strip", s, Strip(s), stripped)
		if got := Split(s); !slices.Equal(got, pieces) {
			t.Errorf("split of %q: %q, Python says %q", s, got, pieces)
		}
	}
	for _, c := range golden.Floats {
		switch got, err := Float(*c[0]); {
		case (err == nil) != (c[1] != nil):
			t.Errorf("float of %q: %v %v", *c[0], got, err)
		case err == nil:
			sameFloat(t, *c[0], got, *c[1])
		}
	}
	for _, c := range golden.Ints {
		switch got, err := Int(*c[0]); {
		case (err == nil) != (c[1] != nil):
			t.Errorf("int of %q: %v %v", *c[0], got, err)
		case err == nil && got.String() != *c[1]:
			t.Errorf("int of %q: %s, Python says %s", *c[0], got, *c[1])
		}
	}
}

func TestTextLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if got := LStrip(RStrip(s)); got != Strip(s) {
			t.Fatalf("%q stripped on one side, then the other: %q", s, got)
		}
		low := Lower(s)
		if again := Lower(low); again != low {
			t.Fatalf("%q lowered twice is %q", low, again)
		}
		for _, piece := range Split(s) {
			if piece == "" || Strip(piece) != piece {
				t.Fatalf("a piece of %q is %q", s, piece)
			}
		}
	})
}
