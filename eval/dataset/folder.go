package dataset

import (
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"mergesearch"
)

// maxFiles bounds how many files of a folder are looked at.
const maxFiles = 100_000

// expand returns the files that a pattern names below root, sorted; a name without
// wildcards stands for itself. * and ? stay within a folder, ** does not.
func expand(root, pattern string) ([]string, error) {
	full := pattern
	if !filepath.IsAbs(pattern) {
		full = filepath.Join(root, pattern)
	}
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{full}, nil
	}
	if filepath.IsAbs(pattern) { // walk below the last folder without wildcards
		root = full
		for strings.ContainsAny(root, "*?[") {
			root = filepath.Dir(root)
		}
		pattern, _ = filepath.Rel(root, full)
	}
	match, err := wildcard(filepath.ToSlash(pattern))
	if err != nil {
		return nil, &mergesearch.InputError{Field: pattern, Problem: "not a pattern for files: " + err.Error()}
	}
	files, err := filesBelow(root)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if match.MatchString(f) {
			out = append(out, filepath.Join(root, filepath.FromSlash(f)))
		}
	}
	if len(out) == 0 {
		return nil, &mergesearch.InputError{File: full, Problem: "no file fits the pattern", Hint: "data files are relative to the task file"}
	}
	return out, nil
}

