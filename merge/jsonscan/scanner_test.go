package jsonscan

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	for text, want := range map[string]string{
		``:                      "at byte 0: want '{', have the end",
		`{"a": 1} x`:            "at byte 9: text after the end of the document",
		`{"a": 1, "a": 2}`:      `at byte 13: key "a" comes twice`,
		`{"a": 01}`:             `at byte 6: want a value, have "01"`,
		`{"a": .5}`:             `at byte 6: want a value, have ".5"`,
		`{"a": nul}`:            `at byte 6: want a value, have "nul"`,
		`{"a" 1}`:               "at byte 5: want ':', have '1'",
		`{"a": "\x"}`:           "at byte 7: unknown escape",
		`{"a": "\ud800"}`:       "at byte 13: half of a surrogate pair",
		`{"a": "\ud800\u0041"}`: "at byte 19: half of a surrogate pair",
		"{\"a\": \"\x01\"}":     "at byte 7: control character in a string",
		"{\"a\": \"\xff\"}":     "at byte 9: string is not valid UTF-8",
		`{"a": "b`:              "at byte 8: string without end",
		`{"a": ` + strings.Repeat("[", MaxDepth) + `}`: "at byte 70: nested deeper than 64",
	} {
		if _, err := Document(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	for text, ok := range map[string]bool{
		"0": true, "9999999999999999999": true, "10000000000000000000": true, "99999999999999999999": false, "18446744073709551615": true, "18446744073709551616": false, "-1": false, "01": false, "1.0": false, "1e3": false, "": false,
	} {
		if n, err := (&Scanner{Source: text}).Uint(); ok != (err == nil) {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
}

// A string's faults are found wherever they stand in a word of eight bytes.
func TestPlainTexts(t *testing.T) {
	for n := range 20 {
		for _, c := range []byte{' ', '~', 0x7f, '!', '[', ']', 0x1f, 0, '\n', '\\', 0x80, 0xff} {
			for at := range n {
				b := bytes.Repeat([]byte("a"), n)
				b[at] = c
				want := c >= ' ' && c < 0x80 && c != '\\'
				if got := isPlain(string(b)); got != want {
					t.Errorf("%q: %v", b, got)
				}
			}
		}
	}
}

// Strings without escapes are parts of the text.
func TestTextsAreNotCopied(t *testing.T) {
	source := `{"` + strings.Repeat("k", 1<<16) + `": "` + strings.Repeat("v", 1<<16) + `"}`
	n := testing.AllocsPerRun(10, func() {
		s := &Scanner{Source: source}
		err := s.Object(func(string) error { _, err := s.Text(); return err })
		if err != nil {
			t.Fatal(err)
		}
	})
	if n > 4 {
		t.Errorf("%v allocations", n)
	}
}

// What is accepted, the standard decoder accepts with the same keys, strings and
// values, in any nesting.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a": {"b": [1, -2.5e3, true, null, "\u00e9\ud83d\ude00\n"]}, "c": "d"}`, ` { "a" : [ ] } `, `{"a": 1, "a": 2}`,
		`{"weight_map": {"w": "model.safetensors"}}`, `{"a": "\"}`, `[1]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		members, err := Document(text)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q is accepted, the standard decoder says %v", text, err)
		}
		if len(members) != len(want) {
			t.Fatalf("%q: %d keys, want %d", text, len(members), len(want))
		}
		for _, m := range members {
			value := m.Of(text)
			if value != string(want[m.Key]) {
				t.Fatalf("%q: %q is %q, want %q", text, m.Key, value, want[m.Key])
			}
			var s string
			if value[0] == '"' && json.Unmarshal([]byte(value), &s) == nil {
				if got, err := (&Scanner{Source: value}).Text(); err != nil || got != s {
					t.Fatalf("%q: %q, %v, want %q", value, got, err, s)
				}
			}
		}
	})
}
