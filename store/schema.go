package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"mergesearch"
)

// applicationID marks the file as ours: "mrgs".
const applicationID = 0x6d726773

//go:embed migration/*.sql
var migrations embed.FS

// Schema is the version of the tables that this program writes.
var Schema = len(migrationNames(migrations))

// migrationNames lists migration/0001_*.sql and so on, in order without gaps.
func migrationNames(files fs.FS) []string {
	names, err := fs.Glob(files, "migration/*.sql")
	if err != nil {
		panic(err)
	}
	slices.Sort(names)
	for i, n := range names {
		if v, err := strconv.Atoi(path.Base(n)[:4]); err != nil || v != i+1 {
			panic("store: migrations are not numbered 1, 2, ...: " + n)
		}
	}
	return names
}

// migrate brings the tables from a version to the newest, each step in one
// transaction together with the version number.
func migrate(ctx context.Context, conn *sql.Conn, files fs.FS, from int) error {
	names := migrationNames(files)
	for v := from + 1; v <= len(names); v++ {
		script, err := fs.ReadFile(files, names[v-1])
		if err != nil {
			return err
		}
		err = transaction(ctx, conn, func() error {
			_, err := conn.ExecContext(ctx, fmt.Sprintf("%s;\nPRAGMA application_id = %d; PRAGMA user_version = %d", script, applicationID, v))
			mergesearch.Failpoint("migrate/before")
			return err
		})
		if err != nil {
			return fmt.Errorf("schema %d: %w", v, err)
		}
		mergesearch.Failpoint("migrate/after")
	}
	return nil
}

// transaction runs f between BEGIN IMMEDIATE and COMMIT, or ROLLBACK when f or
// the commit fails, or panics.
func transaction(ctx context.Context, conn *sql.Conn, f func() error) (err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			// SQLite itself has rolled back after a full disk; the error is then
			// that there is no transaction.
			_, _ = conn.ExecContext(ctx, "ROLLBACK")
		}
	}()
	if err := f(); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// checkIdentity refuses a file that is not a database of this program, from its
// first bytes alone: opening a foreign database could already change it.
func checkIdentity(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // opening a pipe would wait
		return &DamagedError{Path: path, Detail: "not a regular file"}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var header [100]byte
	if _, err := io.ReadFull(f, header[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &DamagedError{Path: path, Detail: "the file is cut short"}
		}
		return err
	}
	if string(header[:16]) != "SQLite format 3\x00" {
		return &DamagedError{Path: path, Detail: "the file is not a SQLite database"}
	}
	if id := binary.BigEndian.Uint32(header[68:]); id != applicationID {
		return &ForeignError{Path: path, ApplicationID: id}
	}
	return nil
}

// version reads the schema version and refuses those that it cannot be.
func version(ctx context.Context, conn *sql.Conn, path string) (int, error) {
	var v int
	if err := conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, failure(path, "read the schema version", err)
	}
	switch {
	case v > Schema:
		return v, &NewerError{Path: path, Schema: v, Mine: Schema}
	case v < 1:
		return v, &DamagedError{Path: path, Detail: fmt.Sprintf("schema version %d", v)}
	}
	return v, nil
}

// pragmaCheck runs quick_check, integrity_check or foreign_key_check and returns
// what it complains about.
func pragmaCheck(ctx context.Context, q querier, name string) ([]string, error) {
	rows, err := q.QueryContext(ctx, "PRAGMA "+name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []string
	name, _, _ = strings.Cut(name, "(")
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		fields := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range fields {
			targets[i] = &fields[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		line := ""
		for i, f := range fields {
			if i > 0 {
				line += " "
			}
			line += f.String
		}
		if line != "ok" {
			found = append(found, name+": "+line)
		}
	}
	return found, rows.Err()
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
