package kernel

/*
#cgo CFLAGS: -std=c11 -O3 -Wall
#cgo LDFLAGS: -lm
#include "lm_ops.h"
*/
import "C"

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/cpu"
)

// Level is a set of vector instructions that the arithmetic is compiled for.
// All levels give equal bits.
type Level int32

// The levels, slowest first.
const (
	Portable Level = iota
	AVX2           // with FMA
	AVX512         // F, DQ, BW, VL
)

func (l Level) String() string {
	switch l {
	case Portable:
		return "portable"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return fmt.Sprintf("level %d", int32(l))
}

// Levels returns the levels that this build and this processor have, slowest
// first. Portable is always among them.
func Levels() []Level {
	levels := []Level{Portable}
	if C.lm_level(C.int(AVX2)) == nil {
		return levels
	}
	x := cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasBMI2 {
		levels = append(levels, AVX2)
		if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL {
			levels = append(levels, AVX512)
		}
	}
	return levels
}

var current atomic.Int32

func init() {
	levels := Levels()
	current.Store(int32(levels[len(levels)-1]))
}

// Current returns the level in use: the fastest there is, unless SetLevel said
// otherwise.
func Current() Level { return Level(current.Load()) }

// SetLevel forces a level and returns the one before. It is for tests and
// benchmarks; a level that is not among Levels is a panic.
func SetLevel(l Level) (before Level) {
	for _, have := range Levels() {
		if have == l {
			return Level(current.Swap(int32(l)))
		}
	}
	panic(fmt.Sprintf("kernel: no level %v on this machine", l))
}
