package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"mergesearch"
)

// directory opens files of a model directory, and nothing outside it.
type directory struct {
	path string // as the user gave it, for messages
	root *os.Root
}

func openDirectory(path string) (*directory, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &mergesearch.InputError{File: path, Problem: "no such model directory", Hint: "paths in a run file are relative to it, those in a recipe or a command to the working directory"}
	case err != nil:
		return nil, &mergesearch.InputError{File: path, Problem: cause(err), Hint: "look at the path and its permissions", Cause: err}
	case !st.IsDir():
		return nil, &mergesearch.InputError{File: path, Problem: "not a directory", Hint: "give the model's directory, with config.json and model.safetensors"}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, &mergesearch.InputError{File: path, Problem: cause(err), Hint: "look at the path and its permissions", Cause: err}
	}
	return &directory{path: path, root: root}, nil
}

func (d *directory) close() { _ = d.root.Close() } // nothing was written through it

// placeForModel is a hint.
const placeForModel = "name a new directory in one that can be written"

// cause returns an error without the path that it repeats.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// refuse returns the error of a file of the directory.
func (d *directory) refuse(name, field, problem, hint string) error {
	return &mergesearch.InputError{File: filepath.Join(d.path, name), Field: field, Problem: problem, Hint: hint}
}

// refuseFor returns the error of a file that the operating system refuses.
func (d *directory) refuseFor(err error, name, hint string) error {
	return &mergesearch.InputError{File: filepath.Join(d.path, name), Problem: cause(err), Hint: hint, Cause: err}
}

// cacheLink is what the links of a Hugging Face cache point to.
var cacheLink = regexp.MustCompile(`^\.\./\.\./blobs/([A-Za-z0-9]{1,128})$`)

// open opens a regular file of the directory. A link of a Hugging Face cache is
// followed into its blobs; every other way out of the directory is refused.
// fs.ErrNotExist comes back as it is.
func (d *directory) open(name string) (*os.File, fs.FileInfo, error) {
	root, inRoot := d.root, name
	if target, err := d.root.Readlink(name); err == nil {
		if m := cacheLink.FindStringSubmatch(filepath.ToSlash(target)); m != nil {
			blobs, err := d.openBlobs()
			if err != nil {
				return nil, nil, d.refuse(name, "", "link into a cache without blobs: "+cause(err), "copy the model with its blobs, or with links followed: cp -rL")
			}
			defer func() { _ = blobs.Close() }()
			root, inRoot = blobs, m[1]
		}
	}
	// Without waiting: a pipe in place of a file must not stop the program.
	f, err := root.OpenFile(inRoot, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, d.refuseFor(err, name, "model files must lie in the model's directory and be readable")
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, d.refuseFor(err, name, "a folder, pipe or device stands where the model's file belongs")
	}
	return f, st, nil
}

func (d *directory) openBlobs() (*os.Root, error) {
	real, err := filepath.EvalSymlinks(d.path)
	if err != nil {
		return nil, err
	}
	return os.OpenRoot(filepath.Join(real, "..", "..", "blobs"))
}

// read returns a small file, or fs.ErrNotExist.
func (d *directory) read(name string, limit int64) ([]byte, error) {
	f, st, err := d.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if st.Size() > limit {
		return nil, d.refuse(name, "", fmt.Sprintf("%d bytes, more than the limit of %d", st.Size(), limit), "no real model comes near the limit; copy or download the file again")
	}
	data := make([]byte, st.Size())
	if _, err := f.ReadAt(data, 0); err != nil && len(data) > 0 {
		return nil, d.refuseFor(err, name, "")
	}
	return data, nil
}

// smallFiles are the files that make a model directory usable beside its
// weights, with the most bytes that each may have.
var smallFiles = map[string]int64{
	"config.json":                    1 << 20,
	"generation_config.json":         1 << 20,
	"tokenizer.json":                 64 << 20,
	"tokenizer_config.json":          16 << 20,
	"special_tokens_map.json":        1 << 20,
	"added_tokens.json":              4 << 20,
	"chat_template.jinja":            1 << 20,
	"chat_template.json":             1 << 20,
	"vocab.json":                     64 << 20,
	"vocab.txt":                      64 << 20,
	"merges.txt":                     64 << 20,
	"tokenizer.model":                64 << 20,
	"preprocessor_config.json":       1 << 20,
	"processor_config.json":          1 << 20,
	"sentencepiece.bpe.model":        64 << 20,
	"spiece.model":                   64 << 20,
	"normalizer.json":                1 << 20,
	"video_preprocessor_config.json": 1 << 20,
}

// noWeights explains a directory without safetensors.
func (d *directory) noWeights() error {
	var pickles, others []string
	f, err := d.root.Open(".")
	if err != nil {
		return d.refuseFor(err, "", "")
	}
	defer func() { _ = f.Close() }()
	names, _ := f.Readdirnames(10_000) // an unreadable rest only makes the message poorer
	slices.Sort(names)
	for _, n := range names {
		switch strings.ToLower(filepath.Ext(n)) {
		case ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle":
			pickles = append(pickles, n)
		case ".safetensors", ".gguf":
			others = append(others, n)
		}
	}
	if len(pickles) > 0 {
		return d.refuse(pickles[0], "", "pickle checkpoints are refused: reading one can run any program",
			"convert it where you trust it: load it with transformers and call save_pretrained(OUT, safe_serialization=True)")
	}
	problem := "no model.safetensors and no " + IndexFile
	if len(others) > 0 {
		problem += ", only " + shown(strings.Join(others[:min(3, len(others))], ", "))
	}
	return d.refuse("", "", problem, "give a Hugging Face model directory")
}
