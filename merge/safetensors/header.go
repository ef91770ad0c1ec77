package safetensors

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode"

	"mergesearch"
	"mergesearch/merge/jsonscan"
)

// Limits of what is read. Real checkpoints stay far below: the largest published, of
// 92,000 tensors, would fit in one file. Beyond them a file is refused before time and
// memory are spent on it. The reference implementation takes headers of up to 100 MB,
// which nobody writes and which would take seconds to read.
const (
	MaxHeaderBytes  = 16 << 20
	MaxFileTensors  = 100_000
	MaxTensors      = 200_000 // of a checkpoint
	MaxMetadata     = 10_000  // keys
	MaxRank         = 8
	MaxNameBytes    = 512
	MaxEmptyTensors = 1_000
)

// Info is what a header says of one tensor.
type Info struct {
	Name       string
	DType      mergesearch.DType
	Shape      []int
	Begin, End int64 // bytes, counted from the end of the header
}

// Header is the checked header of one file.
type Header struct {
	Tensors  []Info // by Begin
	Metadata map[string]string
	Length   int64 // bytes before the data: 8 and the JSON text
}

// A fieldError is a refusal that knows its field but not yet its file.
func fieldError(field, format string, args ...any) error {
	return &mergesearch.InputError{
		Field: shown(field), Problem: fmt.Sprintf(format, args...),
		Hint: "the file is damaged or was not written by a safetensors library; copy or download it again",
	}
}

// shown cuts a name from a file to what fits an error line.
func shown(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	if len(name) > 100 {
		return name[:100] + "..."
	}
	return name
}

// ParseHeader reads the header of a file of which text is a prefix that holds
// the header, or all of it, and size is the length. It checks all that can be
// checked without the data. Errors are *mergesearch.InputError without a file.
func ParseHeader(text []byte, size int64) (Header, error) {
	if size < 8 || len(text) < 8 {
		return Header{}, fieldError("header", "the file has %d bytes, too few for a header", size)
	}
	n := binary.LittleEndian.Uint64(text)
	switch {
	case string(text[:8]) == "version ": // how every pointer of git-lfs begins
		return Header{}, &mergesearch.InputError{
			Field: "header", Problem: "this is a git-lfs pointer, not the weights", Hint: "fetch the weights: git lfs pull",
		}
	case foreign(text[:8]) != "":
		return Header{}, &mergesearch.InputError{
			Field: "header", Problem: "this is " + foreign(text[:8]) + ", not safetensors", Hint: "get the model's safetensors files; a name alone does not make one",
		}
	case n > MaxHeaderBytes:
		return Header{}, fieldError("header", "claims %d bytes, more than the limit of %d", n, MaxHeaderBytes)
	case int64(n) > size-8:
		return Header{}, &mergesearch.InputError{
			Field: "header", Problem: fmt.Sprintf("truncated: claims %d bytes, the file has %d after the length", n, size-8),
			Hint: "the file is incomplete or no safetensors file; copy or download it again",
		}
	case int(n) > len(text)-8:
		panic("safetensors: the header was not read in full")
	case n == 0 || text[8] != '{':
		return Header{}, fieldError("header", "at byte 0: want '{' as the first byte")
	}
	h := Header{Length: 8 + int64(n)}
	s := &jsonscan.Scanner{Source: string(text[8 : 8+n])}
	most := strings.Count(s.Source, "{") - 1 // no fewer than tensors
	if most > MaxFileTensors {
		most = strings.Count(s.Source, `"data_offsets"`)
	}
	if most > MaxFileTensors {
		return Header{}, fieldError("header", "more than %d tensors", MaxFileTensors)
	}
	if err := h.read(s, most, size-h.Length); err != nil {
		var in *mergesearch.InputError
		if errors.As(err, &in) {
			return Header{}, err
		}
		return Header{}, fieldError("header", "%v", err)
	}
	return h, h.checkRanges(size - h.Length)
}

// foreign names another kind of file that begins so; "" when none is known. A header
// that begins so would be longer than the limit.
func foreign(start []byte) string {
	for _, kind := range []struct{ start, name string }{
		{"<!DOCTYP", "a web page"},
		{"<!doctyp", "a web page"},
		{"<html", "a web page"},
		{"PK\x03\x04", "a zip archive, as PyTorch writes them"},
		{"GGUF", "a GGUF file"},
		{"\x1f\x8b", "a gzip archive"},
	} {
		if strings.HasPrefix(string(start), kind.start) && binary.LittleEndian.Uint64(start) > MaxHeaderBytes {
			return kind.name
		}
	}
	return ""
}

