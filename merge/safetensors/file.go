package safetensors

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
)

// OpenFile opens one safetensors file of a directory as a Checkpoint of its own:
// the weights of an adapter, say. It is checked as Open checks a model, but needs
// no other file. Errors are *mergesearch.InputError.
func OpenFile(dir, name string) (*Checkpoint, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	c := &Checkpoint{dir: dir, tensors: map[string]located{}}
	err = c.addShard(d, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.noFile(name)
	}
	if err != nil {
		c.Release()
		return nil, err
	}
	for name := range c.tensors {
		c.names = append(c.names, name)
	}
	SortNames(c.names)
	c.digest = sync.OnceValue(c.computeDigest)
	c.files = sync.OnceValues(func() (map[string][]byte, error) { return readSmallFiles(dir) })
	return c, nil
}

// noFile explains a directory without the file that was asked for.
func (d *directory) noFile(name string) error {
	stem := strings.TrimSuffix(name, ".safetensors")
	for _, suffix := range []string{".bin", ".pt", ".pth"} {
		if _, err := d.root.Lstat(stem + suffix); err == nil {
			return d.refuse(stem+suffix, "", "pickle checkpoints are refused: reading one can run any program", "convert it to "+name+" where you trust it")
		}
	}
	return d.refuse(name, "", "no such file", "")
}

// ReadFile reads a file of a directory, and nothing outside it, of at most so
// many bytes. Errors are *mergesearch.InputError.
func ReadFile(dir, name string, limit int64) ([]byte, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	data, err := d.read(name, limit)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.noFile(name)
	}
	return data, err
}
