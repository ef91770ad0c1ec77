package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mergesearch"
)

// Backup writes a copy of the database to a file, complete or not at all, while
// the run goes on: the state of one moment, compacted, checked and on the disk
// when Backup returns. An existing file of that name is replaced. The copy works
// as the run.db of another directory.
func (r *Reader) Backup(ctx context.Context, path string) (err error) {
	temporary := path + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	source := connect(r.file, copying)
	defer source.Close()
	if _, err := source.ExecContext(ctx, `VACUUM INTO ?`, temporary); err != nil {
		return failure(r.path, "back up", err)
	}
	if err := checkCopy(ctx, temporary); err != nil {
		return failure(temporary, "check the copy", err)
	}
	mergesearch.Failpoint("backup/copied")
	if err := syncFile(temporary); err != nil {
		return err
	}
	mergesearch.Failpoint("backup/before")
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	mergesearch.Failpoint("backup/after")
	return syncFile(filepath.Dir(path))
}

func checkCopy(ctx context.Context, path string) error {
	pool := connect(path, unmoving)
	defer pool.Close()
	found, err := pragmaCheck(ctx, pool, "quick_check")
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("the copy is damaged: %s", found[0])
	}
	return err
}
