package attacktest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	program = flag.String("program", "", "path of mergesearch: run it on every attack")
	times   = flag.String("times", "", "file that times of refusals are appended to")
)

// runs is how often an attack is shown; the median counts.
const runs = 5

const config = `{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 2, "num_hidden_layers": 1}`

// On reports whether the program is run.
func On() bool { return *program != "" }

// Directory shows a model directory.
func Directory(t testing.TB, name, dir string) {
	t.Helper()
	if On() {
		show(t, name, "merge_method: passthrough\nmodels: [{model: "+yaml(dir)+"}]\n")
	}
}

// Weights shows a model whose file of weights is this.
func Weights(t testing.TB, name string, file []byte) {
	t.Helper()
	model(t, name, "", map[string][]byte{"model.safetensors": file})
}

// Index shows a sharded model whose index is this.
func Index(t testing.TB, name string, file []byte) {
	t.Helper()
	model(t, name, "", map[string][]byte{"model.safetensors.index.json": file, "x.safetensors": weights()})
}

// Config shows a sound model with this config.json.
func Config(t testing.TB, name string, file []byte) {
	t.Helper()
	model(t, name, "", map[string][]byte{"model.safetensors": weights(), "config.json": file})
}

// Tokenizer shows a sound model with this tokenizer.json, in a recipe that aligns
// vocabularies.
func Tokenizer(t testing.TB, name string, file []byte) {
	t.Helper()
	model(t, name, "tokenizer_source: union\n", map[string][]byte{"model.safetensors": weights(), "config.json": []byte(config), "tokenizer.json": file})
}

// Adapter shows the directory of an adapter on a sound model.
func Adapter(t testing.TB, name, dir string) {
	t.Helper()
	if !On() {
		return
	}
	base := filepath.Join(t.TempDir(), "m")
	write(t, base, map[string][]byte{"model.safetensors": weights(), "config.json": []byte(config)})
	show(t, name, "merge_method: passthrough\nmodels: [{model: "+yaml(base+"+"+dir)+"}]\n")
}

// Recipe shows a recipe.
func Recipe(t testing.TB, name, text string) {
	t.Helper()
	if On() {
		show(t, name, text)
	}
}

func model(t testing.TB, name, more string, files map[string][]byte) {
	t.Helper()
	if !On() {
		return
	}
	dir := filepath.Join(t.TempDir(), "m")
	write(t, dir, files)
	show(t, name, "merge_method: passthrough\nmodels: [{model: "+yaml(dir)+"}]\n"+more)
}

func yaml(s string) string { return `"` + s + `"` }

func write(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// weights is the file of a model of one matrix.
func weights() []byte {
	header := `{"model.embed_tokens.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}`
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, 8)...)
}

// show runs the program on a recipe.
func show(t testing.TB, name, recipe string) {
	t.Helper()
	dir := t.TempDir()
	file, out := filepath.Join(dir, "recipe.yaml"), filepath.Join(dir, "out")
	if err := os.WriteFile(file, []byte(recipe), 0o666); err != nil {
		t.Fatal(err)
	}
	var taken []time.Duration
	var said []byte
	for range runs {
		var stderr bytes.Buffer
		c := exec.Command(*program, "merge", file, out)
		c.Stderr = &stderr
		began := time.Now()
		err := c.Run()
		taken = append(taken, time.Since(began))
		said = stderr.Bytes()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%s: %v, want exit code 2: %s", name, err, said)
			return
		}
	}
	lines := strings.Split(strings.TrimSuffix(string(said), "\n"), "\n")
	if !strings.HasPrefix(lines[0], "error: ") || len(lines) > 2 || len(lines) == 2 && !strings.HasPrefix(lines[1], "hint: ") {
		t.Errorf("%s: %d lines: %s", name, len(lines), said)
	}
	if _, err := os.Stat(out); err == nil {
		t.Errorf("%s: the merge is written", name)
	}
	note(t, name, taken, lines[0])
}

// note appends what was measured: package and attack, median and most in
// milliseconds, the line.
func note(t testing.TB, name string, taken []time.Duration, line string) {
	t.Helper()
	if *times == "" {
		return
	}
	f, err := os.OpenFile(*times, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(taken)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	test, _, _ := strings.Cut(t.Name(), "/")
	_, err = fmt.Fprintf(f, "%s\t%s\t%.1f\t%.1f\t%.200s\n", test, strings.ReplaceAll(name, "\t", " "), ms(taken[runs/2]), ms(taken[runs-1]), line)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