// read reads the header of about as many tensors in a file with this many bytes of
// data. It stops as soon as no further tensor could make it right.
func (h *Header) read(s *jsonscan.Scanner, tensors int, data int64) error {
	var filled, end int64 // bytes of the tensors so far, and where the last of them ends
	empty := 0
	var short shortReader
	h.Tensors = make([]Info, 0, max(tensors, 0))
	err := s.Object(s.OnceOf(tensors, func(name string) error {
		if name == "__metadata__" {
			return h.readMetadata(s)
		}
		if len(h.Tensors) >= MaxFileTensors {
			return s.Fail("more than %d tensors", MaxFileTensors)
		}
		t, ok := short.read(s, name)
		if !ok {
			var err error
			if t, err = readInfo(s, name); err != nil {
				return err
			}
		}
		h.Tensors = append(h.Tensors, t)
		if t.Begin == t.End {
			if empty++; empty > MaxEmptyTensors {
				return fieldError(name, "more than %d empty tensors", MaxEmptyTensors)
			}
		}
		filled, end = filled+t.End-t.Begin, max(end, t.End)
		switch {
		case filled > end: // more than there is room for
			return h.overlap()
		case end > data:
			return &mergesearch.InputError{
				Field:   "data",
				Problem: fmt.Sprintf("truncated: the file has %d bytes, the header needs %d for %s", h.Length+data, h.Length+end, shown(name)),
				Hint:    "the file is incomplete; copy or download it again",
			}
		}
		return nil
	}))
	if err != nil {
		return err
	}
	return s.End()
}

func (h *Header) readMetadata(s *jsonscan.Scanner) error {
	h.Metadata = map[string]string{}
	return s.Object(s.Once(func(key string) error {
		if len(h.Metadata) >= MaxMetadata {
			return fieldError("header", "more than %d keys in __metadata__", MaxMetadata)
		}
		value, err := s.Text()
		h.Metadata[key] = value
		return err
	}))
}

var infoFields = [3]string{"dtype", "shape", "data_offsets"}

// readInfo reads {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}:
// these three keys, spelt so, each once.
func readInfo(s *jsonscan.Scanner, name string) (Info, error) {
	t := Info{Name: name}
	if err := checkName(name); err != nil {
		return t, err
	}
	var have [3]bool // kept without Once, which takes memory for each tensor
	fields := 0
	err := s.Object(func(key string) (err error) {
		field := slices.Index(infoFields[:], key)
		switch {
		case field < 0:
			return fieldError(name, "unknown field %.40q", key)
		case have[field]:
			return s.Fail("key %q comes twice", key)
		}
		have[field] = true
		fields++
		switch field {
		case 0:
			t.DType, err = readDType(s, name)
		case 1:
			t.Shape, err = readShape(s, name)
		case 2:
			t.Begin, t.End, err = readOffsets(s, name)
		}
		return err
	})
	if err == nil && fields != len(infoFields) {
		err = fieldError(name, "want dtype, shape and data_offsets, have %d of them", fields)
	}
	if err == nil {
		err = t.checkBytes()
	}
	return t, err
}

func checkName(name string) error {
	if name == "" || len(name) > MaxNameBytes {
		return fieldError(name, "tensor name of %d bytes, want 1 to %d", len(name), MaxNameBytes)
	}
	if isPrintable(name) {
		return nil
	}
	for _, r := range name {
		if (r < ' ' || r > '~') && !unicode.IsPrint(r) {
			return fieldError(name, "tensor name with the unprintable character %U", r)
		}
	}
	return nil
}

