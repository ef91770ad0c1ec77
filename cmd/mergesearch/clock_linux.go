package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// clockNow reads the clocks.
func clockNow() clockReading {
	return clockReading{wall: time.Now().Round(0), mono: clockOf(unix.CLOCK_MONOTONIC), boot: clockOf(unix.CLOCK_BOOTTIME)}
}

func clockOf(id int32) time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(id, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
