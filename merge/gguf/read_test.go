package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
)

// readFile is a GGUF file as a reader sees it that knows the format alone.
type readFile struct {
	metadata map[string]any
	keys     []string
	tensors  map[string]readTensor
	names    []string
}

type readTensor struct {
	dims   []uint64 // innermost first
	kind   uint32
	offset uint64
	data   []byte
}

// cursor reads little-endian values.
type cursor struct {
	tb testing.TB
	b  []byte
	at int
}

func (c *cursor) take(n int) []byte {
	c.tb.Helper()
	if n < 0 || n > len(c.b)-c.at {
		c.tb.Fatalf("%d bytes at %d of %d", n, c.at, len(c.b))
	}
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *cursor) u32() uint32    { return binary.LittleEndian.Uint32(c.take(4)) }
func (c *cursor) u64() uint64    { return binary.LittleEndian.Uint64(c.take(8)) }
func (c *cursor) string() string { return string(c.take(int(c.u64()))) }

func (c *cursor) value(kind uint32) any {
	switch kind {
	case 4:
		return c.u32()
	case 5:
		return int32(c.u32())
	case 6:
		return math.Float32frombits(c.u32())
	case 7:
		return c.take(1)[0] == 1
	case 8:
		return c.string()
	case 9:
		element, n := c.u32(), int(c.u64())
		list := make([]any, n)
		for i := range list {
			list[i] = c.value(element)
		}
		return list
	}
	c.tb.Fatalf("value of type %d", kind)
	return nil
}

// read takes a file apart and checks what the format demands of any file.
func read(tb testing.TB, b []byte) readFile {
	tb.Helper()
	c := &cursor{tb: tb, b: b}
	if m, v := string(c.take(4)), c.u32(); m != "GGUF" || v != 3 {
		tb.Fatalf("begins with %q, version %d", m, v)
	}
	tensors, keys := c.u64(), c.u64()
	f := readFile{metadata: map[string]any{}, tensors: map[string]readTensor{}}
	for range keys {
		key := c.string()
		if _, twice := f.metadata[key]; twice {
			tb.Errorf("key %s twice", key)
		}
		f.keys = append(f.keys, key)
		f.metadata[key] = c.value(c.u32())
	}
	for range tensors {
		name := c.string()
		t := readTensor{dims: make([]uint64, c.u32())}
		for i := range t.dims {
			t.dims[i] = c.u64()
		}
		t.kind, t.offset = c.u32(), c.u64()
		if _, twice := f.tensors[name]; twice {
			tb.Errorf("tensor %s twice", name)
		}
		f.names = append(f.names, name)
		f.tensors[name] = t
	}
	start := (c.at + 31) / 32 * 32
	end := uint64(0)
	for _, name := range f.names {
		t := f.tensors[name]
		if t.offset != end || t.offset%32 != 0 {
			tb.Errorf("%s at %d, want %d", name, t.offset, end)
		}
		t.data = b[start+int(t.offset):][:t.size(tb)]
		end = (t.offset + uint64(len(t.data)) + 31) / 32 * 32
		f.tensors[name] = t
	}
	if start+int(end) != len(b) {
		tb.Errorf("the file has %d bytes, want %d", len(b), start+int(end))
	}
	return f
}

func (t readTensor) size(tb testing.TB) int {
	n := 1
	for _, d := range t.dims {
		n *= int(d)
	}
	switch t.kind {
	case 0:
		return 4 * n
	case 1, 30:
		return 2 * n
	}
	tb.Fatal(fmt.Errorf("tensor of type %d", t.kind))
	return 0
}
