package dataset

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
)

// maxFile bounds the size of a file of text, unpacked, in bytes.
const maxFile = 4 << 30

// Source says which data set is wanted, in the words of a task file.
type Source struct {
	Path      string              // dataset_path: json, csv or parquet; a folder; or a name such as org/name
	Name      string              // dataset_name: which configuration; "" for the only or default one
	DataFiles map[string][]string // dataset_kwargs: data_files, by split; a list without splits is train
	DataDir   string              // dataset_kwargs: data_dir
	Field     string              // dataset_kwargs: field, the key under which a JSON file holds the documents
	Delimiter string              // dataset_kwargs: sep or delimiter of a CSV file, one byte; "" for a comma

	Dir   string // what relative paths are relative to: the task file's folder
	Cache string // the hub cache of Hugging Face, see HubCache; "" for none
}

// Set is a data set whose files are known, and not read yet. It may be used by several
// goroutines.
type Set struct {
	source Source
	format string // of files whose name says nothing; "" where each must say it
	splits []string
	files  map[string][]string
}

// formats are what files are read as, by the ends of their names.
var formats = map[string]string{
	".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet",
}

// Open finds the files of a data set. An *mergesearch.InputError says which file is
// missing, or where a data set that is not on this machine would have to lie.
func Open(s Source) (*Set, error) {
	if len(s.Delimiter) > 1 {
		return nil, &mergesearch.InputError{Field: "delimiter", Problem: fmt.Sprintf("want one character, got %q", s.Delimiter)}
	}
	set := &Set{source: s}
	switch s.Path {
	case "json", "csv", "parquet":
		set.format = s.Path
		return set, set.named()
	case "":
		return nil, &mergesearch.InputError{Field: "dataset_path", Problem: "it is missing", Hint: "json, csv or parquet with data_files, a folder, or the name of a data set"}
	}
	if folder := s.abs(s.Path); isFolder(folder) {
		return set, set.folder(folder)
	}
	return set, set.hub()
}

// abs returns path as it is seen from the task file's folder.
func (s Source) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(s.Dir, path)
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// named takes the files of data_files, or those of data_dir.
func (set *Set) named() error {
	s := set.source
	root := s.abs(s.DataDir)
	if len(s.DataFiles) == 0 {
		if s.DataDir == "" {
			return &mergesearch.InputError{Field: "data_files", Problem: "it is missing", Hint: "dataset_kwargs: {data_files: {test: FILE}}, relative to the task file"}
		}
		return set.folder(root)
	}
	set.files = map[string][]string{}
	for _, split := range slices.Sorted(maps.Keys(s.DataFiles)) {
		for _, pattern := range s.DataFiles[split] {
			found, err := expand(root, pattern)
			if err != nil {
				return err
			}
			set.add(split, found...)
		}
		if len(set.files[split]) == 0 {
			return &mergesearch.InputError{Field: "data_files." + split, Problem: "it names no file"}
		}
	}
	return nil
}

func (set *Set) add(split string, files ...string) {
	if set.files == nil {
		set.files = map[string][]string{}
	}
	if len(files) > 0 && set.files[split] == nil {
		set.splits = append(set.splits, split)
	}
	set.files[split] = append(set.files[split], files...)
}

// Splits returns the names of the splits, in alphabetical order for files that were
// named, else train, validation, test and then others.
func (set *Set) Splits() []string { return slices.Clone(set.splits) }

// Files returns the files of a split in the order of reading.
func (set *Set) Files(split string) []string { return slices.Clone(set.files[split]) }

// Read reads the documents of a split. A split without documents is refused.
func (set *Set) Read(split string) ([]Document, error) {
	files, ok := set.files[split]
	if !ok {
		e := mergesearch.UnknownWord("split", split, set.splits)
		e.File = set.source.Path
		return nil, e
	}
	var docs []Document
	text := false
	for _, file := range files {
		format := set.formatOf(file)
		more, err := set.read(file, format)
		if err != nil {
			return nil, mergesearch.InFile(err, file)
		}
		for i := range more {
			more[i].File = file
		}
		docs = append(docs, more...)
		text = text || format == "json"
	}
	if len(docs) == 0 {
		return nil, &mergesearch.InputError{File: files[0], Problem: "the data file holds no documents", Hint: jsonHint}
	}
	if text || len(files) > 1 {
		merge(docs)
	}
	return docs, nil
}

// formatOf returns how a file is read; the format of the source goes before its name.
func (set *Set) formatOf(file string) string {
	if set.format != "" {
		return set.format
	}
	return formats[filepath.Ext(strings.TrimSuffix(file, ".gz"))]
}

func (set *Set) read(file, format string) ([]Document, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, &mergesearch.InputError{Problem: "cannot read the data file: " + cause(err), Hint: "data files are relative to the task file", Cause: err}
	case info.IsDir():
		return nil, &mergesearch.InputError{Problem: "it is a folder, want a data file", Hint: "name the folder as data_dir"}
	case !info.Mode().IsRegular():
		return nil, &mergesearch.InputError{Problem: "it is a device, pipe or socket, want a data file"}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, &mergesearch.InputError{Problem: "cannot read the data file: " + cause(err), Cause: err}
	}
	defer f.Close()
	if format == "parquet" {
		return readParquet(f, info.Size())
	}
	text, err := readText(f, info.Size())
	if err != nil {
		return nil, err
	}
	switch format {
	case "csv", "tsv":
		delimiter := byte(',')
		if format == "tsv" {
			delimiter = '\t'
		}
		if set.source.Delimiter != "" {
			delimiter = set.source.Delimiter[0]
		}
		return readCSV(text, delimiter)
	case "json":
		return readJSON(text, set.source.Field)
	}
	return nil, &mergesearch.InputError{Problem: "its name says no format", Hint: "known: " + strings.Join(slices.Sorted(maps.Keys(formats)), ", ") + ", also with .gz"}
}

// readText reads a file whole, unpacking what gzip packed.
func readText(f io.Reader, size int64) ([]byte, error) {
	tooLarge := &mergesearch.InputError{Problem: fmt.Sprintf("the file holds more than %d GiB of text", maxFile>>30), Hint: "cut it into several files"}
	if size > maxFile {
		return nil, tooLarge
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, &mergesearch.InputError{Problem: "cannot read the data file: " + cause(err), Cause: err}
	}
	if bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(z, maxFile+1))
		}
		if err != nil {
			return nil, &mergesearch.InputError{Problem: "the packed file is damaged: " + err.Error()}
		}
	}
	if bytes.HasPrefix(text, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return nil, &mergesearch.InputError{Problem: "the file is packed with zstd, which is not supported", Hint: "unpack it: zstd -d FILE"}
	}
	if len(text) > maxFile {
		return nil, tooLarge
	}
	return text, nil
}

// cause drops the operation and path of a file error, which the InputError names.
func cause(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