// isPrintable reports whether a name is of printable ASCII.
func isPrintable(name string) bool {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

func readDType(s *jsonscan.Scanner, name string) (mergesearch.DType, error) {
	text, err := s.Text()
	if err != nil {
		return "", err
	}
	d := mergesearch.DType(text)
	if d.Size() == 0 {
		e := fieldError(name+".dtype", "type %.20q cannot be read", text).(*mergesearch.InputError)
		e.Hint = "known: BF16, F16, F32, F64, F8_E4M3, F8_E5M2, I64, I32, I16, I8, U8, BOOL; convert the model first"
		return "", e
	}
	return d, nil
}

func readShape(s *jsonscan.Scanner, name string) ([]int, error) {
	var shape [MaxRank]int
	rank := 0
	err := s.Array(func(i int) error {
		if i >= MaxRank {
			return fieldError(name+".shape", "more than %d dimensions", MaxRank)
		}
		n, err := s.Uint()
		if err == nil && n > math.MaxInt32*1024 {
			err = fieldError(name+".shape", "dimension %d is too large", n)
		}
		shape[i] = int(n)
		rank++
		return err
	})
	return append(make([]int, 0, rank), shape[:rank]...), err
}

func readOffsets(s *jsonscan.Scanner, name string) (begin, end int64, err error) {
	var o [2]int64
	n := 0
	err = s.Array(func(i int) error {
		u, err := s.Uint()
		switch {
		case err != nil:
			return err
		case i >= 2:
			return fieldError(name+".data_offsets", "more than two numbers")
		case u > math.MaxInt64:
			return fieldError(name+".data_offsets", "offset %d is too large", u)
		}
		o[i] = int64(u)
		n++
		return nil
	})
	if err == nil && n != 2 {
		err = fieldError(name+".data_offsets", "want two numbers, have %d", n)
	}
	return o[0], o[1], err
}

// checkBytes demands that the range holds exactly the elements of the shape.
func (t Info) checkBytes() error {
	need := uint64(t.DType.Size())
	for _, d := range t.Shape {
		high, low := bits.Mul64(need, uint64(d))
		if high != 0 || low > math.MaxInt64 {
			return fieldError(t.Name+".shape", "%v of %s overflows", t.Shape, t.DType)
		}
		need = low
	}
	if t.Begin > t.End {
		return fieldError(t.Name+".data_offsets", "upside down: %d to %d", t.Begin, t.End)
	}
	if uint64(t.End-t.Begin) != need {
		return fieldError(t.Name+".data_offsets", "%d bytes, but shape %v of %s needs %d", t.End-t.Begin, t.Shape, t.DType, need)
	}
	return nil
}

// sort sorts the tensors by place.
func (h *Header) sort() {
	place := func(a, b Info) int { return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End)) }
	if !slices.IsSortedFunc(h.Tensors, place) { // most writers sort
		slices.SortStableFunc(h.Tensors, place)
	}
}

// overlap returns the error of the first tensor that begins inside another; there
// is one.
func (h *Header) overlap() error {
	h.sort()
	var end int64
	for _, t := range h.Tensors {
		if t.Begin < end {
			return inside(t, end)
		}
		end = t.End
	}
	panic("safetensors: no tensor begins inside another")
}

func inside(t Info, end int64) error {
	return fieldError(t.Name+".data_offsets", "begins at %d, inside the tensor that ends at %d", t.Begin, end)
}

// checkRanges sorts the tensors and demands that they fill the data without hole
// or overlap.
func (h *Header) checkRanges(data int64) error {
	h.sort()
	var end int64
	for _, t := range h.Tensors {
		switch {
		case t.Begin > end:
			return fieldError(t.Name+".data_offsets", "begins at %d, leaving a hole after %d", t.Begin, end)
		case t.Begin < end:
			return inside(t, end)
		}
		end = t.End
	}
	if end < data {
		return fieldError("data", "%d bytes after the last tensor", data-end)
	}
	return nil
}

// Append appends the header as it stands in a file, length included, padded so
// that the data begins at a multiple of 8. Tensors keep their order.
func (h Header) Append(to []byte) []byte {
	var b []byte
	b = append(b, '{')
	if len(h.Metadata) > 0 {
		b = append(append(b, `"__metadata__":`...), quoteJSON(h.Metadata)...)
	}
	for _, t := range h.Tensors {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, quoteJSON(t.Name)...), `:{"dtype":"`...)
		b = append(append(b, t.DType...), `","shape":`...)
		if len(t.Shape) == 0 {
			b = append(b, "[]"...)
		} else {
			b = append(b, quoteJSON(t.Shape)...)
		}
		b = fmt.Appendf(b, `,"data_offsets":[%d,%d]}`, t.Begin, t.End)
	}
	b = append(b, '}')
	for (8+len(b))%8 != 0 {
		b = append(b, ' ')
	}
	to = binary.LittleEndian.AppendUint64(to, uint64(len(b)))
	return append(to, b...)
}

// quoteJSON marshals strings, numbers and maps of strings, which cannot fail.
func quoteJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("safetensors: " + err.Error())
	}
	return b
}
