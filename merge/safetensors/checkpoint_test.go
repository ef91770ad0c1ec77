package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

// sample returns tensors of several types, a scalar and an empty one among them.
func sample() []mergesearch.Tensor {
	var out []mergesearch.Tensor
	for i, t := range []mergesearch.Tensor{
		{Name: "model.embed_tokens.weight", DType: mergesearch.BF16, Shape: []int{7, 3}},
		{Name: "model.layers.0.mlp.up_proj.weight", DType: mergesearch.F32, Shape: []int{5}},
		{Name: "model.layers.0.ids", DType: mergesearch.I64, Shape: []int{}},
		{Name: "model.layers.1.none", DType: mergesearch.F16, Shape: []int{0, 4}},
		{Name: "lm_head.weight", DType: mergesearch.F16, Shape: []int{3, 3}},
	} {
		t.Data = make([]byte, t.Elements()*t.DType.Size())
		for j := range t.Data {
			t.Data[j] = byte(i*37 + j*11)
		}
		out = append(out, t)
	}
	return out
}

func write(t testing.TB, dir string, tensors []mergesearch.Tensor, shard int64) {
	t.Helper()
	w, err := Create(dir, tensors, WriterOptions{ShardBytes: shard})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, x := range tensors {
		for part := range slices.Chunk(x.Data, 16) {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.AddFile("config.json", []byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestWrittenIsRead(t *testing.T) {
	want := sample()
	var digests []string
	for _, shard := range []int64{0, 1, 50} {
		dir := filepath.Join(t.TempDir(), "m")
		write(t, dir, want, shard)
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		if len(c.Names()) != len(want) {
			t.Fatalf("names %v", c.Names())
		}
		for _, x := range want {
			got, err := c.Tensor(x.Name)
			if err != nil || !bytes.Equal(got.Data, x.Data) || got.DType != x.DType || !slices.Equal(got.Shape, x.Shape) {
				t.Errorf("%v, %v: want %v", got, err, x)
			}
		}
		digests = append(digests, c.Digest())
		if files, err := c.Files(); err != nil || string(files["config.json"]) != "{}\n" {
			t.Errorf("files %v, %v", files, err)
		}
	}
	if digests[0] != digests[1] || digests[0] != digests[2] || len(digests[0]) != 64 {
		t.Errorf("digests follow the shards: %v", digests)
	}
}

func TestReleasedTensorsAreGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	write(t, dir, sample(), 0)
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	c.Release()
	if _, err := c.Tensor("lm_head.weight"); err == nil {
		t.Error("a released checkpoint hands out tensors")
	}
}

func TestOrderOfUse(t *testing.T) {
	names := []string{
		"lm_head.weight", "model.norm.weight", "model.layers.10.mlp.up_proj.weight", "model.layers.2.self_attn.q_proj.weight",
		"model.layers.2.input_layernorm.weight", "model.layers.2.post_attention_layernorm.weight", "model.embed_tokens.weight",
		"model.layers.2.mlp.down_proj.weight", "model.layers.10.input_layernorm.weight",
	}
	SortNames(names)
	want := []string{
		"model.embed_tokens.weight", "model.layers.2.input_layernorm.weight", "model.layers.2.self_attn.q_proj.weight",
		"model.layers.2.post_attention_layernorm.weight", "model.layers.2.mlp.down_proj.weight", "model.layers.10.input_layernorm.weight",
		"model.layers.10.mlp.up_proj.weight", "model.norm.weight", "lm_head.weight",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
}

// Each case spoils a sharded model in one way.
func TestBadDirectories(t *testing.T) {
	const first, second = "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"
	for _, c := range []struct {
		name  string
		spoil func(dir string) error
		file  string
		want  []string
	}{
		{"missing shard", func(d string) error { return os.Remove(filepath.Join(d, second)) }, second, []string{"missing", "shard 2 of 3"}},
		{"truncated shard", func(d string) error { return os.Truncate(filepath.Join(d, second), 100) }, second, []string{"truncated"}},
		{"truncated data", func(d string) error {
			st, err := os.Stat(filepath.Join(d, first))
			if err != nil {
				return err
			}
			return os.Truncate(filepath.Join(d, first), st.Size()-1)
		}, first, []string{"truncated", "the header needs"}},
		{"empty shard", func(d string) error { return os.Truncate(filepath.Join(d, second), 0) }, second, []string{"too few"}},
		{"shard is a directory", func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, second)), os.Mkdir(filepath.Join(d, second), 0o777))
		}, second, []string{"regular file"}},
		{"shard is a pipe", func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, second)), syscall.Mkfifo(filepath.Join(d, second), 0o666))
		}, second, []string{"regular file"}},
		{"shard links out", func(d string) error {
			return errors.Join(os.Remove(filepath.Join(d, second)), os.Symlink("/etc/passwd", filepath.Join(d, second)))
		}, second, []string{"escapes"}},
		{"shard swapped", func(d string) error {
			b, err := os.ReadFile(filepath.Join(d, first))
			return errors.Join(err, os.WriteFile(filepath.Join(d, second), b, 0o666))
		}, second, []string{"is in " + first + " too"}},
		{"index names another tensor", func(d string) error { return replace(filepath.Join(d, IndexFile), "lm_head", "lm_haed") }, IndexFile, []string{"lm_haed", "does not hold"}},
		{"index lacks a tensor", func(d string) error {
			return replace(filepath.Join(d, IndexFile), "\"model.layers.0.ids\": \""+second+"\",", "")
		}, second, []string{"model.layers.0.ids", "is not in"}},
		{"index leads out", func(d string) error { return replace(filepath.Join(d, IndexFile), first, "../"+first) }, IndexFile, []string{"refused"}},
		{"index is no JSON", func(d string) error { return os.WriteFile(filepath.Join(d, IndexFile), []byte("weight_map:"), 0o666) }, IndexFile, []string{"want"}},
		{"huge config", func(d string) error { return os.Truncate(filepath.Join(d, "config.json"), 2<<20) }, "config.json", []string{"limit"}},
		{"interrupted", func(d string) error { return os.WriteFile(filepath.Join(d, incompleteFile), nil, 0o666) }, "", []string{"incomplete"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "m")
			write(t, dir, sample(), 32)
			if err := c.spoil(dir); err != nil {
				t.Fatal(err)
			}
			mustRefuse(t, dir, filepath.Join(dir, c.file), c.want...)
		})
	}
}

