package safetensors

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// WriterOptions configures Create.
type WriterOptions struct {
	// ShardBytes is the most bytes of tensors in one file; a larger tensor gets a
	// file of its own. 0 means 5,000,000,000.
	ShardBytes int64
	// Recipe goes into the manifest. Empty for none.
	Recipe mergesearch.RecipeID
}

// Writer writes a model directory: tensors in the order given to Create, then
// small files, then everything at once under its final name. It is used by one
// goroutine.
type Writer struct {
	out   string
	dir   *staging
	files []plannedFile
	index Index

	file, tensor int // where Write stands
	open         *os.File
	sum, fileSum *xxh3.Hasher
	left         int64 // bytes that the current tensor still needs
	written      int64

	digests  Digests
	manifest Manifest
}

type plannedFile struct {
	name string
	head Header
}

// Manifest is the content of the file COMPLETE.
type Manifest struct {
	Format int                  `json:"format"` // 1
	Recipe mergesearch.RecipeID `json:"recipe_id,omitempty"`
	Digest string               `json:"sha256"` // of the sorted tensor manifest
	Files  []ManifestFile       `json:"files"`
}

// ManifestFile is one file of the directory.
type ManifestFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	XXH3  string `json:"xxh3"` // xxh3-128, 32 hexadecimal digits
}

// Create begins a model directory. Only Name, DType and Shape of the tensors
// matter here; their data follows by Write, in this order. The directory appears
// under its name with Commit. Bad output directories are *mergesearch.InputError.
func Create(out string, tensors []mergesearch.Tensor, o WriterOptions) (*Writer, error) {
	w := &Writer{out: out, index: Index{Shard: map[string]string{}}, manifest: Manifest{Format: 1, Recipe: o.Recipe}}
	if err := w.plan(tensors, o.ShardBytes); err != nil {
		return nil, err
	}
	var err error
	if w.dir, err = newStaging(out); err != nil {
		return nil, err
	}
	if err := w.dir.checkSpace(out, int64(w.index.TotalSize)); err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// plan distributes the tensors over files and lays out their headers.
func (w *Writer) plan(tensors []mergesearch.Tensor, limit int64) error {
	if limit == 0 {
		limit = 5_000_000_000
	}
	var heads []Header
	var end int64
	for _, t := range tensors {
		size := int64(t.Elements()) * int64(t.DType.Size())
		if len(heads) == 0 || end > 0 && end+size > limit {
			heads = append(heads, Header{Metadata: map[string]string{"format": "pt"}})
			end = 0
		}
		h := &heads[len(heads)-1]
		h.Tensors = append(h.Tensors, Info{Name: t.Name, DType: t.DType, Shape: t.Shape, Begin: end, End: end + size})
		end += size
		w.index.TotalSize += uint64(size)
	}
	for i, h := range heads {
		f := plannedFile{name: SingleFile, head: h}
		if len(heads) > 1 {
			f.name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(heads))
		}
		for _, t := range h.Tensors {
			if _, twice := w.index.Shard[t.Name]; twice {
				return fmt.Errorf("write %s: tensor %q twice", w.out, t.Name)
			}
			w.index.Shard[t.Name] = f.name
		}
		w.files = append(w.files, f)
	}
	if len(w.files) == 0 {
		return fmt.Errorf("write %s: no tensors", w.out)
	}
	return nil
}

// Write adds the next bytes of tensor data; they may be any part of a tensor but
// not cross into the next one.
func (w *Writer) Write(p []byte) (int, error) {
	for w.left == 0 {
		if err := w.next(); err != nil {
			return 0, w.fail(err)
		}
	}
	if int64(len(p)) > w.left {
		panic(fmt.Sprintf("safetensors: %d bytes for a tensor that needs %d more", len(p), w.left))
	}
	n, err := w.open.Write(p)
	w.written += int64(n)
	if err != nil {
		return n, w.fail(err)
	}
	_, _ = w.sum.Write(p) // a hash never fails
	_, _ = w.fileSum.Write(p)
	mergesearch.Failpoint("checkpoint/write")
	w.left -= int64(n)
	if w.left == 0 {
		w.endTensor()
	}
	return n, nil
}

