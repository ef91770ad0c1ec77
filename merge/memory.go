package merge

import (
	"bytes"
	"os"
	"strconv"
	"unsafe"
)

// alignedBytes returns n bytes of which the first lies at a multiple of the
// alignment. The slice is never nil.
func alignedBytes(n int) []byte {
	buf := make([]byte, n+alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))) & (alignment - 1)
	return buf[skip : skip+n : skip+n]
}

// privateBytes returns the anonymous memory of this process (RssAnon), and false
// where the system does not tell.
func privateBytes() (int64, bool) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("RssAnon:")); ok {
			kb, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}
