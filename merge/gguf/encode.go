package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The format's numbers (version 3).
const (
	magic     = "GGUF"
	version   = 3
	alignment = 32 // of every tensor, in bytes, counted from the first
)

// The types of metadata values.
const (
	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeBool    = 7
	typeString  = 8
	typeArray   = 9
)

// entry is one key of the metadata. Value is a string, uint32, float32, bool, or
// a slice of string, int32 or float32.
type entry struct {
	key   string
	value any
}

// header is everything before the data.
type header struct {
	metadata []entry
	tensors  []planned
}

// encode returns the bytes of the header, padded to the alignment.
func (h header) encode() []byte {
	b := []byte(magic)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(h.tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(h.metadata)))
	for _, e := range h.metadata {
		b = appendValue(appendString(b, e.key), e.value)
	}
	var offset int64
	for _, t := range h.tensors {
		b = appendString(b, t.name)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.shape)))
		for i := range t.shape { // innermost first
			b = binary.LittleEndian.AppendUint64(b, uint64(t.shape[len(t.shape)-1-i]))
		}
		b = binary.LittleEndian.AppendUint32(b, typeCode(t.dtype))
		b = binary.LittleEndian.AppendUint64(b, uint64(offset))
		offset += padded(t.bytes())
	}
	return append(b, make([]byte, padded(int64(len(b)))-int64(len(b)))...)
}

// padded returns n rounded up to the alignment.
func padded(n int64) int64 { return (n + alignment - 1) / alignment * alignment }

func appendString(b []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(b, uint64(len(s))), s...)
}

func appendValue(b []byte, value any) []byte {
	u32 := binary.LittleEndian.AppendUint32
	switch v := value.(type) {
	case string:
		return appendString(u32(b, typeString), v)
	case uint32:
		return u32(u32(b, typeUint32), v)
	case float32:
		return u32(u32(b, typeFloat32), math.Float32bits(v))
	case bool:
		b = u32(b, typeBool)
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case []string:
		b = appendArray(b, typeString, len(v))
		for _, s := range v {
			b = appendString(b, s)
		}
		return b
	case []int32:
		b = appendArray(b, typeInt32, len(v))
		for _, n := range v {
			b = u32(b, uint32(n))
		}
		return b
	case []float32:
		b = appendArray(b, typeFloat32, len(v))
		for _, f := range v {
			b = u32(b, math.Float32bits(f))
		}
		return b
	}
	panic(fmt.Sprintf("gguf: a value of type %T", value))
}

func appendArray(b []byte, element uint32, n int) []byte {
	b = binary.LittleEndian.AppendUint32(b, typeArray)
	b = binary.LittleEndian.AppendUint32(b, element)
	return binary.LittleEndian.AppendUint64(b, uint64(n))
}