// next makes the coming tensor the current one, passing over empty ones.
func (w *Writer) next() error {
	if w.open != nil && w.tensor == len(w.files[w.file].head.Tensors) {
		if err := w.closeFile(); err != nil {
			return err
		}
		w.file, w.tensor = w.file+1, 0
	}
	if w.file == len(w.files) {
		panic("safetensors: more data than the tensors hold")
	}
	if w.open == nil {
		if err := w.openFile(); err != nil {
			return err
		}
	}
	t := w.files[w.file].head.Tensors[w.tensor]
	w.sum, w.left = xxh3.New(), t.End-t.Begin
	if w.left == 0 {
		w.endTensor()
	}
	return nil
}

func (w *Writer) endTensor() {
	t := w.files[w.file].head.Tensors[w.tensor]
	w.digests.AddHashed(t.Name, t.DType, t.Shape, w.sum.Sum128())
	w.tensor++
}

func (w *Writer) openFile() (err error) {
	f := w.files[w.file]
	if w.open, err = os.Create(filepath.Join(w.dir.tmp, f.name)); err != nil {
		return err
	}
	head := f.head.Append(nil)
	w.fileSum = xxh3.New()
	_, _ = w.fileSum.Write(head)
	n, err := w.open.Write(head)
	w.written += int64(n)
	return err
}

func (w *Writer) closeFile() error {
	mergesearch.Failpoint("checkpoint/sync")
	st, err := w.open.Stat()
	err = errors.Join(err, w.open.Sync(), w.open.Close())
	w.open = nil
	if err != nil {
		return err
	}
	w.addFile(w.files[w.file].name, st.Size(), w.fileSum.Sum128())
	return nil
}

func (w *Writer) addFile(name string, size int64, sum xxh3.Uint128) {
	b := sum.Bytes()
	w.manifest.Files = append(w.manifest.Files, ManifestFile{Name: name, Bytes: size, XXH3: hex.EncodeToString(b[:])})
}

// AddFile writes a small file beside the weights. Name is a base name.
func (w *Writer) AddFile(name string, data []byte) error {
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return w.fail(fmt.Errorf("%q is no plain file name", name))
	}
	if err := writeSynced(filepath.Join(w.dir.tmp, name), data); err != nil {
		return w.fail(err)
	}
	w.written += int64(len(data))
	w.addFile(name, int64(len(data)), xxh3.Hash128(data))
	return nil
}

// Commit ends the last file, writes the index if there are several, and puts the
// directory in place. After an error nothing is left but what Abort removes.
func (w *Writer) Commit() (Manifest, error) {
	for w.left == 0 && (w.file < len(w.files)-1 || w.tensor < len(w.files[w.file].head.Tensors)) {
		if err := w.next(); err != nil { // empty tensors at the end
			return Manifest{}, w.fail(err)
		}
	}
	if w.left > 0 {
		return Manifest{}, w.fail(fmt.Errorf("tensor %q: %w", w.files[w.file].head.Tensors[w.tensor].Name, io.ErrUnexpectedEOF))
	}
	if err := w.closeFile(); err != nil {
		return Manifest{}, w.fail(err)
	}
	if len(w.files) > 1 {
		if err := w.AddFile(IndexFile, w.index.Marshal()); err != nil {
			return Manifest{}, err
		}
	}
	w.manifest.Digest = w.digests.Digest()
	text, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return Manifest{}, w.fail(err)
	}
	if err := w.dir.commit(append(text, '\n')); err != nil {
		return Manifest{}, w.fail(err)
	}
	w.dir = nil
	return w.manifest, nil
}

// Written returns the bytes written so far.
func (w *Writer) Written() int64 { return w.written }

// Abort removes what was written. After Commit it does nothing.
func (w *Writer) Abort() {
	if w.open != nil {
		_ = w.open.Close() // its contents are about to be removed
		w.open = nil
	}
	if w.dir != nil {
		w.dir.abort()
		w.dir = nil
	}
}

func (w *Writer) fail(err error) error { return fmt.Errorf("write %s: %w", w.out, err) }
