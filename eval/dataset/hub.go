package dataset

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"mergesearch"
)

// HubCache returns the folder in which Hugging Face's tools keep what they downloaded,
// by the variables that they obey (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HOME); "" if
// none is set.
func HubCache(getenv func(string) string) string {
	if dir := getenv("HF_HUB_CACHE"); dir != "" {
		return dir
	}
	if dir := getenv("HUGGINGFACE_HUB_CACHE"); dir != "" {
		return dir
	}
	if dir := getenv("HF_HOME"); dir != "" {
		return filepath.Join(dir, "hub")
	}
	if dir := getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "huggingface", "hub")
	}
	if dir := getenv("HOME"); dir != "" {
		return filepath.Join(dir, ".cache", "huggingface", "hub")
	}
	return ""
}

var repository = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$`)

// hub looks for the copy of a data set in the hub cache. The data sets that the
// datasets library has prepared (HF_DATASETS_CACHE, Arrow files) are not read.
func (set *Set) hub() error {
	s := set.source
	if !repository.MatchString(s.Path) || strings.Contains(s.Path, "..") {
		return &mergesearch.InputError{Field: "dataset_path", Problem: fmt.Sprintf("%s is no folder, and cannot be the name of a data set", s.Path), Hint: "json, csv or parquet with data_files, a folder, or a name such as org/name"}
	}
	download := fmt.Sprintf("get it with: hf download --repo-type dataset %s", s.Path)
	if s.Cache == "" {
		return &mergesearch.InputError{Field: "dataset_path", Problem: fmt.Sprintf("%s is not on this machine: no folder of that name, and no hub cache (HF_HOME)", s.Path), Hint: download}
	}
	repo := filepath.Join(s.Cache, "datasets--"+strings.ReplaceAll(s.Path, "/", "--"))
	if !isFolder(repo) {
		return &mergesearch.InputError{Field: "dataset_path", Problem: fmt.Sprintf("%s is not on this machine: there is no folder %s", s.Path, repo), Hint: download + ", or name files of your own as data_files"}
	}
	snapshot, err := snapshotOf(repo)
	if err != nil {
		return err
	}
	err = set.folder(snapshot)
	if in, ok := err.(*mergesearch.InputError); ok && in.Hint == "" {
		in.Hint = "the copy in the cache may be partial; " + download
	}
	return err
}

// snapshotOf returns the folder of the revision that main stands for, or of the only
// one.
func snapshotOf(repo string) (string, error) {
	if rev, err := os.ReadFile(filepath.Join(repo, "refs", "main")); err == nil {
		name := strings.TrimSpace(string(rev))
		if dir := filepath.Join(repo, "snapshots", name); repository.MatchString(name) && !strings.Contains(name, "/") && isFolder(dir) {
			return dir, nil
		}
	}
	entries, _ := os.ReadDir(filepath.Join(repo, "snapshots"))
	if len(entries) == 1 && entries[0].IsDir() {
		return filepath.Join(repo, "snapshots", entries[0].Name()), nil
	}
	return "", &mergesearch.InputError{File: repo, Problem: fmt.Sprintf("the cache holds %d revisions of the data set, and refs/main names none of them", len(entries)), Hint: "download it again, or name a folder below snapshots/ as dataset_path"}
}

// readHead returns the text between the lines --- at the start of a file; "" if there
// is no file, or no such text.
func readHead(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", &mergesearch.InputError{File: file, Problem: "cannot read the card: " + cause(err), Cause: err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return "", &mergesearch.InputError{File: file, Problem: "cannot read the card: " + cause(err), Cause: err}
	}
	head, ok := strings.CutPrefix(strings.ReplaceAll(string(text), "\r\n", "\n"), "---\n")
	if !ok {
		return "", nil
	}
	head, _, ok = strings.Cut(head, "\n---")
	if !ok {
		return "", nil
	}
	return head, nil
}
