//go:build failpoints

package mergesearch

import "strings"

// Failpoint tells OnFailpoint that the program is at a place.
func Failpoint(name ...string) { OnFailpoint(strings.Join(name, "/")) }

// OnFailpoint is what Failpoint calls, from any goroutine. It is set before anything
// starts.
var OnFailpoint = func(name string) {}
