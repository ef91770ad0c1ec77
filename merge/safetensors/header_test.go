package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// Each header lies in one way and is refused with the field that lies.
var lies = []struct{ name, header, field, problem string }{
	{"not an object", `[]`, "header", "first byte"},
	{"space before the object", ` {}`, "header", "first byte"},
	{"text after the object", `{}x`, "header", "after the end"},
	{"cut off", `{"a":{"dtype":"BF16"`, "header", "the end"},
	{"tensor twice", `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, "header", "comes twice"},
	{"field twice", `{"a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, "header", "comes twice"},
	{"field in capitals", `{"a":{"DTYPE":"U8","shape":[8],"data_offsets":[0,8]}}`, "a", "unknown field"},
	{"further field", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1}}`, "a", "unknown field"},
	{"missing field", `{"a":{"dtype":"U8","shape":[8]}}`, "a", "have 2"},
	{"null for a field", `{"a":{"dtype":null,"shape":[8],"data_offsets":[0,8]}}`, "header", "want '\"'"},
	{"unknown type", `{"a":{"dtype":"F4","shape":[8],"data_offsets":[0,8]}}`, "a.dtype", "cannot be read"},
	{"type in small letters", `{"a":{"dtype":"u8","shape":[8],"data_offsets":[0,8]}}`, "a.dtype", "cannot be read"},
	{"three offsets", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8,8]}}`, "a.data_offsets", "more than two"},
	{"one offset", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[8]}}`, "a.data_offsets", "have 1"},
	{"negative offset", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[-8,0]}}`, "header", "whole number"},
	{"fractional offset", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0.0,8]}}`, "header", "whole number"},
	{"offset with exponent", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8e0]}}`, "header", "whole number"},
	{"offset with leading zero", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,08]}}`, "header", "leading zero"},
	{"offsets upside down", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]}}`, "a.data_offsets", "upside down"},
	{"offset beyond 64 bits", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,99999999999999999999]}}`, "header", "too large"},
	{"offset beyond 63 bits", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,18446744073709551615]}}`, "a.data_offsets", "too large"},
	{"shape too small", `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,8]}}`, "a.data_offsets", "needs 4"},
	{"shape overflows", `{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}`, "a.shape", "overflows"},
	{"dimension overflows", `{"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]}}`, "a.shape", "too large"},
	{"nine dimensions", `{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,8],"data_offsets":[0,8]}}`, "a.shape", "dimensions"},
	{"hole", `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, "b.data_offsets", "hole"},
	{"hole in front", `{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, "a.data_offsets", "hole"},
	{"overlap", `{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, "b.data_offsets", "inside"},
	{"same range", `{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, "b.data_offsets", "inside"},
	{"data after the last tensor", `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, "data", "after the last"},
	{"data without tensors", `{}`, "data", "after the last"},
	{"data missing", `{"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}`, "data", "truncated"},
	{"empty name", `{"":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, "", "name of 0 bytes"},
	{"name with an escape sequence", `{"a\u001b[31m":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, "a?[31m", "unprintable"},
	{"name with text direction", `{"a\u202eb":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, "a?b", "unprintable"},
	{"name not UTF-8", "{\"a\xff\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", "header", "UTF-8"},
	{"name with half a surrogate", `{"a\ud800":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, "header", "surrogate"},
	{"long name", `{"` + strings.Repeat("a", 513) + `":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, strings.Repeat("a", 100) + "...", "513 bytes"},
	{"metadata with a number", `{"__metadata__":{"a":1}}`, "header", "want '\"'"},
	{"metadata key twice", `{"__metadata__":{"a":"1","a":"2"}}`, "header", "comes twice"},
	{"metadata twice", `{"__metadata__":{},"__metadata__":{}}`, "header", "comes twice"},
}

func TestLyingHeadersAreRefused(t *testing.T) {
	for _, c := range lies {
		t.Run(c.name, func(t *testing.T) {
			b := file(c.header, 8)
			attacktest.Weights(t, c.name, b)
			_, err := ParseHeader(b, int64(len(b)))
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("got %v, want an input error", err)
			}
			if in.Field != c.field || !strings.Contains(in.Problem, c.problem) || strings.Contains(in.Error(), "\n") {
				t.Errorf("got %q, want field %q and %q", in, c.field, c.problem)
			}
		})
	}
}

func TestHeaderLengthIsCheckedFirst(t *testing.T) {
	for n, want := range map[uint64]string{
		MaxHeaderBytes + 1: "limit", 1 << 63: "limit", ^uint64(0): "limit", 9: "truncated", MaxHeaderBytes: "truncated",
	} {
		b := binary.LittleEndian.AppendUint64(nil, n)
		b = append(b, `{}      `...)
		attacktest.Weights(t, fmt.Sprintf("length %d", n), b)
		if _, err := ParseHeader(b, int64(len(b))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("length %d: %v, want %q", n, err, want)
		}
	}
	for n := range 8 {
		if _, err := ParseHeader(make([]byte, n), int64(n)); err == nil {
			t.Errorf("a file of %d bytes is accepted", n)
		}
	}
}

// The reference implementation's attack samples, made smaller: very many tensors
// over one range, and very many empty ones.
func TestBombs(t *testing.T) {
	var same, empty, many, metadata strings.Builder
	for i := range MaxFileTensors + 1 {
		fmt.Fprintf(&many, `,"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
		if i < MaxFileTensors {
			fmt.Fprintf(&same, `,"t%d":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}`, i)
		}
		if i <= MaxMetadata {
			fmt.Fprintf(&metadata, `,"%d":""`, i)
		}
		if i <= MaxEmptyTensors {
			fmt.Fprintf(&empty, `,"t%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i)
		}
	}
	for name, header := range map[string]string{
		"inside": same.String(), "empty tensors": empty.String(), "more than 100000": many.String(),
		"more than 10000 keys":   `,"__metadata__":{` + metadata.String()[1:] + "}",
		"more than 8 dimensions": `,"a":{"dtype":"U8","shape":` + strings.Repeat("[", 1000), "want": `,"__metadata__":` + strings.Repeat(`{"a":`, 100_000),
	} {
		b := file("{"+header[1:]+"}", 8)
		attacktest.Weights(t, name, b)
		if _, err := ParseHeader(b, int64(len(b))); err == nil || !strings.Contains(err.Error(), name) && !strings.Contains(err.Error(), "want") {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

// A fault at the end of the longest header, or behind it, is found when all is read.
func TestFaultAtTheEnd(t *testing.T) {
	data := make([]byte, 2*MaxFileTensors)
	whole := many()
	cut := bytes.Clone(whole)
	cut[bytes.LastIndexByte(cut, '}')] = ' '
	for want, b := range map[string][]byte{
		"1 bytes after the last tensor": append(append(whole, data...), 0),
		"have the end":                  append(cut, data...),
	} {
		attacktest.Weights(t, want, b)
		if _, err := ParseHeader(b, int64(len(b))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// many is the header of as many tensors as a file may have, of two bytes each.
func many() []byte {
	h := Header{}
	for i := range MaxFileTensors {
		h.Tensors = append(h.Tensors, Info{
			Name: fmt.Sprintf("model.layers.%d.mlp.experts.%d.up_proj.weight", i/1000, i%1000), DType: mergesearch.BF16, Shape: []int{1, 1},
			Begin: 2 * int64(i), End: 2 * int64(i+1),
		})
	}
	return h.Append(nil)
}

func BenchmarkParseHeader(b *testing.B) {
	text := many()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ParseHeader(text, int64(len(text))+2*MaxFileTensors); err != nil {
			b.Fatal(err)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	h := Header{
		Metadata: map[string]string{"format": "pt", "quoted \" é": "\u2028<"},
		Tensors: []Info{
			{Name: "scalar", DType: mergesearch.F32, Shape: []int{}, Begin: 0, End: 4},
			{Name: `odd "name" \ é`, DType: mergesearch.BF16, Shape: []int{2, 3}, Begin: 4, End: 16},
			{Name: "empty", DType: mergesearch.I64, Shape: []int{0, 5}, Begin: 16, End: 16},
		},
	}
	b := h.Append(nil)
	if len(b)%8 != 0 {
		t.Errorf("the data begins at %d", len(b))
	}
	h.Length = int64(len(b))
	got, err := ParseHeader(append(b, make([]byte, 16)...), int64(len(b)+16))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h, got); d != "" {
		t.Error(d)
	}
}

func FuzzHeader(f *testing.F) {
	for _, c := range lies {
		f.Add(file(c.header, 8))
	}
	f.Add(Header{Metadata: map[string]string{"a": "b"}, Tensors: []Info{{Name: "x", DType: "F16", Shape: []int{4}, End: 8}}}.Append(nil))
	f.Add(file(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b, int64(len(b)))
		if err != nil {
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("refused with %T: %v", err, err)
			}
			return
		}
		data := b[h.Length:]
		again := h.Append(nil)
		h.Length = int64(len(again))
		got, err := ParseHeader(append(again, data...), int64(len(again)+len(data)))
		if err != nil {
			t.Fatalf("accepted, but refused when written again: %v", err)
		}
		if len(h.Metadata) == 0 {
			h.Metadata, got.Metadata = nil, nil
		}
		if d := cmp.Diff(h, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestIndex(t *testing.T) {
	x, err := ParseIndex([]byte(`{"metadata": {"total_size": 12, "other": [1, {"a": null}]}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}`))
	if err != nil || x.TotalSize != 12 || len(x.Shards()) != 2 {
		t.Errorf("got %v, %v", x, err)
	}
	for text, want := range map[string]string{
		`{}`:                       "missing or empty",
		`{"weight_map": {}}`:       "missing or empty",
		`{"weight_map": {"a": 1}}`: "want",
		`{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}`: "twice",
		`{"Weight_Map": {"a": "x.safetensors"}}`:                       "unknown key",
		`{"weight_map": {"a": "../x.safetensors"}}`:                    "refused",
		`{"weight_map": {"a": "/etc/x.safetensors"}}`:                  "refused",
		`{"weight_map": {"a": "a/x.safetensors"}}`:                     "refused",
		`{"weight_map": {"a": "x.safetensors\u0000"}}`:                 "refused",
		`{"weight_map": {"a": "x.bin"}}`:                               "refused",
		`{"weight_map": {"a": ".safetensors\n"}}`:                      "refused",
		`{"weight_map": {"a": "C:\\x.safetensors"}}`:                   "refused",
		`{"weight_map": {"a": "x.safetensors"}} {}`:                    "after the end",
		`{"metadata": {"a": ` + strings.Repeat("[", 1e6):               "deeper",
		`{"metadata": {"a": 01}}`:                                      "want a value",
		`{"metadata": {"a": nul}}`:                                     "want a value",
	} {
		attacktest.Index(t, want, []byte(text))
		_, err := ParseIndex([]byte(text))
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(in.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata": {"total_size": 12}, "weight_map": {"a": "m-1.safetensors", "b\"\u00e9": "m-2.safetensors"}}`))
	f.Add([]byte(`{"weight_map": {"a": "../x.safetensors"}}`))
	f.Add([]byte(`{"metadata": {"total_size": 1.5e3, "x": [true, null, {"y": -0.1}]}, "weight_map": {}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := ParseIndex(b)
		if err != nil {
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("refused with %T: %v", err, err)
			}
			return
		}
		got, err := ParseIndex(x.Marshal())
		if err != nil {
			t.Fatalf("accepted, but refused when written again: %v", err)
		}
		if d := cmp.Diff(x, got); d != "" {
			t.Fatal(d)
		}
	})
}
