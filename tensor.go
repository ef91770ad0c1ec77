package mergesearch

import "fmt"

// DType is the type of a tensor's elements, spelt as safetensors spells it.
type DType string

// The element types that the program reads. F8 types are read, never written.
const (
	BF16 DType = "BF16"
	F16  DType = "F16"
	F32  DType = "F32"
	F64  DType = "F64"

	F8E4M3 DType = "F8_E4M3" // 4 bits of exponent, no infinities (e4m3fn)
	F8E5M2 DType = "F8_E5M2" // the upper half of an F16

	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// Size returns the bytes of one element, or 0 for an unknown type.
func (d DType) Size() int {
	switch d {
	case F64, I64:
		return 8
	case F32, I32:
		return 4
	case BF16, F16, I16:
		return 2
	case I8, U8, Bool, F8E4M3, F8E5M2:
		return 1
	}
	return 0
}

// Float reports whether d is a floating type that can be merged.
func (d DType) Float() bool { return d == BF16 || d == F16 || d == F32 || d == F64 || d.Eight() }

// Eight reports whether d is a floating type of 8 bits, which is read and never
// written.
func (d DType) Eight() bool { return d == F8E4M3 || d == F8E5M2 }

// Written returns the type in which tensors of type d are written when nobody
// asks for another: BF16 for floating types of 8 bits, d for all others.
func (d DType) Written() DType {
	if d.Eight() {
		return BF16
	}
	return d
}

// Tensor is one named array of a model.
type Tensor struct {
	Name  string
	DType DType
	Shape []int // row-major, outermost first; empty for a scalar

	// Data holds the elements, little-endian, len(Data) = Elements() * DType.Size().
	// It belongs to the Tensors that handed it out: read-only, and invalid
	// after that is released.
	Data []byte
}

// Elements returns the number of elements, 1 for a scalar.
func (t Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

func (t Tensor) String() string { return fmt.Sprintf("%s %s %v", t.Name, t.DType, t.Shape) }

// Tensors is a read-only set of tensors: a mapped checkpoint, or a candidate in
// memory. It is safe for concurrent use. What it hands out stays valid until
// Release; an endpoint that serves it calls Release once, after the last
// request in flight has ended.
type Tensors interface {
	// Names returns the tensor names in the order in which the model uses them.
	Names() []string
	// Tensor returns the named tensor, or an error that names it.
	Tensor(name string) (Tensor, error)
	// Digest identifies the contents: a hash of the sorted manifest (name, type,
	// shape, digest of the data). Equal contents have equal digests whichever
	// way they are stored.
	Digest() string
	// Release gives the memory back. Calling it twice is harmless.
	Release()
}
