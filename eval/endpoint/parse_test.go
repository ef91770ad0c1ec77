package endpoint

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval/evaltest"
)

func TestRingKeepsTheEnd(t *testing.T) {
	r := &ring{size: 100}
	for range 1000 {
		r.Write([]byte("noise that nobody wants\n"))
	}
	r.Write([]byte("\n  the   cause \n\n"))
	if got := r.tail(40); !strings.HasSuffix(got, "| the cause") || len(got) > 40 || len(r.text) > 200 {
		t.Errorf("%q, %d bytes kept", got, len(r.text))
	}
}

// files of a server's input, whole and cut at every byte.
func TestWholeFiles(t *testing.T) {
	dir := t.TempDir()
	m := evaltest.Model{Seed: 4}
	if err := evaltest.WriteWeights(dir, m); err != nil {
		t.Fatal(err)
	}
	if err := evaltest.WriteGGUF(filepath.Join(dir, "model.gguf"), m); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func(string) error{
		evaltest.WeightsFile: func(p string) error { return wholeCheckpoint(filepath.Dir(p)) },
		"model.gguf":         wholeGGUF,
	} {
		path := filepath.Join(dir, name)
		if err := check(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(whole); n += 1 + n/100 {
			if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			var in *mergesearch.InputError
			if err := check(path); !errors.As(err, &in) {
				t.Fatalf("%s cut to %d bytes: %v, want an InputError", name, n, err)
			}
		}
	}
}

func TestOverwrite(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for path, seed := range map[string]uint64{a: 1, b: 2} {
		if err := evaltest.WriteGGUF(path, evaltest.Model{Seed: seed}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := overwrite(a, b); err != nil {
		t.Fatal(err)
	}
	first, _ := os.ReadFile(a)
	second, _ := os.ReadFile(b)
	if !bytes.Equal(first, second) {
		t.Error("the files differ")
	}
	other := bytes.Replace(second, []byte("llama"), []byte("qwen2"), 1)
	if err := os.WriteFile(b, other, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := overwrite(a, b); !errors.Is(err, errLayout) {
		t.Errorf("%v, want another header refused", err)
	}
	if now, _ := os.ReadFile(a); !bytes.Equal(first, now) {
		t.Error("a refused file was written all the same")
	}
}

// A candidate for which there is no room is refused before it is written.
func TestNoRoom(t *testing.T) {
	s, err := newShelf(t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.file = "model.gguf"
	s.write = func(context.Context, mergesearch.Candidate, string) error { panic("it was written") }
	c := mergesearch.Candidate{ID: "c1", Dir: t.TempDir()}
	f, err := os.Create(filepath.Join(c.Dir, evaltest.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 43); err != nil { // holes take no room
		t.Skip(err)
	}
	f.Close()
	var full *fullError
	if _, err := s.put(context.Background(), c); !errors.As(err, &full) {
		t.Errorf("%v", err)
	}
}

// The program of a load command gets the directory as it is, without a shell, and
// ends with its deadline.
func TestLoadCommand(t *testing.T) {
	c := &commanded{options: OpenAIOptions{LoadCommand: []string{"test", "{dir}", "=", "/a b;c"}}}
	if err := c.swap(context.Background(), target{}, "/a b;c", ""); err != nil {
		t.Error(err)
	}
	if err := c.swap(context.Background(), target{}, "/other", ""); err == nil {
		t.Error("a command that failed was believed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	c.options.LoadCommand = []string{"sleep", "600"}
	if err := c.swap(ctx, target{}, "/a", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestDistance(t *testing.T) {
	r := reply{prompt: []float64{-1, -2}, values: []float64{-1, -3}, tokens: []string{"a", "b"}, tops: []likely{{"a": -1, "c": -1.5}, {"b": -3, "d": -4}}}
	tie := reply{prompt: r.prompt, values: []float64{-1.001, -9}, tokens: []string{"c", "z"}, tops: []likely{{"c": -1.001, "a": -1.002}, {"z": -9}}}
	for name, c := range map[string]struct {
		o        reply
		from, to float64
	}{
		"itself":           {r, 0, 0},
		"noise":            {reply{prompt: []float64{-1, -2.01}, values: r.values, tokens: r.tokens, tops: r.tops}, 0.009, 0.011},
		"another length":   {reply{prompt: []float64{-1}, values: r.values}, 1e300, math.Inf(1)},
		"no numbers":       {reply{prompt: r.prompt}, 0, 0},
		"no tie after all": {tie, 0.4, 0.6},
	} {
		if d := r.distance(c.o); d < c.from || d > c.to {
			t.Errorf("%s: %v", name, d)
		}
		if d := r.distance(c.o); d != c.o.distance(r) {
			t.Errorf("%s: the distance depends on the order", name)
		}
	}
	tie.tops[0] = likely{"c": -1.001, "a": -1}
	r.tops[0] = likely{"a": -1, "c": -1.001}
	if d := r.distance(tie); d > 0.01 {
		t.Errorf("a tie counts as %v", d)
	}
}

func FuzzGGUFHeader(f *testing.F) {
	path := filepath.Join(f.TempDir(), "model.gguf")
	if err := evaltest.WriteGGUF(path, evaltest.Model{Seed: 4}); err != nil {
		f.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	f.Add(good)
	f.Add([]byte("GGUF\x03\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if start, size, err := ggufStart(file); err == nil && (start <= 0 || start > size) {
			t.Errorf("data begins at %d of %d", start, size)
		}
	})
}

func FuzzSafetensorsSize(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte("\x40\x00\x00\x00\x00\x00\x00\x00{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,9223372036854775807]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := safetensorsSize(bytes.NewReader(data)); err == nil && n < 8 {
			t.Errorf("size %d", n)
		}
	})
}
