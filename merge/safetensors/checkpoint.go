package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"sync"
	"syscall"

	"mergesearch"
)

// SingleFile is the name of the weights of a model that is not sharded.
const SingleFile = "model.safetensors"

// Checkpoint is an opened model directory whose weights are mapped into memory.
// It implements mergesearch.Tensors and is safe for concurrent use.
type Checkpoint struct {
	dir     string
	shards  []shard
	tensors map[string]located
	names   []string
	mapped  int64

	release sync.Once
	gone    bool
	mu      sync.RWMutex // guards gone

	digest func() string
	files  func() (map[string][]byte, error)
}

type shard struct {
	name string
	data []byte // the whole file
	head Header
}

type located struct {
	Info
	shard int
}

var _ mergesearch.Tensors = (*Checkpoint)(nil)

// Open opens and checks a model directory. It reads headers and the index, and
// maps the files, but reads no tensor. Errors are *mergesearch.InputError.
func Open(dir string) (*Checkpoint, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	if _, err := d.root.Lstat(incompleteFile); err == nil {
		return nil, d.refuse("", "", "an interrupted write left this directory incomplete", "build the model again")
	}
	c := &Checkpoint{dir: dir, tensors: map[string]located{}}
	if err := c.openShards(d); err != nil {
		c.Release()
		return nil, err
	}
	if len(c.tensors) == 0 {
		c.Release()
		return nil, d.refuse(c.shards[0].name, "header", "no tensors", "the file is whole and holds nothing; copy or download the model again")
	}
	if err := c.checkSmallFiles(d); err != nil {
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

func (c *Checkpoint) openShards(d *directory) error {
	text, err := d.read(IndexFile, MaxIndexBytes)
	if errors.Is(err, fs.ErrNotExist) {
		err := c.addShard(d, SingleFile)
		if errors.Is(err, fs.ErrNotExist) {
			return d.noWeights()
		}
		return err
	}
	if err != nil {
		return err
	}
	index, err := ParseIndex(text)
	if err != nil {
		return mergesearch.InFile(err, filepath.Join(d.path, IndexFile))
	}
	names := index.Shards()
	for i, name := range names {
		err := c.addShard(d, name)
		if errors.Is(err, fs.ErrNotExist) {
			return d.refuse(name, "", fmt.Sprintf("missing: shard %d of %d that the index names", i+1, len(names)), "copy or download it again")
		}
		if err != nil {
			return err
		}
	}
	return c.checkIndex(d, index)
}

// addShard maps a file and takes in its tensors.
func (c *Checkpoint) addShard(d *directory, name string) error {
	f, st, err := d.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // the mapping keeps the file
	file := filepath.Join(d.path, name)
	size := st.Size()
	if size < 8 {
		_, err := ParseHeader(nil, size)
		return mergesearch.InFile(err, file)
	}
	data, err := mapFile(f, size)
	if err != nil {
		return fmt.Errorf("map %s: %w", file, err)
	}
	c.mapped += size
	c.shards = append(c.shards, shard{name: name, data: data})
	s := &c.shards[len(c.shards)-1]
	if s.head, err = ParseHeader(data, size); err != nil {
		return mergesearch.InFile(err, file)
	}
	for _, t := range s.head.Tensors {
		if other, twice := c.tensors[t.Name]; twice {
			return d.refuse(name, shown(t.Name), "tensor is in "+c.shards[other.shard].name+" too", "an index and two versions of its shards are mixed; copy or download all of them again")
		}
		if len(c.tensors) >= MaxTensors {
			return d.refuse(name, "header", fmt.Sprintf("more than %d tensors in all shards", MaxTensors), "no real model comes near the limit")
		}
		c.tensors[t.Name] = located{Info: t, shard: len(c.shards) - 1}
	}
	return nil
}

func mapFile(f *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size {
		return nil, syscall.ENOMEM
	}
	return syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
}

// checkIndex demands that index and shards agree on every tensor.
func (c *Checkpoint) checkIndex(d *directory, x Index) error {
	var wrong []string
	for name, file := range x.Shard {
		if t, ok := c.tensors[name]; !ok || c.shards[t.shard].name != file {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) > 0 {
		sort.Strings(wrong)
		return d.refuse(IndexFile, "weight_map."+shown(wrong[0]), "the shard "+x.Shard[wrong[0]]+" does not hold this tensor", "index and shards belong to different versions; copy or download all of them again")
	}
	for _, s := range c.shards {
		for _, t := range s.head.Tensors {
			if _, ok := x.Shard[t.Name]; !ok {
				return d.refuse(s.name, shown(t.Name), "tensor is not in "+IndexFile, "index and shards belong to different versions; copy or download all of them again")
			}
		}
	}
	return nil
}

// Dir returns the directory as it was given to Open.
func (c *Checkpoint) Dir() string { return c.dir }

// Names returns the tensor names in the order in which the model uses them. The
// caller must not change the slice.
func (c *Checkpoint) Names() []string { return c.names }

// Info returns what the header says of a tensor.
func (c *Checkpoint) Info(name string) (Info, bool) {
	t, ok := c.tensors[name]
	return t.Info, ok
}

// File returns the path of the file that holds a tensor, or the directory when
// none does.
func (c *Checkpoint) File(name string) string {
	if t, ok := c.tensors[name]; ok {
		return filepath.Join(c.dir, c.shards[t.shard].name)
	}
	return c.dir
}

// MappedBytes returns the size of the files that are mapped.
func (c *Checkpoint) MappedBytes() int64 { return c.mapped }

// Tensor returns a tensor whose data lies in the mapped file.
func (c *Checkpoint) Tensor(name string) (mergesearch.Tensor, error) {
	t, ok := c.tensors[name]
	if !ok {
		return mergesearch.Tensor{}, fmt.Errorf("%s: no tensor %q", c.dir, name)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.gone {
		return mergesearch.Tensor{}, fmt.Errorf("%s: tensor %q of a checkpoint that was released", c.dir, name)
	}
	s := &c.shards[t.shard]
	return mergesearch.Tensor{
		Name: name, DType: t.DType, Shape: t.Shape,
		Data: s.data[s.head.Length+t.Begin : s.head.Length+t.End : s.head.Length+t.End],
	}, nil
}

// Digest reads all tensors at the first call and keeps the result. It is empty
// after Release if it was not asked before.
func (c *Checkpoint) Digest() string { return c.digest() }

func (c *Checkpoint) computeDigest() string {
	var d Digests
	for _, name := range c.names {
		t, err := c.Tensor(name)
		if err != nil {
			return ""
		}
		d.Add(t)
	}
	return d.Digest()
}

// Files returns the small files beside the weights by base name, read at the
// first call. The caller must not change them.
func (c *Checkpoint) Files() (map[string][]byte, error) { return c.files() }

// ReadFile returns another small file of the directory, or fs.ErrNotExist. Files
// of more bytes than the limit are a *mergesearch.InputError.
func (c *Checkpoint) ReadFile(name string, limit int64) ([]byte, error) {
	d, err := openDirectory(c.dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	return d.read(name, limit)
}

// Release unmaps the files. Data of tensors must not be touched afterwards.
func (c *Checkpoint) Release() {
	c.release.Do(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gone = true
		for _, s := range c.shards {
			_ = syscall.Munmap(s.data) // fails only for what was not mapped
		}
	})
}

// checkSmallFiles checks the sizes of the files beside the weights.
func (c *Checkpoint) checkSmallFiles(d *directory) error {
	for name, limit := range smallFiles {
		f, st, err := d.open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		_ = f.Close()
		if st.Size() > limit {
			return d.refuse(name, "", fmt.Sprintf("%d bytes, more than the limit of %d", st.Size(), limit), "")
		}
	}
	return nil
}

func readSmallFiles(dir string) (map[string][]byte, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	files := map[string][]byte{}
	for name, limit := range smallFiles {
		data, err := d.read(name, limit)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}
