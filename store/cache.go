package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Cache keeps what servers answered, by the hash of everything that decided it, in
// the database of a run. It is safe for concurrent use.
//
// It is the exception to the rule that a method writes before it returns: what is
// stored is gathered and written a batch at a time, by Store when there is enough
// and by Flush. A kill loses the last batch, which is then asked again.
type Cache struct {
	db *DB

	mu      sync.Mutex
	pending map[[32]byte][]byte // not written yet
}

// cacheBatch is how many responses are written in one transaction.
const cacheBatch = 512

// Cache returns the cache of the run. DB.Close writes what it still holds.
func (db *DB) Cache() *Cache { return db.cache }

func newCache(db *DB) *Cache { return &Cache{db: db, pending: map[[32]byte][]byte{}} }

// Lookup returns the value that was stored under a key. It belongs to the caller.
func (c *Cache) Lookup(ctx context.Context, key [32]byte) (value []byte, found bool, err error) {
	c.mu.Lock()
	value, found = c.pending[key]
	c.mu.Unlock()
	if found {
		return bytes.Clone(value), true, nil
	}
	err = c.db.Reader.pool.QueryRowContext(ctx, `SELECT value FROM response WHERE key = ?`, key[:]).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, failure(c.db.path, "look up a response", err)
	}
	return value, true, nil
}

// Store keeps a value under a key that has none; a key that has one keeps it.
func (c *Cache) Store(ctx context.Context, key [32]byte, value []byte) error {
	c.mu.Lock()
	if _, known := c.pending[key]; !known {
		c.pending[key] = append([]byte{}, value...)
	}
	full := len(c.pending) >= cacheBatch
	c.mu.Unlock()
	if !full {
		return nil
	}
	return c.Flush(ctx)
}

// Flush writes what was stored and is not on the disk yet.
func (c *Cache) Flush(ctx context.Context) error {
	c.mu.Lock()
	batch := make(map[[32]byte][]byte, len(c.pending))
	for k, v := range c.pending {
		batch[k] = v
	}
	c.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	// The batch can be looked up all the time: it leaves memory when it is written.
	return c.db.write(ctx, "store responses", func(ctx context.Context) error {
		for k, v := range batch {
			if err := c.db.exec(ctx, `INSERT INTO response (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`, k[:], v); err != nil {
				return err
			}
		}
		return nil
	}, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for k := range batch {
			delete(c.pending, k)
		}
	})
}
