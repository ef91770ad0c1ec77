package merge

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func defaultThreads() int { return runtime.GOMAXPROCS(0) }

// lastLevelCache returns the bytes of all caches of the last level together, or 0
// where the system does not tell.
func lastLevelCache() int64 {
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu*/cache/index*/level")
	level := 0
	sizes := map[string]int64{} // by the processors that share a cache
	for _, f := range files {
		dir := filepath.Dir(f)
		l, err := strconv.Atoi(readLine(f))
		size := cacheSize(readLine(filepath.Join(dir, "size")))
		if err != nil || size == 0 || l < level {
			continue
		}
		if l > level {
			level, sizes = l, map[string]int64{}
		}
		sizes[cmp.Or(readLine(filepath.Join(dir, "shared_cpu_list")), dir)] = size
	}
	var sum int64
	for _, s := range sizes {
		sum += s
	}
	return sum
}

// cacheSize reads sizes as the kernel writes them: 8192K.
func cacheSize(s string) int64 {
	unit := int64(1)
	for suffix, u := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if digits, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = digits, u
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n * unit
}

func readLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// benchDir chooses the directory for models of so many bytes.
func benchDir(dir string, bytes int64) string {
	const shared = "/dev/shm"
	var s unix.Statfs_t
	if dir == "" && unix.Statfs(shared, &s) == nil && int64(s.Bavail)*s.Bsize > 2*bytes {
		return shared
	}
	return dir
}
