package kernel

import (
	"crypto/sha256"
	"encoding/binary"
)

// Mask is a random mask over the elements of a tensor: a key and a stream of the
// generator Philox4x32-7, and the bound below which a draw of 32 bits keeps its
// element. It needs no memory: every element can be asked at any time, in any
// order, on any device. Mask.Draw says which draw is whose.
type Mask struct {
	Key, Stream uint64
	KeepBelow   uint32
}

// NewMask returns the mask of a model's tensor that keeps each element with
// probability density, for 0 <= density < 1. Key and stream are the first 16
// bytes of the SHA-256 of seed, model and tensor, so masks of different models or
// tensors are independent, and renaming, adding or reordering models leaves the
// others' masks alone.
func NewMask(seed uint64, model, tensor string, density float64) Mask {
	if !(density >= 0 && density < 1) {
		panic("kernel: the density of a mask must be in [0, 1)")
	}
	text := binary.LittleEndian.AppendUint64([]byte("mergesearch mask 2\x00"), seed)
	text = binary.LittleEndian.AppendUint64(text, uint64(len(model)))
	text = append(append(text, model...), tensor...)
	sum := sha256.Sum256(text)
	return Mask{
		Key:       binary.LittleEndian.Uint64(sum[:8]),
		Stream:    binary.LittleEndian.Uint64(sum[8:16]),
		KeepBelow: uint32(density * (1 << 32)),
	}
}
