package store

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestMigrate brings tables up step by step, with a step that fails half-way: it
// must leave the version before it, whole.
func TestMigrate(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	files := fstest.MapFS{
		"migration/0001_init.sql": file("CREATE TABLE a (x INTEGER) STRICT; -- a comment; with a semicolon\nINSERT INTO a VALUES (1)"),
		"migration/0002_more.sql": file("ALTER TABLE a ADD COLUMN y TEXT;\nUPDATE a SET y = 'two';\n"),
		"migration/0003_bad.sql":  file("CREATE TABLE b (x INTEGER) STRICT;\nINSERT INTO missing VALUES (1)"),
	}
	pool := connect(filepath.Join(t.TempDir(), "x.db"), create)
	defer pool.Close()
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := migrate(t.Context(), conn, files, 0); err == nil || !strings.Contains(err.Error(), "schema 3") {
		t.Errorf("got %v", err)
	}
	look := func(wantVersion, wantTables int) {
		t.Helper()
		var v, id, n int
		var y sql.NullString
		for _, err := range []error{
			conn.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&v),
			conn.QueryRowContext(t.Context(), "PRAGMA application_id").Scan(&id),
			conn.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&n),
			conn.QueryRowContext(t.Context(), "SELECT y FROM a").Scan(&y),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if v != wantVersion || n != wantTables || id != applicationID || y.String != "two" {
			t.Errorf("version %d, %d tables, application %#x, y %v", v, n, id, y)
		}
	}
	look(2, 1)
	files["migration/0003_bad.sql"] = file("CREATE TABLE b (x INTEGER) STRICT")
	if err := migrate(t.Context(), conn, files, 2); err != nil {
		t.Fatal(err)
	}
	look(3, 2)
	if err := migrate(t.Context(), conn, files, 3); err != nil {
		t.Fatal(err)
	}
	look(3, 2)
}

func TestMajor(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.3": "1", "v2.0.0-rc1": "2", "0.3.1": "0.3", "v0.4": "0.4", "0": "0", "3": "3",
		"devel": "", "": "", "(devel)": "", "abc.1": "", "0.x": "0",
	} {
		if got := major(version); got != want {
			t.Errorf("%q: %q, want %q", version, got, want)
		}
	}
}

// TestSettings reads the settings back from connections of each kind.
func TestSettings(t *testing.T) {
	for _, m := range []mode{readWrite, readOnly, checking, copying} {
		pool := connect(filepath.Join(t.TempDir(), "x.db"), create)
		if _, err := pool.Exec("CREATE TABLE a (x INTEGER) STRICT"); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "y.db")
		if _, err := pool.Exec("VACUUM INTO ?", path); err != nil {
			t.Fatal(err)
		}
		pool.Close()
		pool = connect(path, m)
		for pragma, want := range map[string]string{
			"synchronous": "2" /* FULL */, "foreign_keys": "1", "trusted_schema": "0", "cell_size_check": "1",
			"recursive_triggers": "0", "busy_timeout": "5000", "journal_size_limit": "67108864",
		} {
			var got string
			if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%+v: %s is %s, want %s (%v)", m, pragma, got, want, err)
			}
		}
		pool.Close()
	}
}
