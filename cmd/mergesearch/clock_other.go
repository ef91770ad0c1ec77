//go:build !linux

package main

import "time"

var processBegan = time.Now()

// clockNow reads the clocks. A sleep of the machine cannot be told from a clock that
// was set.
func clockNow() clockReading {
	since := time.Since(processBegan)
	return clockReading{wall: time.Now().Round(0), mono: since, boot: since}
}
