package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
)

// openFor opens the models that a recipe names: by their paths, or by the names of
// repositories that lie in the cache of the Hugging Face Hub.
func openFor(r mergesearch.Recipe, threads int, device *kernel.Device) (*merge.Engine, error) {
	o := merge.Options{Models: map[string]string{}, Adapters: map[string]string{}, Threads: threads, Device: device}
	for _, name := range r.ModelNames() {
		ref, err := merge.ParseModelRef(name)
		if err != nil {
			return nil, err
		}
		isStage := func(s mergesearch.Stage) bool { return s.Name == ref.Path }
		if !slices.ContainsFunc(r.Stages, isStage) {
			if o.Models[name], err = locate(ref.Path, ref.Revision); err != nil {
				return nil, err
			}
		}
		if ref.Adapter == "" {
			continue
		}
		if o.Adapters[name], err = locate(ref.Adapter, ref.AdapterRevision); err != nil {
			return nil, err
		}
	}
	return merge.Open(o)
}

// locate returns the directory of a model: a path, or a snapshot in the cache of
// the Hugging Face Hub. Nothing is downloaded.
func locate(path, revision string) (string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() && revision == "" {
		return filepath.Clean(path), nil
	}
	owner, name, two := strings.Cut(path, "/")
	if !two || owner == "" || name == "" || strings.Contains(name, "/") || strings.HasPrefix(owner, ".") {
		if revision != "" {
			return "", &mergesearch.InputError{File: path, Problem: "a revision goes with the name of a repository, OWNER/NAME@REVISION", Hint: "leave the revision away for a directory"}
		}
		return filepath.Clean(path), nil // opening it says what is wrong
	}
	repository := filepath.Join(hubCache(), "models--"+owner+"--"+name)
	if _, err := os.Stat(repository); err != nil {
		if revision == "" {
			return filepath.Clean(path), nil
		}
		return "", &mergesearch.InputError{File: path, Problem: "not in the cache of the Hugging Face Hub, " + hubCache(), Hint: "download it first; nothing is downloaded while merging"}
	}
	if revision == "" {
		revision = "main"
	}
	commit := revision
	if text, err := os.ReadFile(filepath.Join(repository, "refs", filepath.Clean("/"+revision))); err == nil {
		commit = strings.TrimSpace(string(text))
	}
	dir := filepath.Join(repository, "snapshots", filepath.Base(filepath.Clean("/"+commit)))
	if _, err := os.Stat(dir); err != nil {
		return "", &mergesearch.InputError{File: path, Problem: fmt.Sprintf("revision %s is not in the cache of the Hugging Face Hub, %s", revision, hubCache()), Hint: "download it first; nothing is downloaded while merging"}
	}
	return dir, nil
}

// hubCache is where the Hugging Face Hub's own tools keep what they download.
func hubCache() string {
	if dir := os.Getenv("HF_HUB_CACHE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return filepath.Join(dir, "hub")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".cache", "huggingface", "hub")
}
