package merge

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
)

func TestParseModelRef(t *testing.T) {
	for text, want := range map[string]ModelRef{
		"model":                 {Path: "model"},
		"user/model@v0.1":       {Path: "user/model", Revision: "v0.1"},
		"./a b+/adapters/c":     {Path: "./a b", Adapter: "/adapters/c"},
		"m@main+adapter@b2f2c0": {Path: "m", Revision: "main", Adapter: "adapter", AdapterRevision: "b2f2c0"},
		"m+a@refs/pr/1":         {Path: "m", Adapter: "a", AdapterRevision: "refs/pr/1"},
	} {
		if got, err := ParseModelRef(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "@", "@@@", "+", "a+b+c", "a+b+c@d+e@f@g", "a@b@c", "a+b@c@d", "@b", "a@", "a+", "+a", "a+@b", "a+b@"} {
		_, err := ParseModelRef(bad)
		var in *mergesearch.InputError
		if !errors.As(err, &in) || in.Hint == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Whatever is read is written as it was, and whatever is written is read as it was.
func TestModelRefRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("a/ @+é"))).Draw(t, "text")
		if r, err := ParseModelRef(text); err == nil && r.String() != text {
			t.Fatalf("%q is written as %q", text, r)
		}
		part := func(least int) string {
			return rapid.StringOfN(rapid.RuneFrom([]rune("a/ .é")), least, 5, -1).Draw(t, "part")
		}
		r := ModelRef{Path: part(1), Revision: part(0), Adapter: part(0)}
		if r.Adapter != "" {
			r.AdapterRevision = part(0)
		}
		if got, err := ParseModelRef(r.String()); err != nil || got != r || strings.Count(r.String(), "+") > 1 {
			t.Fatalf("%+v is read as %+v, %v", r, got, err)
		}
	})
}
