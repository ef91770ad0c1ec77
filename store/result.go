package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"mergesearch"
)

// Ending is how a run ended, as far as it got.
type Ending struct {
	Status       string // "done", "stopped", "interrupted", ...; not empty
	StopReason   string // "candidates", "time", ...
	Result       mergesearch.Result
	HeldOutPeeks int // openings of the same held-out items by other runs, before this one's
	Faults       int // of the infrastructure

	PopulationHash string    // filled in by SetEnding
	At             time.Time // filled in by SetEnding
}

// SetEnding records how the run ended, with the population hash of that moment,
// and returns it completed. An ending stands until something more is recorded: a
// run that was stopped early and is continued has none again.
func (db *DB) SetEnding(ctx context.Context, e Ending) (Ending, error) {
	result, err := json.Marshal(e.Result)
	if err != nil {
		return e, fmt.Errorf("result: %w", err)
	}
	verdict, err := json.Marshal(e.Result.Verdict)
	if err != nil {
		return e, fmt.Errorf("verdict: %w", err)
	}
	err = db.write(ctx, "record the result", func(ctx context.Context) error {
		rs, err := records(ctx, db.conn)
		if err != nil {
			return err
		}
		now := db.now()
		e.PopulationHash, e.At = mergesearch.PopulationHash(rs), moment(now.UnixNano())
		return db.exec(ctx, `INSERT OR REPLACE INTO result (one, status, stop_reason, result, verdict, heldout_peeks, faults, population_hash, at)
			VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.Status, e.StopReason, string(result), string(verdict), e.HeldOutPeeks, e.Faults, e.PopulationHash, now.UnixNano())
	})
	return e, err
}

// reopen takes back the ending, before the population changes.
func (db *DB) reopen(ctx context.Context) error { return db.exec(ctx, `DELETE FROM result`) }

// Ending returns how the run ended, or a NotFoundError while it goes on or when
// it was cut off.
func (r *Reader) Ending(ctx context.Context) (Ending, error) {
	var e Ending
	var result string
	var at int64
	err := r.one(ctx, "result yet", []any{&e.Status, &e.StopReason, &result, &e.HeldOutPeeks, &e.Faults, &e.PopulationHash, &at},
		`SELECT status, stop_reason, result, heldout_peeks, faults, population_hash, at FROM result`)
	if err != nil {
		return e, err
	}
	e.At = moment(at)
	return e, failure(r.path, "read the result", json.Unmarshal([]byte(result), &e.Result))
}
