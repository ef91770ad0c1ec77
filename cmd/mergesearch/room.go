package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"mergesearch"
	"mergesearch/store"
)

// recordBytes is what the records of a small run take, with room to spare.
const recordBytes = 4 << 20

// roomFor refuses to start a run whose winner would not fit beside its records. A
// run that has its checkpoint needs no room.
func (s *session) roomFor(dir string) error {
	if complete(filepath.Join(dir, "best")) {
		return nil
	}
	var st unix.Statfs_t
	if err := unix.Statfs(nearestDir(dir), &st); err != nil || st.Blocks == 0 {
		return nil // opening the store says what is wrong with the directory
	}
	base, _ := s.engine.Model(s.baseName())
	need, free := base.MappedBytes()+recordBytes, int64(st.Bavail)*int64(st.Bsize)
	if free >= need {
		return nil
	}
	return &unfit{
		err:  fmt.Errorf("%s: not enough space: records and winner need %s, the file system has %s free", dir, bytesText(need), bytesText(free)),
		hint: "free some space or choose another directory with --dir",
	}
}

// freeForRun refuses a directory that holds somebody's files and no run, because
// the winner's folder could meet one of theirs at the end of the night.
func freeForRun(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // not there yet; or opening the store says what is wrong with it
	}
	for _, e := range entries {
		if e.Name() == store.FileName {
			return nil
		}
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, "run.") && name != "lost+found" {
			return &mergesearch.InputError{File: dir, Problem: fmt.Sprintf("holds %q and no run", name), Hint: "choose a new or an empty directory with --dir"}
		}
	}
	return nil
}

// nearestDir returns dir or the closest directory above it that exists.
func nearestDir(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir
		}
		dir = up
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./+:@%,=-]+$`)

// shellWord quotes an argument for a command that is to be copied into a shell.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
