//go:build !failpoints

package main

import "mergesearch/search"

// watched returns the options as they are; see failpoint_on.go.
func watched(o search.Options) search.Options { return o }
