package eval

import (
	"os"
	"path/filepath"
	"slices"

	"mergesearch"
)

// maxTaskFile bounds a task file in bytes; few-shot samples in line are the
// largest part of any.
const maxTaskFile = 4 << 20

// readEntries returns the keys of a task file with those of the files that it
// includes, as the harness merges them: key by key, a later include before an
// earlier one, the file itself before all. Paths are relative to the file that
// names them. Entries of the file itself have no file name, so that it is filled
// in where errors leave this package.
func readEntries(file string) ([]entry, error) {
	text, err := readTaskFile(file)
	if err != nil {
		return nil, err
	}
	entries, err := parseYAML(text, "")
	if err != nil {
		return nil, mergesearch.InFile(err, file)
	}
	entries, err = included(entries, filepath.Dir(file), []string{filepath.Clean(file)})
	return entries, mergesearch.InFile(err, file)
}

func readTaskFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxTaskFile) {
		return nil, &mergesearch.InputError{File: file, Problem: "not a task file", Hint: "a task file is YAML of at most 4 MB"}
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: "cannot read the task file: " + cause(err), Cause: err}
	}
	return text, nil
}

// included puts the keys of included files below the entries. The stack holds
// the files that led here.
func included(entries []entry, dir string, stack []string) ([]entry, error) {
	at := slices.IndexFunc(entries, func(e entry) bool { return e.key == "include" })
	if at < 0 {
		return entries, nil
	}
	include := entries[at]
	entries = slices.Delete(entries, at, at+1)
	if isNull(include) {
		return entries, nil
	}
	names, err := include.texts()
	if err != nil {
		return nil, err
	}
	var out []entry
	for _, name := range names {
		file := name
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		file = filepath.Clean(file)
		if slices.Contains(stack, file) {
			return nil, include.refuse(name+" includes itself, by way of other files or directly", "")
		}
		text, err := readTaskFile(file)
		if err != nil {
			return nil, include.refuse("cannot read "+name, "included files are relative to the file that names them")
		}
		more, err := parseYAML(text, file)
		if err != nil {
			return nil, mergesearch.InFile(err, file)
		}
		if more, err = included(more, filepath.Dir(file), append(slices.Clone(stack), file)); err != nil {
			return nil, err
		}
		out = override(out, slices.DeleteFunc(more, func(e entry) bool { return e.key == "task_list" }))
	}
	return override(out, entries), nil
}

// override returns the keys of both lists; those of the second win.
func override(under, over []entry) []entry {
	out := slices.Clone(under)
	for _, e := range over {
		if i := slices.IndexFunc(out, func(u entry) bool { return u.key == e.key }); i >= 0 {
			out[i] = e
		} else {
			out = append(out, e)
		}
	}
	return out
}
