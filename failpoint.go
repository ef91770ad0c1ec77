//go:build !failpoints

package mergesearch

// Failpoint marks a place at which a test can stop the process; the words are its
// name. It does nothing and is not in the program unless that was built with
// -tags failpoints.
func Failpoint(...string) {}
