package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
)

func wantInput(t testing.TB, err error) *mergesearch.InputError {
	t.Helper()
	var in *mergesearch.InputError
	if !errors.As(err, &in) {
		t.Fatalf("%v is no InputError", err)
	}
	return in
}

// tree writes files below a new folder.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRefusedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		format, text string
		line         int
		field, says  string
	}{
		"broken JSON":       {"json", "{\"a\":1}\n{\"a\":}\n", 2, "", "not valid JSON"},
		"cut JSON":          {"json", "{\"a\":1", 1, "", "it ends too early"},
		"no object":         {"json", "\n3\n", 2, "", "want a JSON object"},
		"two on a line":     {"json", `{"a":1} {"a":2}`, 1, "", "something follows"},
		"large number":      {"json", "{\"a\":1}\n{\"b\":{\"c\":99999999999999999999}}", 2, "b", "does not fit 64 bits"},
		"huge number":       {"json", `{"a":1e999}`, 1, "a", "out of range"},
		"not UTF-8":         {"json", "{\"a\":\"\xff\"}", 1, "", "UTF-8"},
		"array cut":         {"json", "[{\"a\":1},\n{\"a\":2}", 2, "", "ends too early"},
		"after the array":   {"json", "[{\"a\":1}]\nx", 2, "", "not valid JSON"},
		"array of numbers":  {"json", "[\n{\"a\":1},\n2]", 3, "", "want a JSON object"},
		"one object":        {"json", "{\n\"data\": [{\"a\": 1}]\n}", 1, "", "over several lines"},
		"no documents":      {"json", "\n\n", 0, "", "no documents"},
		"deep":              {"json", `{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", 1, "a", "200 deep"},
		"too many cells":    {"csv", "a,b\n1,2\n3,4,5\n", 3, "", "3 cells"},
		"first has more":    {"csv", "a,b\n1,2,3\n", 2, "", "3 cells"},
		"open quote":        {"csv", "a\nx\n\"y\nz", 3, "", "no end"},
		"unsigned":          {"csv", "a,b\n1,18446744073709551615\n", 2, "b", "does not fit"},
		"csv UTF-8":         {"csv", "a\nx\n\xff\n", 3, "", "UTF-8"},
		"header only":       {"csv", "a,b\n", 0, "", "no documents"},
		"empty":             {"csv", "", 0, "", "no documents"},
		"zstd":              {"json", "\x28\xb5\x2f\xfdxxxx", 0, "", "zstd"},
		"damaged gzip":      {"json", "\x1f\x8bxxxx", 0, "", "packed file is damaged"},
		"no parquet":        {"parquet", "hello", 0, "", "not a parquet file"},
		"parquet of nought": {"parquet", "", 0, "", "not a parquet file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readString(t, c.format, c.text)
			in := wantInput(t, err)
			if in.Line != c.line || in.Field != c.field || !strings.Contains(in.Problem, c.says) || in.File == "" {
				t.Errorf("got %+v", in)
			}
		})
	}
}

func TestRefusedSources(t *testing.T) {
	root := tree(t, map[string]string{"a.jsonl": "{}", "sub/b.txt": "x", "card/README.md": "---\nconfigs: [\n---\n", "two/README.md": "---\nconfigs:\n- config_name: en\n- config_name: de\n---\n"})
	for name, c := range map[string]struct {
		source Source
		says   string
		hint   string
	}{
		"no path":         {Source{}, "missing", "json"},
		"no files":        {Source{Path: "json"}, "missing", "data_files"},
		"no such file":    {Source{Path: "json", DataFiles: map[string][]string{"test": {"none.jsonl"}}}, "no such file", "relative to the task file"},
		"a folder":        {Source{Path: "json", DataFiles: map[string][]string{"test": {"sub"}}}, "it is a folder", "data_dir"},
		"a device":        {Source{Path: "json", DataFiles: map[string][]string{"test": {os.DevNull}}}, "device", ""},
		"no file fits":    {Source{Path: "json", DataFiles: map[string][]string{"test": {"*.none"}}}, "no file fits", ""},
		"nothing there":   {Source{Path: "json", DataDir: "sub"}, "no data file", ""},
		"wrong split":     {Source{Path: "json", DataFiles: map[string][]string{"tset": {"a.jsonl"}}}, "unknown split", "tset"},
		"delimiter":       {Source{Path: "csv", Delimiter: "::"}, "one character", ""},
		"not here":        {Source{Path: "allenai/ai2_arc", Cache: root}, "datasets--allenai--ai2_arc", "hf download --repo-type dataset allenai/ai2_arc"},
		"no cache":        {Source{Path: "gsm8k"}, "no hub cache", "hf download --repo-type dataset gsm8k"},
		"no name":         {Source{Path: "../up/x/y"}, "cannot be the name", ""},
		"broken card":     {Source{Path: "card"}, "head of the card", ""},
		"which one":       {Source{Path: "two"}, "several configurations", "en, de"},
		"misspelt config": {Source{Path: "two", Name: "ed"}, "unknown configuration", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.source.Dir = root
			set, err := Open(c.source)
			if err == nil {
				_, err = set.Read("test")
			}
			in := wantInput(t, err)
			if !strings.Contains(in.Error(), c.says) || !strings.Contains(in.Hint, c.hint) {
				t.Errorf("got %s, hint %q", in, in.Hint)
			}
		})
	}
}

// open reads all splits of a source and returns the values of x, by split.
func open(t *testing.T, s Source) map[string][]any {
	t.Helper()
	set, err := Open(s)
	if err != nil {
		t.Fatalf("%v, hint %s", err, err.(*mergesearch.InputError).Hint)
	}
	out := map[string][]any{}
	for _, split := range set.Splits() {
		docs, err := set.Read(split)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			x, _ := d.Fields.Get("x")
			out[split] = append(out[split], x)
		}
	}
	return out
}

func one(x string) string { return `{"x":` + x + "}\n" }

func TestFindingFiles(t *testing.T) {
	card := "---\nlicense: mit\nconfigs:\n- config_name: main\n  default: true\n  data_files:\n  - split: train\n    path: main/train-*\n  - split: test\n    path: [\"main/test.jsonl\"]\n- config_name: socratic\n  data_files: socratic/**/*.jsonl\n- config_name: dir\n  data_dir: elsewhere\n---\n# Text\n"
	root := tree(t, map[string]string{
		"plain/a.jsonl": one("1") + one("2"), "plain/b.jsonl": one("3"), "plain/c.csv": "x\n4\n", "plain/d.json": `{"n":0,"data":[{"x":5},` + "\n" + `{"x":6}]}`, "plain/e.tsv": "x\ty\n7\t8\n", "plain/f.jsonl.gz": gzipped(t, one("9")),
		"shards/data/train-00001-of-00002.jsonl": one("2"), "shards/data/train-00000-of-00002.jsonl": one("1"), "shards/data/test-00000-of-00001.jsonl": one("3"), "shards/notes.jsonl": one("0"),
		"words/my_dev.jsonl": one("1"), "words/TRAIN.jsonl": one("2"), "words/other.jsonl": one("3"), "words/evaluation.csv": "x\n4\n",
		"folders/test/a.jsonl": one("1"), "folders/val/b.jsonl": one("2"),
		"configs/en/test.jsonl": one("1"), "configs/data/de/test.jsonl": one("2"),
		"card/README.md": card, "card/main/train-a.jsonl": one("1"), "card/main/test.jsonl": one("2"), "card/socratic/x/y.jsonl": one("3"), "card/elsewhere/test.jsonl": one("4"),
		"hub/datasets--org--name/refs/main": "abc", "hub/datasets--org--name/snapshots/abc/data/test-00000-of-00001.jsonl": one("1"), "hub/datasets--org--name/snapshots/old/test.jsonl": one("0"),
		"hub/datasets--gsm8k/snapshots/x/README.md": card, "hub/datasets--gsm8k/snapshots/x/main/train-a.jsonl": one("1"), "hub/datasets--gsm8k/snapshots/x/main/test.jsonl": one("2"),
	})
	for name, c := range map[string]struct {
		source Source
		want   string
	}{
		"files":            {Source{Path: "json", DataFiles: map[string][]string{"test": {"plain/a.jsonl"}, "dev": {"plain/b.jsonl"}}}, `{"dev":[3],"test":[1,2]}`},
		"absolute":         {Source{Path: "json", DataFiles: map[string][]string{"test": {filepath.Join(root, "plain/*.jsonl")}}}, `{"test":[1,2,3]}`},
		"wildcard":         {Source{Path: "json", DataFiles: map[string][]string{"test": {"plain/[ab].jsonl"}}}, `{"test":[1,2,3]}`},
		"several":          {Source{Path: "json", DataDir: "plain", DataFiles: map[string][]string{"test": {"b.jsonl", "a.jsonl"}}}, `{"test":[3,1,2]}`},
		"csv":              {Source{Path: "csv", DataFiles: map[string][]string{"test": {"plain/c.csv"}}}, `{"test":[4]}`},
		"tab":              {Source{Path: "csv", Delimiter: "\t", DataFiles: map[string][]string{"test": {"plain/e.tsv"}}}, `{"test":[7]}`},
		"field":            {Source{Path: "json", Field: "data", DataFiles: map[string][]string{"test": {"plain/d.json"}}}, `{"test":[5,6]}`},
		"gzip":             {Source{Path: "json", DataFiles: map[string][]string{"test": {"plain/f.jsonl.gz"}}}, `{"test":[9]}`},
		"shards":           {Source{Path: "shards"}, `{"test":[3],"train":[1,2]}`},
		"words":            {Source{Path: "words"}, `{"test":[4],"train":[2],"validation":[1]}`},
		"words of a type":  {Source{Path: "csv", DataDir: "words"}, `{"test":[4]}`},
		"folders":          {Source{Path: "folders"}, `{"test":[1],"validation":[2]}`},
		"no word":          {Source{Path: "json", DataDir: "card/socratic"}, `{"train":[3]}`},
		"folder of config": {Source{Path: "configs", Name: "en"}, `{"test":[1]}`},
		"below data":       {Source{Path: "configs", Name: "de"}, `{"test":[2]}`},
		"card":             {Source{Path: "card"}, `{"test":[2],"train":[1]}`},
		"card by name":     {Source{Path: "card", Name: "socratic"}, `{"train":[3]}`},
		"card with folder": {Source{Path: "card", Name: "dir"}, `{"test":[4]}`},
		"hub":              {Source{Path: "org/name", Cache: filepath.Join(root, "hub")}, `{"test":[1]}`},
		"hub with card":    {Source{Path: "gsm8k", Name: "main", Cache: filepath.Join(root, "hub")}, `{"test":[2],"train":[1]}`},
		"hub files":        {Source{Path: "gsm8k", DataFiles: map[string][]string{"dev": {"main/test.jsonl"}}, Cache: filepath.Join(root, "hub")}, `{"dev":[2]}`},
	} {
		t.Run(name, func(t *testing.T) {
			c.source.Dir = root
			got, err := json.Marshal(open(t, c.source))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s %v, want %s", got, err, c.want)
			}
		})
	}
}

// The hub cache holds links to blobs.
func TestLinkedFiles(t *testing.T) {
	root := tree(t, map[string]string{"datasets--o--n/blobs/abc": one("1"), "datasets--o--n/refs/main": "r\n", "datasets--o--n/snapshots/r/.gitattributes": "x"})
	repo := filepath.Join(root, "datasets--o--n")
	if err := os.Symlink(filepath.Join("..", "..", "blobs", "abc"), filepath.Join(repo, "snapshots", "r", "test.jsonl")); err != nil {
		t.Fatal(err)
	}
	got := open(t, Source{Path: "o/n", Cache: root})
	if len(got) != 1 || len(got["test"]) != 1 || got["test"][0] != int64(1) {
		t.Errorf("got %v", got)
	}
}

func TestPlaces(t *testing.T) {
	docs, err := readString(t, "json", "\n{\"b\":1,\"a\":2}\n\n{\"c\":3}\n")
	if err != nil {
		t.Fatal(err)
	}
	if docs[0].Line != 2 || docs[1].Line != 4 || docs[1].Place != 4 || !slices.Equal(docs[1].Fields.Keys(), []string{"b", "a", "c"}) {
		t.Errorf("got %+v and %+v", docs[0], docs[1])
	}
	if docs, err = readString(t, "json", "[\n {\"a\":1},\n\n {\"a\":2}\n]"); err != nil || docs[1].Line != 4 || docs[1].Place != 2 {
		t.Errorf("got %+v %v", docs, err)
	}
	if docs, err = readString(t, "csv", "a,b\n\"x\ny\",1\n\nz,2\n"); err != nil || docs[0].Line != 2 || docs[1].Line != 5 {
		t.Errorf("got %+v %v", docs, err)
	}
}

func TestHubCache(t *testing.T) {
	for want, env := range map[string]map[string]string{
		"/c":                        {"HF_HUB_CACHE": "/c", "HF_HOME": "/h"},
		"/h/hub":                    {"HF_HOME": "/h", "HOME": "/u"},
		"/x/huggingface/hub":        {"XDG_CACHE_HOME": "/x", "HOME": "/u"},
		"/u/.cache/huggingface/hub": {"HOME": "/u"},
		"":                          {},
	} {
		if got := HubCache(func(k string) string { return env[k] }); got != want {
			t.Errorf("%v: %q, want %q", env, got, want)
		}
	}
}

// Cells that are quoted where needed come back as they were.
func TestCSVLaw(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cell := rapid.StringMatching(`[a-z,"\n ;é]{0,5}`)
		width := rapid.IntRange(2, 4).Draw(rt, "width")
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, width, width), 1, 6).Draw(rt, "rows")
		var b strings.Builder
		for _, r := range rows {
			for i, c := range r {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`"` + strings.ReplaceAll(c, `"`, `""`) + `"`)
			}
			b.WriteByte('\n')
		}
		got, err := scanCSV([]byte(b.String()), ',')
		if err != nil || len(got) != len(rows) {
			rt.Fatalf("%q: %v %v", b.String(), got, err)
		}
		for i, r := range rows {
			if !slices.Equal(got[i].cells, r) {
				rt.Fatalf("%q became %q", r, got[i].cells)
			}
		}
	})
}

