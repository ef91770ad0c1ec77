package gguf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// Write writes a model to the file out. Files are the small files of its Hugging
// Face directory by base name: config.json and tokenizer.json are needed,
// generation_config.json, tokenizer_config.json and chat_template.jinja are used;
// recipe.yaml, if there, is kept under the key mergesearch.recipe. Out must not
// exist. What cannot be written is a *mergesearch.InputError, found before
// anything is.
func Write(ctx context.Context, t mergesearch.Tensors, files map[string][]byte, out string) error {
	c, err := readConfig(files)
	if err != nil {
		return err
	}
	tensors, err := plan(c, t)
	if err != nil {
		return err
	}
	v, err := readVocabulary(files, c.vocab)
	if err != nil {
		return err
	}
	h := header{tensors: tensors, metadata: []entry{
		{"general.architecture", c.name},
		{"general.type", "model"},
		{"general.name", strings.TrimSuffix(filepath.Base(out), filepath.Ext(out))},
		{"general.file_type", fileType(tensors)},
	}}
	if recipe := files["recipe.yaml"]; recipe != nil {
		h.metadata = append(h.metadata, entry{"mergesearch.recipe", string(recipe)})
	}
	h.metadata = append(append(h.metadata, c.metadata()...), v.metadata()...)
	return save(out, func(w io.Writer) error { return h.write(ctx, w, t) })
}

// write writes header and data.
func (h header) write(ctx context.Context, w io.Writer, t mergesearch.Tensors) error {
	if _, err := w.Write(h.encode()); err != nil {
		return err
	}
	for _, p := range h.tensors {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.write(w, t); err != nil {
			return fmt.Errorf("tensor %s: %w", p.name, err)
		}
		if _, err := w.Write(make([]byte, padded(p.bytes())-p.bytes())); err != nil {
			return err
		}
	}
	return nil
}

func (p planned) write(w io.Writer, t mergesearch.Tensors) error {
	if p.from == "" {
		_, err := w.Write(p.data)
		return err
	}
	x, err := t.Tensor(p.from)
	if err != nil {
		return err
	}
	view := kernel.View{DType: x.DType, Data: x.Data}
	if p.heads == 0 {
		return convert(w, view, p.dtype)
	}
	row := p.elements() / p.shape[0]
	for r := range p.shape[0] {
		from := source(r, p.shape[0]/p.heads) * row
		if err := convert(w, view.Slice(from, from+row), p.dtype); err != nil {
			return err
		}
	}
	return nil
}

// convert writes a run of elements in another type, or as it is.
func convert(w io.Writer, x kernel.View, dtype mergesearch.DType) error {
	if x.DType == dtype {
		_, err := w.Write(x.Data)
		return err
	}
	const piece = 1 << 16
	for lo := 0; lo < x.Len(); lo += piece {
		part := x.Slice(lo, min(x.Len(), lo+piece))
		out := kernel.View{DType: dtype, Data: make([]byte, part.Len()*dtype.Size())}
		kernel.Store(out, kernel.Load(part))
		if _, err := w.Write(out.Data); err != nil {
			return err
		}
	}
	return nil
}

// save writes a file so that it is there complete or not at all.
func save(out string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return &mergesearch.InputError{File: out, Problem: "exists already", Hint: "choose another output file, or remove this one"}
	}
	dir, prefix := filepath.Dir(out), ".tmp-"+filepath.Base(out)+"-"
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return &mergesearch.InputError{File: out, Problem: err.Error(), Cause: err}
	}
	removeLeftovers(dir, prefix)
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return &mergesearch.InputError{File: out, Problem: err.Error(), Cause: err}
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name()) // a leftover is removed by the next writer
			err = fmt.Errorf("write %s: %w", out, err)
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	if err := write(b); err != nil {
		return err
	}
	if err := errors.Join(b.Flush(), f.Chmod(0o644), f.Sync()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), out); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// removeLeftovers deletes the temporary files of writers that were killed: those
// that nobody holds a lock on. It is housekeeping, so failures do not matter.
func removeLeftovers(dir, prefix string) {
	names, err := filepath.Glob(filepath.Join(dir, ".tmp-*"))
	if err != nil {
		return
	}
	for _, name := range names {
		random, ours := strings.CutPrefix(filepath.Base(name), prefix)
		if !ours || random == "" || strings.Trim(random, "0123456789") != "" {
			continue
		}
		f, err := os.OpenFile(name, os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.Remove(name)
		}
		_ = f.Close()
	}
}

func syncDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
