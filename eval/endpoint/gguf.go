package endpoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mergesearch"
)

// overwrite writes the bytes of one GGUF file over another of the same layout, in
// place: who has it mapped sees the new weights. Files with another header or size
// are refused before anything is written.
func overwrite(path, with string) (int64, error) {
	from, err := os.Open(with)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	start, size, err := ggufStart(from)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", with, err)
	}
	to, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer to.Close()
	info, err := to.Stat()
	if err != nil {
		return 0, err
	}
	headers := [2][]byte{make([]byte, start), make([]byte, start)}
	for i, f := range []*os.File{from, to} {
		if _, err := f.ReadAt(headers[i], 0); err != nil {
			return 0, errLayout
		}
	}
	if info.Size() != size || !bytes.Equal(headers[0], headers[1]) {
		return 0, errLayout
	}
	data := io.NewSectionReader(from, start, size-start)
	return io.CopyBuffer(io.NewOffsetWriter(to, start), onlyReader{data}, make([]byte, 4<<20))
}

// copyFile copies a file to a new one, if there is room for it.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if free, err := freeBytes(filepath.Dir(to)); err == nil && free < info.Size() {
		return &fullError{dir: filepath.Dir(to), need: info.Size(), free: free}
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closing := out.Close(); err == nil {
		err = closing
	}
	return err
}

// onlyReader keeps io.CopyBuffer to its buffer.
type onlyReader struct{ io.Reader }

var errLayout = errors.New("the new file has another header or size, so it cannot be written over the old one")

// wholeGGUF refuses a file that ends before its last tensor does. Of quantised
// tensors it knows only where they begin.
func wholeGGUF(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, err := ggufStart(f); err != nil {
		return &mergesearch.InputError{File: path, Problem: "not a whole GGUF file: " + err.Error()}
	}
	return nil
}

// ggufStart returns where the data of a file begins, and the size of the file.
func ggufStart(f *os.File) (start, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	s := ggufScan{r: bufio.NewReaderSize(f, 1<<20), size: info.Size()}
	s.header()
	if s.err == nil && s.start()+s.end > s.size {
		s.err = io.ErrUnexpectedEOF
	}
	return s.start(), s.size, s.err
}

// ggufScan walks over the header of a GGUF file. The first error stays.
type ggufScan struct {
	r     *bufio.Reader
	at    int64
	size  int64 // of the file; nothing in it can be longer
	align int64
	end   int64 // of the last tensor, from start
	err   error
}

// start returns where the data begins.
func (s *ggufScan) start() int64 { return (s.at + s.align - 1) / s.align * s.align }

func (s *ggufScan) skip(n uint64) {
	if s.err == nil && n > uint64(s.size-s.at) {
		s.err = io.ErrUnexpectedEOF
	}
	if s.err != nil {
		return
	}
	var done int
	done, s.err = s.r.Discard(int(n))
	s.at += int64(done)
}

func (s *ggufScan) number(bytes int) uint64 {
	var b [8]byte
	if s.err != nil {
		return 0
	}
	var n int
	n, s.err = io.ReadFull(s.r, b[:bytes])
	s.at += int64(n)
	return binary.LittleEndian.Uint64(b[:])
}

// text reads a string; long ones come back empty.
func (s *ggufScan) text() string {
	n := s.number(8)
	if n > 256 {
		s.skip(n)
		return ""
	}
	b := make([]byte, n)
	if s.err == nil {
		_, s.err = io.ReadFull(s.r, b)
		s.at += int64(n)
	}
	return string(b)
}

// ggufSizes are the bytes of the fixed-size types, by their number.
var ggufSizes = map[uint64]int{0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

const (
	ggufString = 8
	ggufArray  = 9
)

func (s *ggufScan) header() {
	s.align = 32
	if magic := s.number(4); s.err == nil && magic != 0x46554747 {
		s.err = errors.New("it does not begin with GGUF")
	}
	if v := s.number(4); s.err == nil && (v < 2 || v > 3) {
		s.err = fmt.Errorf("version %d", v)
	}
	tensors, pairs := s.number(8), s.number(8)
	for i := uint64(0); i < pairs && s.err == nil; i++ {
		s.pair()
	}
	for i := uint64(0); i < tensors && s.err == nil; i++ {
		s.tensor()
	}
}

// ggufElement are the bytes of an element in the types of tensors that are not
// quantised: F32, F16, I8, F64, BF16.
var ggufElement = map[uint64]uint64{0: 4, 1: 2, 24: 1, 28: 8, 30: 2}

// tensor walks over the description of a tensor and keeps where the last one ends.
func (s *ggufScan) tensor() {
	s.text()
	dimensions := s.number(4)
	if s.err == nil && dimensions > 8 {
		s.err = fmt.Errorf("a tensor of %d dimensions", dimensions)
	}
	elements := uint64(1)
	for range min(dimensions, 8) {
		n := s.number(8)
		if n > 0 && elements > uint64(s.size)/n { // more than the file holds
			n, elements = 1, uint64(s.size)+1
		}
		elements *= n
	}
	size, known := ggufElement[s.number(4)]
	if !known {
		size, elements = 1, 1
	}
	offset := s.number(8)
	if s.err == nil && (offset > uint64(s.size) || elements > uint64(s.size)/size) {
		s.err = io.ErrUnexpectedEOF
		return
	}
	s.end = max(s.end, int64(offset+elements*size))
}

// pair walks over a key and its value.
func (s *ggufScan) pair() {
	key := s.text()
	kind := s.number(4)
	if kind == ggufArray {
		kind = s.number(4)
		n := s.number(8)
		if kind == ggufString {
			for i := uint64(0); i < n && s.err == nil; i++ {
				s.skip(s.number(8))
			}
			return
		}
		size, known := ggufSizes[kind]
		if !known || n > uint64(s.size) {
			s.err = fmt.Errorf("an array of type %d", kind)
			return
		}
		s.skip(n * uint64(size))
		return
	}
	switch size, known := ggufSizes[kind]; {
	case kind == ggufString:
		s.text()
	case !known && s.err == nil:
		s.err = fmt.Errorf("a value of type %d", kind)
	default:
		v := s.number(size)
		if key == "general.alignment" && v > 0 && v <= 1<<16 {
			s.align = int64(v)
		}
	}
}
