package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"mergesearch"
)

// Reader looks at a run directory, also while another process writes to it. It
// never waits for the writer and sees what was committed before each call. It is
// safe for concurrent use.
type Reader struct {
	dir  string
	path string // as the user gave it, for messages
	file string // the same, absolute
	mode mode
	pool *sql.DB
}

// OpenReadOnly opens a run for looking only: nothing in the database can be
// changed, and no lock is taken. It refuses what is not a run directory, and
// databases as Open does, but does not search them for damage: Check does.
func OpenReadOnly(ctx context.Context, dir string) (*Reader, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, &mergesearch.InputError{File: dir, Problem: "no run here (" + FileName + " is missing)", Hint: "name the directory of a run, such as runs/quickstart-s1"}
	}
	if err := checkIdentity(path); err != nil {
		return nil, err
	}
	m := readOnly
	if frozen(path) {
		m = unmoving
	}
	r := &Reader{dir: dir, path: path, file: absolute(path), mode: m, pool: connect(path, m)}
	conn, err := r.pool.Conn(ctx)
	if err == nil {
		var v int
		v, err = version(ctx, conn, path)
		conn.Close()
		if err == nil && v < Schema {
			err = &mergesearch.InputError{File: path, Problem: "written by an older version of the program", Hint: "start the run again with this version, which brings it up to date"}
		}
	}
	if err != nil {
		r.pool.Close()
		return nil, failure(path, "open", err)
	}
	return r, nil
}

// frozen reports whether nobody can be writing: the directory does not allow
// the shared-memory file that readers of a write-ahead log need, and there is no log.
func frozen(path string) bool {
	if _, err := os.Stat(path + "-wal"); err == nil {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		f.Close()
		return false
	}
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// Dir returns the run directory as it was given.
func (r *Reader) Dir() string { return r.dir }

// Close closes the database.
func (r *Reader) Close() error { return r.pool.Close() }

// view runs f on one state of the database: everything f reads was committed
// before f began.
func (r *Reader) view(ctx context.Context, op string, f func(tx *sql.Tx) error) error {
	tx, err := r.pool.BeginTx(ctx, nil)
	if err != nil {
		return failure(r.path, op, err)
	}
	defer func() { _ = tx.Rollback() }()
	return failure(r.path, op, f(tx))
}

// each runs a query and calls scan for every row.
func each(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads a single row; what names the thing that is missing when there is none.
func (r *Reader) one(ctx context.Context, what string, targets []any, query string, args ...any) error {
	err := r.pool.QueryRowContext(ctx, query, args...).Scan(targets...)
	if errors.Is(err, sql.ErrNoRows) {
		return &NotFoundError{Path: r.path, What: what}
	}
	return failure(r.path, "read "+what, err)
}
