//go:build !unix

package evaltest

import (
	"os"
	"syscall"
)

// mapped is a file that was read once: without mapping there is nothing to see.
type mapped []byte

func mapFile(path string) (mapped, error) { return os.ReadFile(path) }

func (m mapped) close() {}

// detached has no meaning here.
var detached *syscall.SysProcAttr
