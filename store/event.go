package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is something that changed a decision, or that people should know of.
type Event struct {
	Seq   int64           `json:"seq"` // from 1, without gaps
	At    time.Time       `json:"at"`
	Kind  string          `json:"kind"`
	Attrs json.RawMessage `json:"attrs"` // a JSON object
}

// link is the state of the chain after an event.
type link [sha256.Size]byte

// next returns the chain after an event: SHA-256 over the chain before it, its
// number, its time in nanoseconds, and its kind and attributes, each preceded by
// its length; integers are 64 bits, little-endian. The chain before the first
// event is zero.
func (l link) next(seq, at int64, kind, attrs string) link {
	b := append([]byte(nil), l[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(seq))
	b = binary.LittleEndian.AppendUint64(b, uint64(at))
	for _, s := range []string{kind, attrs} {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// Event records something that changed a decision. Attrs is stored as a JSON
// object with sorted keys; a value that JSON cannot hold is an error.
func (db *DB) Event(ctx context.Context, kind string, attrs map[string]any) error {
	return db.write(ctx, "record event "+kind, func(ctx context.Context) error {
		return db.addEvent(ctx, kind, attrs)
	})
}

func (db *DB) addEvent(ctx context.Context, kind string, attrs map[string]any) error {
	if attrs == nil {
		attrs = map[string]any{}
	}
	text, err := json.Marshal(attrs)
	if err != nil {
		return fmt.Errorf("event %s: %w", kind, err)
	}
	var seq int64
	var before []byte
	err = db.conn.QueryRowContext(ctx, `SELECT seq, chain FROM event ORDER BY seq DESC LIMIT 1`).Scan(&seq, &before)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var l link
	copy(l[:], before)
	seq++
	at := db.now().UnixNano()
	l = l.next(seq, at, kind, string(text))
	return db.exec(ctx, `INSERT INTO event (seq, at, kind, attrs, chain) VALUES (?, ?, ?, ?, ?)`, seq, at, kind, string(text), l[:])
}

// timeBudget is the kind of the event that Stop records.
const timeBudget = "time_budget"

// Stop records that the time ran out after so many trials were begun.
func (db *DB) Stop(ctx context.Context, trials int) error {
	return db.Event(ctx, timeBudget, map[string]any{"trials": trials})
}

// Stopped returns the number of trials of the first stop, and false when there was
// none.
func (db *DB) Stopped(ctx context.Context) (int, bool, error) {
	var trials int
	err := db.Reader.pool.QueryRowContext(ctx, `SELECT attrs ->> 'trials' FROM event WHERE kind = ? AND attrs ->> 'trials' IS NOT NULL ORDER BY seq LIMIT 1`, timeBudget).Scan(&trials)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return trials, err == nil, failure(db.path, "read the stop", err)
}

// Events returns the events after number seq, oldest first, at most limit of
// them; 0 for all.
func (r *Reader) Events(ctx context.Context, seq int64, limit int) ([]Event, error) {
	if limit <= 0 {
		limit = -1
	}
	var out []Event
	err := each(ctx, r.pool, func(rows *sql.Rows) error {
		var e Event
		var at int64
		var attrs string
		err := rows.Scan(&e.Seq, &at, &e.Kind, &attrs)
		e.At, e.Attrs = moment(at), json.RawMessage(attrs)
		out = append(out, e)
		return err
	}, `SELECT seq, at, kind, attrs FROM event WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit)
	return out, failure(r.path, "read events", err)
}

// chainProblems walks the chain and tells where it breaks.
func chainProblems(ctx context.Context, q querier) (int, []string, error) {
	var found []string
	var l link
	var count int
	err := each(ctx, q, func(rows *sql.Rows) error {
		var seq, at int64
		var kind, attrs string
		var chain []byte
		if err := rows.Scan(&seq, &at, &kind, &attrs, &chain); err != nil {
			return err
		}
		count++
		l = l.next(seq, at, kind, attrs)
		if seq != int64(count) || string(chain) != string(l[:]) {
			found = append(found, fmt.Sprintf("event %d (%s): the chain is broken", seq, kind))
			count = int(seq)
			copy(l[:], chain)
		}
		return nil
	}, `SELECT seq, at, kind, attrs, chain FROM event ORDER BY seq`)
	return count, found, err
}