// wildcard turns a pattern into a regular expression.
func wildcard(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for rest := path.Clean(pattern); rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			rest = rest[3:]
		case strings.HasPrefix(rest, "**"):
			b.WriteString(".*")
			rest = rest[2:]
		case rest[0] == '*':
			b.WriteString("[^/]*")
			rest = rest[1:]
		case rest[0] == '?':
			b.WriteString("[^/]")
			rest = rest[1:]
		case rest[0] == '[' && strings.Contains(rest, "]"):
			set, after, _ := strings.Cut(rest[1:], "]")
			b.WriteString("[" + strings.NewReplacer(`\`, `\\`, "!", "^").Replace(set) + "]")
			rest = after
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
			rest = rest[1:]
		}
	}
	return regexp.Compile(b.String() + "$")
}

// filesBelow lists the files below root, slash-separated and sorted, without hidden
// ones. Links to files count as files, links to folders are not followed.
func filesBelow(root string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := p != root && strings.HasPrefix(d.Name(), "."); hidden && d.IsDir() {
			return filepath.SkipDir
		} else if hidden || d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(root, p)
		if out = append(out, filepath.ToSlash(rel)); len(out) > maxFiles {
			return &mergesearch.InputError{File: root, Problem: "the folder holds more than 100000 files", Hint: "name the files as data_files"}
		}
		return err
	})
	if _, ours := err.(*mergesearch.InputError); err != nil && !ours {
		err = &mergesearch.InputError{File: root, Problem: "cannot list the folder: " + cause(err), Cause: err}
	}
	slices.Sort(out)
	return out, err
}

// folder finds the splits of a folder: as its card says, else by the names of files.
func (set *Set) folder(root string) error {
	s := set.source
	if len(s.DataFiles) > 0 {
		for split, patterns := range s.DataFiles {
			for _, p := range patterns {
				found, err := expand(filepath.Join(root, s.DataDir), p)
				if err != nil {
					return err
				}
				set.add(split, found...)
			}
		}
		slices.Sort(set.splits)
		return nil
	}
	configs, err := readCard(root)
	if err != nil {
		return err
	}
	if len(configs) > 0 && s.DataDir == "" {
		return set.byCard(root, configs)
	}
	if s.DataDir != "" && s.abs(s.DataDir) != root {
		root = filepath.Join(root, s.DataDir)
	}
	return set.byName(root)
}

// config is one entry of configs: in the head of a card.
type config struct {
	Name      string `yaml:"config_name"`
	DataFiles any    `yaml:"data_files"`
	DataDir   string `yaml:"data_dir"`
	Default   bool   `yaml:"default"`
}

// readCard reads the YAML head of README.md, if there is one.
func readCard(root string) ([]config, error) {
	file := filepath.Join(root, "README.md")
	text, err := readHead(file)
	if err != nil || text == "" {
		return nil, err
	}
	var card struct {
		Configs []config `yaml:"configs"`
	}
	if err := yaml.Unmarshal([]byte(text), &card); err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: "the YAML head of the card cannot be read: " + firstLine(err.Error()), Hint: "name the files as data_files in dataset_kwargs"}
	}
	return card.Configs, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// byCard takes the files that a configuration of the card names.
func (set *Set) byCard(root string, configs []config) error {
	s := set.source
	chosen := -1
	var names []string
	for i, c := range configs {
		names = append(names, c.Name)
		if c.Name == s.Name || s.Name == "" && (c.Default || c.Name == "default" && chosen < 0 || len(configs) == 1) {
			chosen = i
		}
	}
	if chosen < 0 && s.Name == "" {
		return &mergesearch.InputError{File: root, Field: "dataset_name", Problem: "the data set has several configurations, and none is the default", Hint: "one of " + strings.Join(names, ", ")}
	}
	if chosen < 0 {
		e := mergesearch.UnknownWord("configuration", s.Name, names)
		e.File = root
		return e
	}
	c := configs[chosen]
	base := filepath.Join(root, c.DataDir)
	if c.DataFiles == nil {
		return set.byPattern(base)
	}
	for _, entry := range cardFiles(c.DataFiles) {
		for _, p := range entry.paths {
			found, err := expand(base, p)
			if err != nil {
				return err
			}
			set.add(entry.split, found...)
		}
	}
	if len(set.splits) == 0 {
		return &mergesearch.InputError{File: filepath.Join(root, "README.md"), Field: "configs." + c.Name, Problem: "data_files names no file"}
	}
	return nil
}

type splitFiles struct {
	split string
	paths []string
}

// cardFiles reads data_files: a path, a list of paths, or a list of splits with paths.
func cardFiles(v any) []splitFiles {
	texts := func(v any) []string {
		switch v := v.(type) {
		case string:
			return []string{v}
		case []any:
			var out []string
			for _, x := range v {
				if s, ok := x.(string); ok {
					out = append(out, s)
				}
			}
			return out
		}
		return nil
	}
	list, _ := v.([]any)
	var out []splitFiles
	for _, x := range list {
		if m, ok := x.(map[string]any); ok {
			split, _ := m["split"].(string)
			out = append(out, splitFiles{split, texts(m["path"])})
		}
	}
	if len(out) > 0 {
		return out
	}
	if paths := texts(v); len(paths) > 0 {
		return []splitFiles{{"train", paths}}
	}
	return nil
}

// byName finds the folder of the configuration, then the splits by the names of files.
func (set *Set) byName(root string) error {
	name := set.source.Name
	if name == "" || name == "default" {
		return set.byPattern(root)
	}
	for _, folder := range []string{filepath.Join(root, name), filepath.Join(root, "data", name)} {
		if isFolder(folder) {
			return set.byPattern(folder)
		}
	}
	return &mergesearch.InputError{File: root, Field: "dataset_name", Problem: "neither the card nor a folder is called " + name, Hint: "it would have to be " + filepath.Join(root, name)}
}

var (
	sharded = regexp.MustCompile(`^(?:.*/)?([A-Za-z0-9_.]+)-\d{5}-of-\d{5}[^/]*$`)
	words   = regexp.MustCompile(`[A-Za-z]+`)
	called  = map[string]string{
		"train": "train", "training": "train", "validation": "validation", "valid": "validation", "dev": "validation", "val": "validation",
		"test": "test", "testing": "test", "eval": "test", "evaluation": "test",
	}
)

// byPattern sorts the files below root into splits: by the names of shards
// (train-00000-of-00002.parquet), else by a word in the names of files, else by a word
// in the names of folders, else all into train. The first way that fits any file holds
// for all.
func (set *Set) byPattern(root string) error {
	all, err := filesBelow(root)
	if err != nil {
		return err
	}
	var files []string
	for _, f := range all {
		if format := formats[path.Ext(strings.TrimSuffix(f, ".gz"))]; format != "" && (set.format == "" || set.format == format || set.format == "csv" && format == "tsv") {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return &mergesearch.InputError{File: root, Problem: "no data file lies in the folder", Hint: "known: JSON lines, JSON, CSV and parquet"}
	}
	byWord := func(text string) string {
		for _, w := range words.FindAllString(text, -1) {
			if split := called[strings.ToLower(w)]; split != "" {
				return split
			}
		}
		return ""
	}
	ways := []func(f string) string{
		func(f string) string {
			if m := sharded.FindStringSubmatch(f); m != nil {
				return m[1]
			}
			return ""
		},
		func(f string) string { return byWord(path.Base(f)) },
		func(f string) string { return byWord(path.Dir(f)) },
		func(string) string { return "train" },
	}
	for _, way := range ways {
		for _, f := range files {
			if split := way(f); split != "" {
				set.add(split, filepath.Join(root, filepath.FromSlash(f)))
			}
		}
		if len(set.splits) > 0 {
			break
		}
	}
	rank := map[string]int{"train": -3, "validation": -2, "test": -1}
	slices.SortFunc(set.splits, func(a, b string) int {
		if rank[a] != rank[b] {
			return rank[a] - rank[b]
		}
		return strings.Compare(a, b)
	})
	return nil
}
