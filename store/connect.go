package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// mode is how connections open the file.
type mode struct {
	open        string // SQLite's word
	queryOnly   bool
	immutable   bool // nobody can change the file, so no log and no locks
	connections int
	synchronous string // empty: FULL, which nothing but a test has a reason to change
}

var (
	readWrite = mode{open: "rw", connections: 1}
	create    = mode{open: "rwc", connections: 1}
	readOnly  = mode{open: "ro", queryOnly: true, connections: 4}
	unmoving  = mode{open: "ro", queryOnly: true, immutable: true, connections: 4}
	checking  = mode{open: "rw", queryOnly: true, connections: 1}
	copying   = mode{open: "ro", connections: 1} // VACUUM INTO counts as writing
)

// connector opens connections with the settings that every one of them needs,
// without registering a driver under a global name.
type connector struct {
	dsn string
}

// connect returns a pool on the database file. Nothing is opened before its
// first use. The path becomes part of a URI, in which a question mark or a
// percent sign has a meaning of its own.
func connect(path string, m mode) *sql.DB {
	q := url.Values{
		"mode":             {m.open},
		"_busy_timeout":    {"5000"},
		"_foreign_keys":    {"1"},
		"_synchronous":     {cmp.Or(m.synchronous, "FULL")},
		"_stmt_cache_size": {"64"},
	}
	if m.queryOnly {
		q.Set("_query_only", "1")
	}
	if m.immutable {
		q.Set("immutable", "1")
	}
	pool := sql.OpenDB(connector{dsn: "file:" + (&url.URL{Path: absolute(path)}).EscapedPath() + "?" + q.Encode()})
	pool.SetMaxOpenConns(m.connections)
	pool.SetMaxIdleConns(m.connections)
	return pool
}

// absolute returns the path that means the same after a change of directory.
func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// Connect opens one connection. trusted_schema and cell_size_check matter for a
// file that somebody tampered with: no function runs from its schema, and
// impossible cells are found when a page is read.
func (c connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := (&sqlite3.SQLiteDriver{}).Open(c.dsn)
	if err != nil {
		return nil, err
	}
	const settings = `PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
		PRAGMA recursive_triggers = OFF; PRAGMA journal_size_limit = 67108864`
	if _, err := conn.(*sqlite3.SQLiteConn).ExecContext(context.Background(), settings, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Driver belongs to the interface driver.Connector.
func (c connector) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }
