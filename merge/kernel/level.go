package kernel

import "golang.org/x/sys/cpu"

// Level says what the operations were compiled for: a vector level of the processor, or a
// GPU.
type Level int

// The levels. Best is the fastest that the machine can run.
const (
	Best Level = iota
	Portable
	AVX2
	AVX512
	CUDA // of Device.Kernel
)

func (l Level) String() string {
	switch l {
	case Best:
		return "best"
	case Portable:
		return "portable"
	case AVX2:
		return "AVX2"
	case AVX512:
		return "AVX-512"
	case CUDA:
		return "CUDA"
	}
	return "unknown level"
}

// Available reports whether the machine can run the level.
func (l Level) Available() bool {
	switch l {
	case Best, Portable:
		return true
	case AVX2:
		return cpu.X86.HasAVX2
	case AVX512:
		return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
	}
	return false
}

// Levels returns the levels that the machine can run, fastest first.
func Levels() []Level {
	var out []Level
	for _, l := range []Level{AVX512, AVX2, Portable} {
		if l.Available() {
			out = append(out, l)
		}
	}
	return out
}
