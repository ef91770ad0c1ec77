package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mergesearch"
)

// Configuration is what a run is bound to: when any of it changes, its answers
// are no longer comparable.
type Configuration struct {
	Run     mergesearch.RunID
	Seed    uint64
	Version string // of the program; only the major part binds (0.3 of 0.3.1)

	// RunFile is the path of the run file as the user gave it, for messages.
	RunFile string

	// Effective is the whole configuration with all defaults filled in, as JSON
	// or YAML. It is compared by content: layout and order of keys do not matter.
	Effective string

	Models []Model   // base and experts
	Data   []Dataset // task files and their data
}

// Model identifies a checkpoint. The time and path do not bind, so that a family
// may be moved; they let a caller skip hashing a checkpoint that has not changed
// since.
type Model struct {
	Name    string // as recipes call it
	Path    string
	Digest  string // of the contents, mergesearch.Tensors.Digest
	Bytes   int64
	ModTime time.Time // the latest of its files
}

// Dataset identifies a file with items.
type Dataset struct {
	Name   string // "task/split" or the file's name
	Path   string
	SHA256 string
	Bytes  int64
}

// Run is the frozen configuration of a run.
type Run struct {
	Configuration
	EffectiveSHA256 string
	Created         time.Time
	Schema          int
}

// Freeze binds the run to a configuration. The first call stores it; later ones,
// also of later processes, compare and return a ChangedError when something that
// binds is not the same.
func (db *DB) Freeze(ctx context.Context, c Configuration) error {
	if _, err := flatten(c.Effective); err != nil {
		return fmt.Errorf("effective configuration: %w", err)
	}
	return db.write(ctx, "freeze the configuration", func(ctx context.Context) error {
		was, err := readRun(ctx, db.conn)
		if errors.Is(err, sql.ErrNoRows) {
			return db.insertRun(ctx, c)
		}
		if err != nil {
			return err
		}
		if changes := compare(was.Configuration, c); len(changes) > 0 {
			return &ChangedError{Dir: db.dir, RunFile: c.RunFile, Changes: changes}
		}
		return nil
	})
}

func (db *DB) insertRun(ctx context.Context, c Configuration) error {
	sum := sha256.Sum256([]byte(c.Effective))
	err := db.exec(ctx, `INSERT INTO run (one, id, seed, version, run_file, effective, effective_sha, created) VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
		string(c.Run), strconv.FormatUint(c.Seed, 10), c.Version, c.RunFile, c.Effective, hex.EncodeToString(sum[:]), db.now().UnixNano())
	if err != nil {
		return err
	}
	for _, m := range c.Models {
		err := db.exec(ctx, `INSERT INTO model (name, path, digest, bytes, mtime) VALUES (?, ?, ?, ?, ?)`,
			m.Name, m.Path, m.Digest, m.Bytes, nanoseconds(m.ModTime))
		if err != nil {
			return fmt.Errorf("model %s: %w", m.Name, err)
		}
	}
	for _, d := range c.Data {
		err := db.exec(ctx, `INSERT INTO dataset (name, path, sha256, bytes) VALUES (?, ?, ?, ?)`, d.Name, d.Path, d.SHA256, d.Bytes)
		if err != nil {
			return fmt.Errorf("data %s: %w", d.Name, err)
		}
	}
	return nil
}

// Run returns the frozen configuration, or a NotFoundError before the first
// Freeze. Models and data come sorted by name.
func (r *Reader) Run(ctx context.Context) (Run, error) {
	var run Run
	err := r.view(ctx, "read the run", func(tx *sql.Tx) error {
		var err error
		if run, err = readRun(ctx, tx); errors.Is(err, sql.ErrNoRows) {
			return &NotFoundError{Path: r.path, What: "configuration yet (the run ended before it began)"}
		}
		return err
	})
	return run, err
}

func readRun(ctx context.Context, q querier) (Run, error) {
	var run Run
	var seed string
	var created int64
	err := q.QueryRowContext(ctx, `SELECT id, seed, version, run_file, effective, effective_sha, created FROM run`).
		Scan(&run.Run, &seed, &run.Version, &run.RunFile, &run.Effective, &run.EffectiveSHA256, &created)
	if err != nil {
		return run, err
	}
	run.Created = moment(created)
	if run.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
		return run, fmt.Errorf("seed: %w", err)
	}
	if err := q.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&run.Schema); err != nil {
		return run, err
	}
	err = each(ctx, q, func(rows *sql.Rows) error {
		var m Model
		var mtime int64
		err := rows.Scan(&m.Name, &m.Path, &m.Digest, &m.Bytes, &mtime)
		m.ModTime = moment(mtime)
		run.Models = append(run.Models, m)
		return err
	}, `SELECT name, path, digest, bytes, mtime FROM model ORDER BY name`)
	if err != nil {
		return run, err
	}
	err = each(ctx, q, func(rows *sql.Rows) error {
		var d Dataset
		err := rows.Scan(&d.Name, &d.Path, &d.SHA256, &d.Bytes)
		run.Data = append(run.Data, d)
		return err
	}, `SELECT name, path, sha256, bytes FROM dataset ORDER BY name`)
	return run, err
}

// nanoseconds and moment store a time; 0 is one that was not given.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// major returns the part of a version within which runs can be continued, as
// semantic versioning has it: the major number, with the minor one while it is
// 0. It is empty for versions that are not numbers ("devel"), which bind nothing.
func major(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	for i, p := range parts[:min(2, len(parts))] {
		if _, err := strconv.ParseUint(p, 10, 32); err != nil {
			if i == 0 {
				return ""
			}
			return parts[0]
		}
	}
	if parts[0] == "0" && len(parts) > 1 {
		return "0." + parts[1]
	}
	return parts[0]
}
