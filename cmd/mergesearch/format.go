package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/gguf"
	"mergesearch/merge/safetensors"
)

// format is what a merged model is written as.
type format string

// writers has a function for each format.
var writers = map[format]func(context.Context, *merge.Engine, mergesearch.Recipe, string, merge.WriteOptions) (merge.Report, error){
	"hf": func(ctx context.Context, e *merge.Engine, r mergesearch.Recipe, out string, o merge.WriteOptions) (merge.Report, error) {
		return e.Write(ctx, r, out, o)
	},
	"gguf": writeGGUF,
}

// addFormatFlag adds --format.
func addFormatFlag(c *cobra.Command, f *format) {
	c.Flags().StringVar((*string)(f), "format", "hf", "hf: a Hugging Face directory; gguf: one file for llama.cpp")
}

// check refuses an unknown format.
func (f format) check() error {
	if _, ok := writers[f]; ok {
		return nil
	}
	var known []string
	for _, name := range slices.Sorted(maps.Keys(writers)) {
		known = append(known, string(name))
	}
	err := mergesearch.UnknownWord("format", string(f), known)
	err.Field = "--format " + err.Field
	return err
}

// write merges a recipe into out, which is a directory or a file.
func (f format) write(ctx context.Context, e *merge.Engine, r mergesearch.Recipe, out string, o merge.WriteOptions) (merge.Report, error) {
	if err := f.check(); err != nil {
		return merge.Report{}, err
	}
	return writers[f](ctx, e, r, out, o)
}

// writeGGUF merges into a directory beside out, so that memory does not grow with
// the model, and writes out from it. For that time both are on disk.
func writeGGUF(ctx context.Context, e *merge.Engine, r mergesearch.Recipe, out string, o merge.WriteOptions) (done merge.Report, err error) {
	began := time.Now()
	dir := filepath.Join(filepath.Dir(out), ".tmp-"+filepath.Base(out)+"-hf")
	if err := os.RemoveAll(dir); err != nil { // of a program that was killed
		return done, &mergesearch.InputError{File: out, Problem: err.Error(), Cause: err}
	}
	if _, err := os.Lstat(out); err == nil {
		return done, &mergesearch.InputError{File: out, Problem: "exists already", Hint: "choose another output file, or remove this one"}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if done, err = e.Write(ctx, r, dir, o); err != nil {
		return done, err
	}
	m, err := safetensors.Open(dir)
	if err != nil {
		return done, err
	}
	defer m.Release()
	files, err := m.Files()
	if err != nil {
		return done, err
	}
	files = maps.Clone(files)
	if files["recipe.yaml"], err = os.ReadFile(filepath.Join(dir, "recipe.yaml")); err != nil {
		return done, err
	}
	if err := gguf.Write(ctx, m, files, out); err != nil {
		return done, err
	}
	st, err := os.Stat(out)
	if err != nil {
		return done, err
	}
	done.Out, done.BytesWritten, done.Seconds = out, st.Size(), time.Since(began).Seconds()
	return done, nil
}
