package store

// Writes returns the number of transactions that this process has committed.
func Writes() int64 { return writes.Load() }
