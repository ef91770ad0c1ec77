package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mergesearch/store"
)

// reserveName is a file of reserveBytes that is given up when the disk is full, so that
// what is in flight can be committed.
const (
	reserveName  = "run.reserve"
	reserveBytes = 4 << 20
)

// diskGuard keeps a run from dying of a full disk: before something is begun it
// compares the space that is free with what comes next and a tenth more. Where that is
// short it deletes what may be deleted, then waits, and goes on by itself. It is safe
// for concurrent use.
type diskGuard struct {
	dir   string
	need  func() int64                            // bytes that come next
	free  func(dir string) (int64, error)         // of the file system
	limit int64                                   // of the directory; 0: none
	every time.Duration                           // between two looks
	drain <-chan struct{}                         // ends the waiting
	say   func(kind string, attrs map[string]any) // to the journal and to people

	mu      sync.Mutex
	futile  int       // writes in a row that failed while there was room
	looked  time.Time // at the size of the directory ...
	filling bool      // ... which was then what it may be
}

// freeBytes returns what a file system has free for us.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(nearestDir(dir), &st); err != nil {
		return 0, err
	}
	if st.Blocks == 0 {
		return 1 << 62, nil // it does not say
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// wanted is what must be free before something is begun.
func (g *diskGuard) wanted() int64 {
	need := g.need()
	return need + need/10
}

// ready waits until there is room for what comes next. A file system that does not
// say what it has is taken to have room.
func (g *diskGuard) ready(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.room() {
		g.setAside()
		return nil
	}
	g.tidy()
	if g.room() {
		return nil
	}
	return g.wait(ctx)
}

func (g *diskGuard) room() bool {
	free, err := g.free(g.dir)
	return err != nil || free >= g.wanted()
}

// wait looks again and again until there is room.
func (g *diskGuard) wait(ctx context.Context) error {
	free, _ := g.free(g.dir)
	began := time.Now()
	g.say(eventDiskShort, map[string]any{"dir": g.dir, "free": free, "wanted": g.wanted()})
	for {
		if err := g.pause(ctx); err != nil {
			return err
		}
		if g.room() {
			break
		}
	}
	free, _ = g.free(g.dir)
	g.say(eventDiskEnough, map[string]any{"dir": g.dir, "free": free, "seconds": time.Since(began).Seconds()})
	g.setAside()
	return nil
}

func (g *diskGuard) pause(ctx context.Context) error {
	timer := time.NewTimer(g.every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	case <-g.drain:
		return fmt.Errorf("interrupted: %w", context.Canceled)
	}
}

// mostFutile is how many writes in a row may fail for lack of space while the file
// system has some: a quota, or a limit on the size of files, which waiting may not end.
const mostFutile = 3

// retry does f again for as long as the disk is full. First the reserve is given up,
// which is enough for what is in flight. Other errors are returned.
func (g *diskGuard) retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if !noSpace(err) {
			if err == nil {
				g.mu.Lock()
				g.futile = 0
				g.mu.Unlock()
			}
			return err
		}
		if e := g.makeRoom(ctx); e != nil {
			if errors.Is(e, errFutile) {
				return err
			}
			return e
		}
	}
}

var errFutile = errors.New("there is room, but nothing can be written")

// makeRoom returns when it is worth trying again.
func (g *diskGuard) makeRoom(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if os.Remove(filepath.Join(g.dir, reserveName)) == nil {
		return nil
	}
	g.tidy()
	if !g.room() {
		return g.wait(ctx)
	}
	if g.futile++; g.futile > mostFutile {
		return errFutile
	}
	return g.pause(ctx)
}

// setAside writes the reserve, if it is not there and fits.
func (g *diskGuard) setAside() {
	path := filepath.Join(g.dir, reserveName)
	if _, err := os.Stat(path); err == nil {
		return
	}
	if free, err := g.free(g.dir); err != nil || free < g.wanted()+reserveBytes {
		return
	}
	if err := os.WriteFile(path, make([]byte, reserveBytes), 0o600); err != nil {
		_ = os.Remove(path)
	}
}

// tidy deletes what may be deleted: checkpoints that a killed process was writing, and
// all backups but the last.
func (g *diskGuard) tidy() {
	stale, _ := filepath.Glob(filepath.Join(g.dir, ".tmp-best-*"))
	for _, path := range stale {
		_ = os.RemoveAll(path)
	}
	keepBackups(g.dir, 1)
}

// release gives the reserve back at the end of a process.
func (g *diskGuard) release() { _ = os.Remove(filepath.Join(g.dir, reserveName)) }

// full reports whether the directory has grown to its limit, less what the end of the
// run will take. It looks once in a while.
func (g *diskGuard) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.looked) < g.every {
		return g.filling
	}
	g.filling = g.atLimit()
	if g.filling {
		g.tidy()
		g.filling = g.atLimit()
	}
	g.looked = time.Now()
	return g.filling
}

func (g *diskGuard) atLimit() bool { return dirBytes(g.dir)+g.need() >= g.limit }

// dirBytes adds up the files of a directory. What vanishes meanwhile is not counted.
func dirBytes(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// noSpace reports whether an error is that of a full disk.
func noSpace(err error) bool {
	var disk *store.DiskError
	return errors.As(err, &disk) && disk.Full || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// The backups of the store: run.backup-000001.db and so on, the highest number last.
const (
	backupPrefix = "run.backup-"
	backupSuffix = ".db"
	backupsKept  = 3
)

// backups lists the numbers of those in a directory, in order.
func backups(dir string) []int {
	entries, _ := os.ReadDir(dir)
	var out []int
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), backupPrefix)
		var n int
		if _, err := fmt.Sscanf(name, "%06d"+backupSuffix, &n); ours && err == nil && backupName(n) == e.Name() {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

func backupName(n int) string { return fmt.Sprintf("%s%06d%s", backupPrefix, n, backupSuffix) }

// keepBackups deletes all backups but the last n.
func keepBackups(dir string, n int) {
	all := backups(dir)
	for _, number := range all[:max(0, len(all)-n)] {
		_ = os.Remove(filepath.Join(dir, backupName(number)))
	}
}

// clearBackups removes what a killed process had of a backup.
func clearBackups(dir string) {
	left, _ := filepath.Glob(filepath.Join(dir, "run.backup-*.tmp*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// backUp writes the next backup beside the store and returns its name.
func backUp(ctx context.Context, r *store.Reader, dir string) (string, error) {
	next := 1
	if all := backups(dir); len(all) > 0 {
		next = all[len(all)-1] + 1
	}
	name := backupName(next)
	if err := r.Backup(ctx, filepath.Join(dir, name)); err != nil {
		return "", err
	}
	keepBackups(dir, backupsKept)
	return name, nil
}
