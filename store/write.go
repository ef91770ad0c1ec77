package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"

	"mergesearch"
)

// write runs f in one transaction and returns when it is on the disk, or when
// nothing of it is recorded. A context that is done before the turn comes stops
// it; from then on it runs to its end, which is milliseconds away, so that answers
// in hand are not lost to an interrupt. What follows a commit in memory is done
// by after, under the same lock.
func (db *DB) write(ctx context.Context, op string, f func(ctx context.Context) error, after ...func()) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.broken != nil {
		return db.broken
	}
	if db.conn == nil {
		return fmt.Errorf("%s: %s: %w", db.path, op, errClosed)
	}
	ctx = context.WithoutCancel(ctx)
	err := failure(db.path, op, transaction(ctx, db.conn, func() error {
		err := f(ctx)
		mergesearch.Failpoint("commit/before", op)
		return err
	}))
	if unsure(err) {
		db.broken = err
	}
	if err != nil {
		return err
	}
	mergesearch.Failpoint("commit/after", op)
	writes.Add(1)
	for _, g := range after {
		g()
	}
	return nil
}

var errClosed = errors.New("the store is closed")

// writes counts transactions of this process; tests use it to see that a replay
// writes nothing.
var writes atomic.Int64

// unsure reports whether an error leaves open what reached the disk. After a
// failed sync the kernel may drop the pages and report the next sync as good, so
// trying again proves nothing.
func unsure(err error) bool {
	var disk *DiskError
	var damaged *DamagedError
	var s sqlite3.Error
	switch {
	case errors.As(err, &damaged):
		return true
	case errors.As(err, &disk) && !disk.Full:
		return errors.As(err, &s)
	}
	return false
}

// changed reports whether the last statement changed a row.
func (db *DB) changed(ctx context.Context, query string, args ...any) (bool, error) {
	res, err := db.conn.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func (db *DB) exec(ctx context.Context, query string, args ...any) error {
	_, err := db.conn.ExecContext(ctx, query, args...)
	return err
}
