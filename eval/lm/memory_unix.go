//go:build unix

package lm

import (
	"fmt"
	"syscall"
)

// mapMemory returns zeroed pages of the operating system.
func mapMemory(size int) []byte {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(fmt.Sprintf("lm: out of memory: %d bytes: %v", size, err)) // as the Go heap does
	}
	return b
}

func unmapMemory(b []byte) {
	if err := syscall.Munmap(b); err != nil {
		panic("lm: unmapping memory: " + err.Error())
	}
}
