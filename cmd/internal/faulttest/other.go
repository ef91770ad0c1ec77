//go:build !linux

package faulttest

// Child does nothing where there is no seccomp.
func Child() {}
