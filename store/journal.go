package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
)

// keyAttr is the attribute that holds the key of an event that is recorded once.
const keyAttr = "key"

// Once records an event unless one of its kind and key is there, and reports whether
// it did.
func (db *DB) Once(ctx context.Context, kind, key string, attrs map[string]any) (fresh bool, err error) {
	var there bool
	err = db.Reader.pool.QueryRowContext(ctx, `SELECT 1 FROM event WHERE kind = ? AND attrs ->> ? = ? LIMIT 1`, kind, "$."+keyAttr, key).Scan(&there)
	switch {
	case err == nil:
		return false, nil
	case !errors.Is(err, sql.ErrNoRows):
		return false, failure(db.path, "read events", err)
	}
	keyed := maps.Clone(attrs)
	if keyed == nil {
		keyed = map[string]any{}
	}
	keyed[keyAttr] = key
	return true, db.Event(ctx, kind, keyed)
}