// A document written as JSON comes back as it was, key order included.
func TestJSONLaw(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,3}`), 1, 5, func(s string) string { return s }).Draw(rt, "names")
		values := rapid.OneOf(rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny())
		in := new(Object)
		var b strings.Builder
		b.WriteByte('{')
		for i, n := range names {
			v := values.Draw(rt, n)
			text, err := json.Marshal(v)
			if err != nil {
				rt.Fatal(err)
			}
			if _, float := v.(float64); float && !bytes.ContainsAny(text, ".e") {
				text = append(text, ".0"...)
			}
			if s, ok := v.(string); ok {
				v = strings.ToValidUTF8(s, "\ufffd")
			}
			in.Set(n, v)
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + n + `":` + string(text))
		}
		b.WriteByte('}')
		docs, err := readJSON([]byte(b.String()), "")
		if err != nil || len(docs) != 1 {
			rt.Fatal(b.String(), err)
		}
		merge(docs)
		if got, want := tagged(docs[0].Fields), tagged(in); got != want {
			rt.Fatalf("%s became %s", want, got)
		}
		if m := docs[0].Fields.Map(); !slices.Equal(slices.Sorted(maps.Keys(m)), slices.Sorted(slices.Values(names))) {
			rt.Fatalf("the plain map has %v", m)
		}
	})
}

