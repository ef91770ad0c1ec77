package port

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const taskFiles = "../../configs/tasks"

// configs reads every task file of the repository by its path below configs/tasks.
func configs(t *testing.T) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	err := filepath.WalkDir(taskFiles, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(p) == ".md" {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		var c map[string]any
		if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		rel, err := filepath.Rel(taskFiles, p)
		out[filepath.ToSlash(rel)] = c
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var function = regexp.MustCompile(`!function (\S+)`)

// Every function that a task file of this repository names is ported, and every port's
// family is the one of its directory.
func TestTaskFilesNamePorts(t *testing.T) {
	found := 0
	for file, c := range configs(t) {
		text, err := os.ReadFile(filepath.Join(taskFiles, file))
		if err != nil {
			t.Fatal(err)
		}
		task, _ := c["task"].(string)
		dir, _, _ := strings.Cut(file, "/")
		for _, m := range function.FindAllStringSubmatch(string(text), -1) {
			found++
			for _, name := range []string{task, "renamed"} {
				if f, ok := Lookup(name, filepath.Join(taskFiles, dir), m[1]); !ok || f.Name != dir+"/"+m[1] {
					t.Errorf("%s as task %s: !function %s is %q", file, name, m[1], f.Name)
				}
			}
		}
	}
	if found != 5 {
		t.Errorf("found %d functions, want 5", found)
	}
}

// Files that are included are there, the parts of groups are tasks, groups or tags, and
// MMLU has its 57 subjects in four areas.
func TestTaskFilesFindEachOther(t *testing.T) {
	all := configs(t)
	known, tagged := map[string]bool{}, map[string]int{}
	for file, c := range all {
		for _, key := range []string{"task", "group"} {
			if name, ok := c[key].(string); ok {
				if known[name] {
					t.Errorf("%s: %s is there twice", file, name)
				}
				known[name] = true
			}
		}
		if include, ok := c["include"].(string); ok {
			base := filepath.ToSlash(filepath.Join(filepath.Dir(file), include))
			if all[base] == nil {
				t.Errorf("%s includes %s, which is not there", file, base)
			}
		}
		switch tag := c["tag"].(type) {
		case string:
			tagged[tag]++
		case []any:
			for _, name := range tag {
				tagged[name.(string)]++
			}
		}
	}
	for file, c := range all {
		parts, _ := c["task"].([]any)
		for _, part := range parts {
			if name := part.(string); !known[name] && tagged[name] == 0 {
				t.Errorf("%s: %s is no task, group or tag", file, name)
			}
		}
	}
	for tag, want := range map[string]int{"mmlu_stem_tasks": 19, "mmlu_other_tasks": 13, "mmlu_social_sciences_tasks": 12, "mmlu_humanities_tasks": 13} {
		if tagged[tag] != want {
			t.Errorf("%s: %d subjects, want %d", tag, tagged[tag], want)
		}
	}
	for file, c := range all {
		subject, ok := strings.CutPrefix(strings.TrimSuffix(file, ".yaml"), "mmlu/mmlu_")
		if !ok {
			continue
		}
		about := "The following are multiple choice questions (with answers) about " + strings.ReplaceAll(subject, "_", " ") + ".\n\n"
		if c["task"] != "mmlu_"+subject || c["dataset_name"] != subject || c["description"] != about {
			t.Errorf("%s: %v", file, c)
		}
	}
}

// The README of the task files names each data set, and nothing else as one.
func TestReadmeNamesDataSets(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(taskFiles, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var used, named []string
	for _, c := range configs(t) {
		if path, ok := c["dataset_path"].(string); ok {
			used = append(used, path)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\|.*\\| `([a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		named = append(named, m[1])
	}
	slices.Sort(used)
	slices.Sort(named)
	if used, named = slices.Compact(used), slices.Compact(named); !slices.Equal(used, named) {
		t.Errorf("task files use %q, the README names %q", used, named)
	}
}
