//go:build !unix

package lm

func mapMemory(size int) []byte { return make([]byte, size) }

func unmapMemory([]byte) {}
