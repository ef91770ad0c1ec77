package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mergesearch/eval/lm"
)

// canary is a key that must be seen by nobody but the server that it is for.
const canary = "sk-canary-8Jd2vQ0xN5tL7wZ3"

// guarded is a server that wants the key, loads the directory that a request names as
// its model, and repeats a wrong key in its refusal, as some do.
type guarded struct {
	mu     sync.Mutex
	server *lm.Server
	loaded map[string]bool
	asked  int
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if got := r.Header.Get("Authorization"); got != "Bearer "+canary {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error": {"message": "incorrect API key: %s"}}`, strings.TrimPrefix(got, "Bearer "))
		return
	}
	body, err := io.ReadAll(r.Body)
	var named struct{ Model string }
	if err == nil && json.Unmarshal(body, &named) == nil && named.Model != "" {
		err = g.load(named.Model)
	}
	if err != nil {
		http.Error(w, `{"error": {"message": "`+err.Error()+`"}}`, http.StatusNotFound)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	g.server.ServeHTTP(w, r)
}

func (g *guarded) load(dir string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	if g.loaded[dir] {
		return nil
	}
	files, tensors, err := openModel(dir)
	if err != nil {
		return err
	}
	model, err := lm.Load(files, tensors)
	if err != nil {
		return err
	}
	g.loaded[dir] = true
	return g.server.Add(dir, model)
}

// TestCanary searches against a server that wants a key, looks at the run in every way
// there is, and then for the key: in every file, in what was printed, and in the command
// lines of all processes, which the load command writes down.
func TestCanary(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole search")
	}
	g := &guarded{server: lm.NewServer(lm.ServerOptions{}), loaded: map[string]bool{}}
	t.Cleanup(func() { g.server.Close() })
	front := httptest.NewServer(g)
	t.Cleanup(front.Close)
	dir := t.TempDir()
	quickstart, err := filepath.Abs(filepath.Join("..", "..", "configs", "quickstart"))
	if err != nil {
		t.Fatal(err)
	}
	run := fmt.Sprintf(`name: canary
base: %[1]s/models/base
experts: [%[1]s/models/expert-atlas, %[1]s/models/expert-reverse]
methods: [linear]
genes:
  weight: {min: 0, max: 1.5, per: [expert]}
tasks:
  - {file: %[1]s/tasks/reverse.yaml}
budget: {candidates: 1}
shortlist: 1
endpoint:
  kind: openai
  url: %[2]s/v1
  model: "{dir}"
  load_command: [sh, -c, "cat /proc/[0-9]*/cmdline > %[3]s/command-lines 2>/dev/null; true", load, "{dir}"]
  api_key_env: CANARY_KEY
`, quickstart, front.URL, dir)
	if err := os.WriteFile(filepath.Join(dir, "run.yaml"), []byte(run), 0o666); err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("mergesearch")
	if err != nil {
		t.Fatal(err)
	}
	call := func(key string, args ...string) (said []byte, ok bool) {
		c := exec.Command(program, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "CANARY_KEY="+key, "OPENAI_API_KEY="+canary, "HF_TOKEN="+canary, "TMPDIR="+dir)
		said, err := c.CombinedOutput()
		return said, err == nil
	}
	var printed []byte
	for _, args := range [][]string{
		{"run", "run.yaml", "--dir", "run"},
		{"show", "run"},
		{"show", "run", "--json"},
		{"candidates", "run", "--json"},
		{"lineage", "run", "--json"},
		{"check", "run"},
		{"export", "run", "best", "exported"},
	} {
		said, ok := call(canary, args...)
		if printed = append(printed, said...); !ok {
			t.Fatalf("%v: %s", args, said)
		}
	}
	if g.asked == 0 {
		t.Fatal("the server was not asked")
	}
	// A wrong key, which the server repeats.
	const wrong = "wrong-" + canary
	said, ok := call(wrong, "run", "run.yaml", "--dir", "refused")
	if printed = append(printed, said...); ok {
		t.Errorf("a wrong key is taken: %s", said)
	}
	noCanary(t, "what was printed", printed)
	seen := 0
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		noCanary(t, path, text)
		seen++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(filepath.Join(dir, "command-lines"))
	if err != nil || !bytes.Contains(lines, []byte("run.yaml")) {
		t.Errorf("the command lines do not show the program: %v", err)
	}
	if seen < 10 {
		t.Errorf("only %d files", seen)
	}
}

func noCanary(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, form := range []string{canary, canary[3:], base64.StdEncoding.EncodeToString([]byte(canary))} {
		if at := bytes.Index(text, []byte(form)); at >= 0 {
			t.Errorf("%s holds the key: %.200q", where, text[max(0, at-80):])
		}
	}
}
