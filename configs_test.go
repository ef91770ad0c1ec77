package mergesearch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Every YAML and JSON file in configs is at least well formed; the command's own
// tests load the run files.
func TestConfigsParse(t *testing.T) {
	parsed := 0
	err := filepath.WalkDir("configs", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		var document any
		switch filepath.Ext(p) {
		case ".yaml":
			err = yaml.UnmarshalWithOptions(data, &document, yaml.Strict())
		case ".json":
			err = json.Unmarshal(data, &document)
		default:
			return nil
		}
		parsed++
		if err != nil {
			t.Errorf("%s: %v", p, err)
		} else if _, ok := document.(map[string]any); !ok {
			t.Errorf("%s: not a mapping", p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed < 20 {
		t.Errorf("parsed only %d files", parsed)
	}
}

type quickstartItem struct {
	ID      string   `json:"id"`
	Skill   string   `json:"skill"`
	Prompt  string   `json:"prompt"`
	Answer  string   `json:"answer"`
	Choices []string `json:"choices"`
	Label   int      `json:"label"`
}

// readItems reads a data file of the quickstart, refusing keys that it does not know.
func readItems(t *testing.T, skill, split string) []quickstartItem {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("configs", "quickstart", "data", skill+"."+split+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var items []quickstartItem
	for line := range bytes.Lines(data) {
		var item quickstartItem
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&item); err != nil {
			t.Fatalf("%s %s: %v: %s", skill, split, err, line)
		}
		items = append(items, item)
	}
	return items
}

// The splits share no question, within a skill or between skills; a sum asked the
// other way round is the same question. That training met none of them is checked
// by configs/quickstart/family/make_data.py --check, which replays the training.
func TestQuickstartSplitsShareNothing(t *testing.T) {
	sizes := map[string]int{"search": 120, "validation": 80, "held-out": 300}
	owner := map[string]string{}
	for _, skill := range []string{"arithmetic", "reverse", "atlas"} {
		for split, size := range sizes {
			items := readItems(t, skill, split)
			if len(items) != size {
				t.Errorf("%s %s: %d items, want %d", skill, split, len(items), size)
			}
			for i, item := range items {
				if want := fmt.Sprintf("%s-%s-%03d", skill, split, i+1); item.ID != want || item.Skill != skill {
					t.Errorf("%s %s, line %d: id %q, skill %q", skill, split, i+1, item.ID, item.Skill)
				}
				question := canonicalQuestion(item.Prompt)
				if other, taken := owner[question]; taken {
					t.Errorf("%s: asked by %s and by %s", question, other, item.ID)
				}
				owner[question] = item.ID
			}
		}
	}
	if len(owner) != 1500 {
		t.Errorf("%d different questions, want 1500", len(owner))
	}
}

func canonicalQuestion(prompt string) string {
	if a, b, ok := strings.Cut(strings.TrimSuffix(prompt, "="), "+"); ok {
		return min(a, b) + "+" + max(a, b) + "="
	}
	return prompt
}

// The answers are right, where that can be told without the invented atlas, and
// are among their choices once.
func TestQuickstartAnswers(t *testing.T) {
	for _, skill := range []string{"arithmetic", "reverse", "atlas"} {
		for _, split := range []string{"search", "validation", "held-out"} {
			for _, item := range readItems(t, skill, split) {
				checkAnswer(t, item)
			}
		}
	}
}

func checkAnswer(t *testing.T, item quickstartItem) {
	t.Helper()
	switch item.Skill {
	case "arithmetic":
		var a, b int
		if _, err := fmt.Sscanf(item.Prompt, "%d+%d=", &a, &b); err != nil || item.Answer != fmt.Sprint(a+b) {
			t.Errorf("%s: %s%s", item.ID, item.Prompt, item.Answer)
		}
	case "reverse":
		word := []byte(item.Answer)
		slices.Reverse(word)
		if item.Prompt != "reverse "+string(word)+"=" {
			t.Errorf("%s: %s%s", item.ID, item.Prompt, item.Answer)
		}
	}
	if item.Answer == "" || item.Label < 0 || item.Label >= len(item.Choices) || item.Choices[item.Label] != item.Answer {
		t.Errorf("%s: choice %d of %q is not %q", item.ID, item.Label, item.Choices, item.Answer)
	}
	want := 4
	if item.Skill == "atlas" {
		want = 6
	}
	distinct := slices.Clone(item.Choices)
	slices.Sort(distinct)
	if len(slices.Compact(distinct)) != want || len(item.Choices) != want {
		t.Errorf("%s: choices %q, want %d different ones", item.ID, item.Choices, want)
	}
}

// The models of the family are complete, share one tokenizer and stay small.
func TestQuickstartModels(t *testing.T) {
	models := filepath.Join("configs", "quickstart", "models")
	names := []string{"base", "expert-arithmetic", "expert-reverse", "expert-atlas"}
	files := []string{"config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"}
	shared := map[string][]byte{}
	total := 0
	for _, name := range names {
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(models, name, file))
			if err != nil {
				t.Fatal(err)
			}
			total += len(data)
			if file == "model.safetensors" {
				continue
			}
			if first, ok := shared[file]; !ok {
				shared[file] = data
			} else if !bytes.Equal(first, data) {
				t.Errorf("%s of %s differs from that of %s", file, name, names[0])
			}
		}
	}
	if total > 12<<20 {
		t.Errorf("the family weighs %d bytes, more than 12 MB", total)
	}
}