func mustRefuse(t *testing.T, dir, file string, want ...string) {
	t.Helper()
	attacktest.Directory(t, filepath.Base(t.Name())+" "+filepath.Base(file), dir)
	began := time.Now()
	c, err := Open(dir)
	if err == nil {
		c.Release()
		t.Fatal("accepted")
	}
	t.Logf("%v: %v", time.Since(began).Round(time.Microsecond), err)
	var in *mergesearch.InputError
	if !errors.As(err, &in) || in.File != file {
		t.Fatalf("got %v, want an input error of %s", err, file)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
}

func replace(file, old, new string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte(old)) {
		return fmt.Errorf("%s does not contain %q", file, old)
	}
	return os.WriteFile(file, bytes.Replace(b, []byte(old), []byte(new), 1), 0o666)
}

func TestDirectoriesWithoutWeights(t *testing.T) {
	dir := t.TempDir()
	mustRefuse(t, dir, dir, "no model.safetensors")
	mustRefuse(t, filepath.Join(dir, "none"), filepath.Join(dir, "none"), "no such")
	for _, name := range []string{"pytorch_model.bin", "consolidated.00.pth", "model.pt"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("\x80\x02"), 0o666); err != nil {
			t.Fatal(err)
		}
		mustRefuse(t, dir, filepath.Join(dir, name), "pickle")
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	mustRefuse(t, plain, plain, "not a directory")
}

// A snapshot of a Hugging Face cache has links to blobs, which are followed; links
// elsewhere are not.
func TestHuggingFaceCache(t *testing.T) {
	root := t.TempDir()
	model := filepath.Join(root, "models--org--name")
	snapshot, blobs := filepath.Join(model, "snapshots", "abc123"), filepath.Join(model, "blobs")
	for _, d := range []string{snapshot, blobs} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "plain"), sample(), 0)
	for _, f := range []string{SingleFile, "config.json"} {
		blob := fmt.Sprintf("%x", f)
		if err := errors.Join(
			os.Rename(filepath.Join(root, "plain", f), filepath.Join(blobs, blob)),
			os.Symlink("../../blobs/"+blob, filepath.Join(snapshot, f)),
		); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Open(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if files, err := c.Files(); err != nil || string(files["config.json"]) != "{}\n" {
		t.Errorf("files %v, %v", files, err)
	}
	c.Release()
	weights := filepath.Join(snapshot, SingleFile)
	for _, target := range []string{"../../../plain/COMPLETE", "../../blobs/../x", "../../blobs/none", "/etc/passwd"} {
		if err := errors.Join(os.Remove(weights), os.Symlink(target, weights)); err != nil {
			t.Fatal(err)
		}
		if c, err := Open(snapshot); err == nil {
			c.Release()
			t.Errorf("a link to %s is followed", target)
		}
	}
}

// The largest claims a header can make, in files that are sparse and so cost
// nothing to make.
func TestHugeClaims(t *testing.T) {
	for name, c := range map[string]struct {
		head []byte
		size int64
	}{
		"header of 2^63 bytes":  {binary.LittleEndian.AppendUint64(nil, 1<<63), 1 << 20},
		"header over the limit": {binary.LittleEndian.AppendUint64(nil, MaxHeaderBytes+1), 1 << 30},
		"header of zeros":       {binary.LittleEndian.AppendUint64(nil, MaxHeaderBytes), 1 << 30},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, SingleFile)
			if err := errors.Join(os.WriteFile(path, c.head, 0o666), os.Truncate(path, c.size)); err != nil {
				t.Fatal(err)
			}
			mustRefuse(t, dir, path, "header")
		})
	}
}
