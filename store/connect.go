package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"net/url"

	"github.com/mattn/go-sqlite3"
)

// mode is how a connection opens the file.
type mode string

const (
	readWrite mode = "rw"
	create    mode = "rwc"
	readOnly  mode = "ro"
)

// readers is the number of read-only connections of one Reader.
const readers = 4

// connector opens connections with the settings that every one of them needs,
// without registering a driver under a global name.
type connector struct {
	dsn string
}

// connect returns a pool on the database file. Nothing is opened before its
// first use.
func connect(path string, m mode, immutable bool) *sql.DB {
	q := url.Values{
		"mode":             {string(m)},
		"_busy_timeout":    {"5000"},
		"_foreign_keys":    {"1"},
		"_synchronous":     {"FULL"},
		"_stmt_cache_size": {"64"},
	}
	if m == readOnly {
		q.Set("_query_only", "1")
	}
	if immutable {
		q.Set("immutable", "1")
	}
	pool := sql.OpenDB(connector{dsn: "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()})
	pool.SetMaxOpenConns(1)
	if m == readOnly {
		pool.SetMaxOpenConns(readers)
		pool.SetMaxIdleConns(readers)
	}
	return pool
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
