//go:build unix

package evaltest

import (
	"io"
	"os"
	"syscall"
)

// mapped is a file as a server that maps it sees it: whoever writes into the file
// changes what is read here.
type mapped []byte

func mapFile(path string) (mapped, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < blobBytes {
		return nil, io.ErrUnexpectedEOF
	}
	return syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
}

func (m mapped) close() { _ = syscall.Munmap(m) }

// detached starts a process in a session of its own.
var detached = &syscall.SysProcAttr{Setsid: true}
