package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// table is what the datasets library makes of a file.
type table struct {
	Text    string
	Columns []string
	Rows    []json.RawMessage
}

type goldenFile struct{ CSV, JSON, Parquet map[string]table }

func readGolden(t testing.TB) goldenFile {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "golden.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var g goldenFile
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// tagged writes a value as the script does: JSON in which 1.0 is not 1.
func tagged(v any) string {
	var b strings.Builder
	var write func(v any)
	text := func(s string) {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		_ = e.Encode(s)
	}
	write = func(v any) {
		switch v := v.(type) {
		case int64:
			fmt.Fprintf(&b, `{"int":"%d"}`, v)
		case float64:
			fmt.Fprintf(&b, `{"float":%q}`, strconv.FormatFloat(v, 'x', -1, 64))
		case []any:
			b.WriteByte('[')
			for _, x := range v {
				write(x)
				b.WriteByte(',')
			}
			b.WriteByte(']')
		case *Object:
			b.WriteByte('{')
			for k, x := range v.All() {
				text(k)
				b.WriteByte(':')
				write(x)
				b.WriteByte(',')
			}
			b.WriteByte('}')
		case string:
			text(v)
		default:
			fmt.Fprint(&b, v)
		}
	}
	write(v)
	return b.String()
}

// untagged reads what the script wrote.
func untagged(t testing.TB, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	var read func(v any) any
	read = func(v any) any {
		switch v := v.(type) {
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				out[i] = read(x)
			}
			return out
		case map[string]any:
			if s, ok := v["int"].(string); ok {
				n, err := strconv.ParseInt(s, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			if s, ok := v["float"].(string); ok {
				x, err := strconv.ParseFloat(s, 64)
				if err != nil {
					t.Fatal(err)
				}
				return x
			}
			out := new(Object)
			for i, k := range v["keys"].([]any) {
				out.Set(k.(string), read(v["values"].([]any)[i]))
			}
			return out
		}
		return v
	}
	return read(v)
}

// compareTable returns a message for every record that is not the library's.
func compareTable(t testing.TB, docs []Document, want table) []string {
	t.Helper()
	var problems []string
	if len(docs) != len(want.Rows) {
		return []string{fmt.Sprintf("%d documents, the library has %d", len(docs), len(want.Rows))}
	}
	for i, d := range docs {
		if !slices.Equal(d.Fields.Keys(), want.Columns) {
			problems = append(problems, fmt.Sprintf("record %d: columns %q, the library has %q", i+1, d.Fields.Keys(), want.Columns))
		}
		if got, w := tagged(d.Fields), tagged(untagged(t, want.Rows[i])); got != w {
			problems = append(problems, fmt.Sprintf("record %d: %s, the library has %s", i+1, got, w))
		}
	}
	return problems
}

// readText writes a file and reads it as a data set.
func readString(t testing.TB, format, text string) ([]Document, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data."+format)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := Open(Source{Path: format, DataFiles: map[string][]string{"test": {file}}})
	if err != nil {
		t.Fatal(err)
	}
	return set.Read("test")
}

func TestTextAsTheLibrary(t *testing.T) {
	g := readGolden(t)
	if len(g.CSV) < 15 || len(g.JSON) < 8 {
		t.Fatal("the golden file is not whole")
	}
	for format, tables := range map[string]map[string]table{"csv": g.CSV, "json": g.JSON} {
		for name, want := range tables {
			t.Run(format+"/"+name, func(t *testing.T) {
				docs, err := readString(t, format, want.Text)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range compareTable(t, docs, want) {
					t.Error(p)
				}
			})
		}
	}
}

func TestParquetAsTheLibrary(t *testing.T) {
	for name, want := range readGolden(t).Parquet {
		t.Run(name, func(t *testing.T) {
			set, err := Open(Source{Path: "parquet", DataFiles: map[string][]string{"train": {name + ".parquet"}}, Dir: "testdata"})
			if err != nil {
				t.Fatal(err)
			}
			docs, err := set.Read("train")
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range compareTable(t, docs, want) {
				if i < 3 {
					t.Error(p)
				}
			}
			for i, d := range docs {
				if d.Place != i+1 || d.Line != 0 || d.File != filepath.Join("testdata", name+".parquet") {
					t.Fatalf("document %d stands at %s:%d, place %d", i, d.File, d.Line, d.Place)
				}
			}
		})
	}
}

// A changed byte in the text of a file must not pass.
func TestGoldenComparisonBites(t *testing.T) {
	g := readGolden(t)
	for format, tables := range map[string]map[string]table{"csv": g.CSV, "json": g.JSON} {
		noticed := 0
		for _, want := range tables {
			if testing.Short() {
				break
			}
			for at := range want.Text {
				if strings.IndexByte("123xytrue", want.Text[at]) < 0 {
					continue
				}
				mutant := []byte(want.Text)
				mutant[at] ^= 1
				docs, err := readString(t, format, string(mutant))
				if err != nil || len(compareTable(t, docs, want)) > 0 {
					noticed++
					continue
				}
				t.Errorf("%s %q: byte %d changed unnoticed", format, want.Text, at)
			}
		}
		if noticed < 40 && !testing.Short() {
			t.Errorf("%s: only %d changes", format, noticed)
		}
	}
}

// Damaged parquet files are refused, or read; nothing panics.
func TestDamagedParquet(t *testing.T) {
	step := 7
	if testing.Short() {
		step = 101
	}
	data, err := os.ReadFile(filepath.Join("testdata", "gzip.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for at := 0; at < len(data); at += step {
		for _, bad := range [][]byte{data[:at], append(slices.Clone(data[:at]), data[min(at+1, len(data)):]...), flipped(data, at)} {
			if _, err := readParquet(bytes.NewReader(bad), int64(len(bad))); err != nil {
				refused++
				wantInput(t, err)
			}
		}
	}
	if refused < len(data)/step {
		t.Errorf("only %d damaged files were refused", refused)
	}
}

func flipped(data []byte, at int) []byte {
	out := slices.Clone(data)
	out[at] ^= 0x55
	return out
}
