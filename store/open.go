package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"mergesearch"
)

// The files of a run directory that belong to the store.
const (
	FileName = "run.db"   // with run.db-wal and run.db-shm while it is open
	LockName = "run.lock" // held while a process writes
	newName  = "run.db.new"
)

// Options are the settings of Open. The zero value is ready for use.
type Options struct {
	// Now is the clock of the recorded times; nil for time.Now. Nothing is
	// decided by it.
	Now func() time.Time
}

// DB is a run directory held for writing. It records (search.Recorder) and
// reads. It is safe for concurrent use.
type DB struct {
	*Reader
	now  func() time.Time
	lock *os.File
	pool *sql.DB

	mu     sync.Mutex // guards what follows; held for the length of a transaction
	conn   *sql.Conn  // the only connection that writes
	broken error      // set when the disk failed; every later write returns it
	items  map[mergesearch.ItemID]itemKey

	cache *Cache
}

// Open takes a run directory for writing, making it when it does not exist. It
// returns a LockedError when another process holds it, and refuses a database
// that is damaged, foreign or newer, each with its own error.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(dir, o.Now())
	if err != nil {
		return nil, notWritable(dir, err)
	}
	db := &DB{now: o.Now, lock: lock, items: map[mergesearch.ItemID]itemKey{}}
	db.cache = newCache(db)
	if err := db.open(ctx, dir); err != nil {
		lock.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, dir string) error {
	path := filepath.Join(dir, FileName)
	err := ensureFile(ctx, dir, path)
	if err != nil {
		return failure(path, "create", err)
	}
	db.pool = connect(path, readWrite)
	if db.conn, err = db.pool.Conn(ctx); err == nil {
		err = prepare(ctx, db.conn, path)
	}
	if err == nil {
		err = db.loadItems(ctx)
	}
	if err != nil {
		if db.conn != nil {
			db.conn.Close()
		}
		db.pool.Close()
		return failure(path, "open", err)
	}
	db.Reader = &Reader{dir: dir, path: path, file: absolute(path), mode: readOnly, pool: connect(path, readOnly)}
	return nil
}

// prepare checks an existing database and brings its tables up to date.
func prepare(ctx context.Context, conn *sql.Conn, path string) error {
	v, err := version(ctx, conn, path)
	if err != nil {
		return err
	}
	found, err := pragmaCheck(ctx, conn, "quick_check(3)")
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return &DamagedError{Path: path, Detail: short(found[0])}
	}
	var journal string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&journal); err != nil {
		return err
	}
	if journal != "wal" {
		return fmt.Errorf("cannot use a write-ahead log here (journal mode %s)", journal)
	}
	return migrate(ctx, conn, migrations, v)
}

// ensureFile makes the database under another name and renames it when it is
// complete and on the disk, so that run.db is complete or absent. What a killed
// process left is removed first; the caller holds the lock.
func ensureFile(ctx context.Context, dir, path string) error {
	switch info, err := os.Lstat(path); {
	case err == nil && !info.Mode().IsRegular():
		return &DamagedError{Path: path, Detail: "not a regular file"}
	case err == nil:
		return checkIdentity(path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	// A log without its database would be played into the new one.
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return &DamagedError{Path: path, Detail: "the database is missing, but its write-ahead log is there"}
	}
	fresh := filepath.Join(filepath.Dir(path), newName)
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(fresh + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := initialise(ctx, fresh); err != nil {
		return err
	}
	if err := syncFile(fresh); err != nil {
		return err
	}
	mergesearch.Failpoint("create/before")
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	mergesearch.Failpoint("create/after")
	return syncFile(dir)
}

func initialise(ctx context.Context, path string) error {
	pool := connect(path, create)
	conn, err := pool.Conn(ctx)
	if err == nil {
		_, err = conn.ExecContext(ctx, "PRAGMA journal_mode = WAL")
	}
	if err == nil {
		err = migrate(ctx, conn, migrations, 0)
	}
	if err == nil {
		err = checkpoint(ctx, conn)
	}
	if conn != nil {
		err = errors.Join(err, conn.Close())
	}
	return errors.Join(err, pool.Close())
}

// checkpoint moves the write-ahead log into the database and empties it.
func checkpoint(ctx context.Context, conn *sql.Conn) error {
	var busy, frames, moved int
	return conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
}

// Close writes what the cache holds, empties the write-ahead log, closes the
// database and gives the directory back. A reader in another process that holds
// the log open is no error.
func (db *DB) Close() error {
	db.mu.Lock()
	open := db.conn != nil && db.broken == nil
	db.mu.Unlock()
	var err error
	if open {
		err = db.cache.Flush(context.Background())
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn == nil {
		return nil
	}
	err = errors.Join(err, db.Reader.Close())
	if db.broken == nil {
		// On a full disk this fails and nothing is lost: the log is on the disk.
		_ = checkpoint(context.Background(), db.conn)
	}
	err = errors.Join(err, db.conn.Close(), db.pool.Close(), db.lock.Close())
	db.conn = nil
	return failure(db.path, "close", err)
}

// makeDir makes the directory and syncs its parents, so that a run that was
// started is there after a power cut.
func makeDir(dir string) error {
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &mergesearch.InputError{File: dir, Problem: "is a file, not a run directory", Hint: "choose another directory with --dir"}
	case !errors.Is(err, fs.ErrNotExist):
		return notWritable(dir, err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return notWritable(dir, err)
	}
	return notWritable(dir, syncFile(parent))
}

// notWritable gives errors of the file system their type, and turns a refusal
// into what the user should read.
func notWritable(dir string, err error) error {
	for _, cause := range []error{fs.ErrPermission, syscall.EROFS, syscall.ENOTDIR, syscall.ENAMETOOLONG, fs.ErrNotExist} {
		if errors.Is(err, cause) {
			return &mergesearch.InputError{File: dir, Problem: "cannot write in the run directory: " + cause.Error(), Hint: "choose another directory with --dir"}
		}
	}
	return failure(dir, "prepare the run directory", err)
}

// syncFile puts a file or directory on the disk. Some network and user-space
// file systems cannot sync a directory and need not.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