func checkDocuments(t *testing.T, docs []Document, err error) {
	t.Helper()
	if err != nil {
		wantInput(t, err)
		return
	}
	last := 0
	for _, d := range docs {
		if d.Place <= last || d.Fields == nil {
			t.Fatalf("document %+v after place %d", d, last)
		}
		last = d.Place
	}
	merge(docs)
	for _, d := range docs {
		if !slices.Equal(d.Fields.Keys(), docs[0].Fields.Keys()) {
			t.Fatalf("columns differ: %q and %q", d.Fields.Keys(), docs[0].Fields.Keys())
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, c := range readGolden(f).JSON {
		f.Add([]byte(c.Text), "")
	}
	f.Add([]byte(`{"x":1,"data":[{"a":1}]}`), "data")
	f.Fuzz(func(t *testing.T, text []byte, field string) {
		docs, err := readJSON(text, field)
		checkDocuments(t, docs, err)
	})
}

func FuzzCSV(f *testing.F) {
	for _, c := range readGolden(f).CSV {
		f.Add([]byte(c.Text), byte(','))
	}
	f.Fuzz(func(t *testing.T, text []byte, delimiter byte) {
		if delimiter == '"' || delimiter == '\n' || delimiter == '\r' || delimiter >= 128 {
			return
		}
		docs, err := readCSV(text, delimiter)
		checkDocuments(t, docs, err)
	})
}

func FuzzParquet(f *testing.F) {
	for _, name := range []string{"gzip", "required", "zstd"} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".parquet"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 20000 {
			return
		}
		docs, err := readParquet(bytes.NewReader(data), int64(len(data)))
		checkDocuments(t, docs, err)
	})
}

func FuzzCard(f *testing.F) {
	f.Add("configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: x*\n", "a")
	f.Fuzz(func(t *testing.T, head, name string) {
		root := tree(t, map[string]string{"README.md": "---\n" + head + "\n---\n", "xtrain.jsonl": one("1")})
		if set, err := Open(Source{Path: root, Name: name}); err != nil {
			wantInput(t, err)
		} else if len(set.Splits()) == 0 {
			t.Fatal("a set without splits")
		}
	})
}
