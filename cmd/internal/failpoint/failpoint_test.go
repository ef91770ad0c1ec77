package failpoint

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlace(t *testing.T) {
	for name, want := range map[string]string{
		"build/before":                           "build/before",
		"commit/before/begin c0001":              "commit/before/begin",
		"commit/after/record answers of c0012":   "commit/after/answers",
		"commit/after/record event note":         "commit/after/event",
		"commit/after/record the result":         "commit/after/result",
		"commit/after/store responses":           "commit/after/responses",
		"commit/before/keep a recipe":            "commit/before/recipe",
		"commit/before/freeze the configuration": "commit/before/freeze",
	} {
		if got := Place(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestPlan(t *testing.T) {
	for text, want := range map[string]Plan{"": {}, "a/b#3": {Name: "a/b", Visit: 3}} {
		got, err := ParsePlan(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"a", "#1", "a#0", "a#b"} {
		if p, err := ParsePlan(text); err == nil {
			t.Errorf("%q: %v", text, p)
		}
	}
}

func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	if got, err := ReadJournal(path); got != nil || err != nil {
		t.Errorf("no journal: %v, %v", got, err)
	}
	var want []Entry
	for range 2 { // of two processes
		j, err := OpenJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		p := New(Plan{Name: "a", Visit: 3}, j)
		p.Hit("a")
		p.Hit("commit/before/begin c0001")
		e := Entry{Kept: &Kept{Recipe: "r", Values: map[string]float64{"i": 0.5}}}
		j.Write(e)
		want = append(want, Entry{At: "a"}, Entry{At: "commit/before/begin"}, e)
	}
	got, err := ReadJournal(path)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(d, err)
	}
}
