package storetest

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Disk is what a machine has written so far of the files below a directory, and what
// of it would be there after a power cut.
//
// What was synced is kept. Of the rest each write is kept, dropped or torn on its own,
// and of the changes of a directory's names the first so many are kept. That is what
// POSIX allows; no file system loses more, and most lose less.
type Disk struct {
	root    string
	top     *node
	open    map[int]*description
	reports map[int]bool // numbers whose output is a report
	paths   []string     // files whose content is a report

	// Reports is what the process reported: lines on standard output, and what it
	// appended to files that were given to NewDisk.
	Reports string
}

// node is a file or a directory.
type node struct {
	entries map[string]*node         // of a directory, as processes see it; nil for a file
	durable map[string]*node         // of a directory, as of its last sync
	since   []func(map[string]*node) // changes of its names after that
	synced  []byte                   // of a file: what is surely on the disk
	pending []func([]byte) []byte    // write or truncate
	torn    []func([]byte) []byte    // the same, half done
	size    int                      // as processes see it
	name    string                   // the last one that it had
}

// description is an open file.
type description struct {
	node *node
	at   int
}

func newDirectory() *node {
	return &node{entries: map[string]*node{}, durable: map[string]*node{}}
}

// NewDisk returns an empty directory, before the first call. Reports, absolute paths,
// are files that are no part of it.
func (x Trace) NewDisk(reports ...string) *Disk {
	return &Disk{root: x.root, top: newDirectory(), open: map[int]*description{}, reports: map[int]bool{1: true}, paths: reports}
}

// Image writes what may be found after a power cut into a directory that exists.
func (d *Disk) Image(dir string, random *rand.Rand) error { return d.top.image(dir, random) }

func (n *node) image(dir string, random *rand.Rand) error {
	entries := maps.Clone(n.durable)
	for _, change := range n.since[:random.IntN(len(n.since)+1)] {
		change(entries)
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		path := filepath.Join(dir, name)
		child := entries[name]
		if child.entries != nil {
			if err := os.Mkdir(path, 0o755); err != nil {
				return err
			}
			if err := child.image(path, random); err != nil {
				return err
			}
			continue
		}
		if strings.HasSuffix(name, "-shm") {
			continue // rebuilt from the log
		}
		b := child.synced[:len(child.synced):len(child.synced)]
		if len(child.pending) > 0 {
			b = slices.Clone(b)
		}
		for i, write := range child.pending {
			switch random.IntN(3) {
			case 0:
				b = write(b)
			case 1:
				b = child.torn[i](b)
			}
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Apply does a call. Syncs of files for which without returns true are left out; nil
// leaves none out.
func (d *Disk) Apply(c Call, without func(name string) bool) {
	number := func(i int) int { n, _ := strconv.Atoi(c.args[i]); return n }
	switch c.name {
	case "openat":
		d.openFile(c)
	case exited:
		d.open, d.reports = map[int]*description{}, map[int]bool{1: true}
	case "close":
		delete(d.open, number(0))
		delete(d.reports, number(0))
	case "dup", "dup2", "dup3":
		d.open[c.ret] = d.open[number(0)]
	case "fcntl":
		if strings.HasPrefix(c.args[1], "F_DUPFD") {
			d.open[c.ret] = d.open[number(0)]
		}
	case "lseek":
		if f := d.open[number(0)]; f != nil {
			f.at = c.ret
		}
	case "pwrite64":
		if f := d.open[number(0)]; f != nil {
			f.node.write([]byte(c.args[1])[:c.ret], number(3))
		}
	case "write":
		if f := d.open[number(0)]; f != nil {
			f.node.write([]byte(c.args[1])[:c.ret], f.at)
			f.at += c.ret
		} else if d.reports[number(0)] {
			d.Reports += c.args[1]
		}
	case "writev", "fallocate":
		if d.open[number(0)] != nil {
			panic("storetest: a call that the disk does not know: " + c.name)
		}
	case "ftruncate":
		if f := d.open[number(0)]; f != nil {
			f.node.truncate(number(1))
		}
	case "fsync", "fdatasync":
		if f := d.open[number(0)]; f != nil && (without == nil || !without(f.node.name)) {
			f.node.sync()
		}
	case "mkdir":
		d.add(c.args[0], newDirectory())
	case "mkdirat":
		d.add(d.at(c.args[0], c.args[1]), newDirectory())
	case "unlink", "rmdir":
		d.remove(c.args[0])
	case "unlinkat":
		d.remove(d.at(c.args[0], c.args[1]))
	case "rename":
		d.rename(c.args[0], c.args[1])
	case "renameat", "renameat2":
		d.rename(d.at(c.args[0], c.args[1]), d.at(c.args[2], c.args[3]))
	default:
		panic("storetest: a call that the disk does not know: " + c.name)
	}
}

func (d *Disk) openFile(c Call) {
	delete(d.open, c.ret)
	delete(d.reports, c.ret)
	path := d.at(c.args[0], c.args[1])
	if slices.Contains(d.paths, path) {
		d.reports[c.ret] = true
		return
	}
	n := d.find(path)
	if n == nil && strings.Contains(c.args[2], "O_CREAT") {
		n = &node{}
		d.add(path, n)
	}
	if n = d.find(path); n == nil {
		return
	}
	if strings.Contains(c.args[2], "O_TRUNC") && n.size > 0 {
		n.truncate(0)
	}
	f := &description{node: n}
	if strings.Contains(c.args[2], "O_APPEND") {
		f.at = n.size
	}
	d.open[c.ret] = f
}

// at returns the absolute path of a name that is relative to an open directory.
func (d *Disk) at(fd, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	n, err := strconv.Atoi(fd)
	if err != nil || d.open[n] == nil {
		return path // relative to the working directory, which is elsewhere
	}
	return filepath.Join(d.pathOf(d.open[n].node), path)
}

func (d *Disk) pathOf(n *node) string {
	var walk func(dir *node, path string) string
	walk = func(dir *node, path string) string {
		if dir == n {
			return path
		}
		for name, child := range dir.entries {
			if child.entries != nil {
				if found := walk(child, filepath.Join(path, name)); found != "" {
					return found
				}
			}
		}
		return ""
	}
	return walk(d.top, d.root)
}

// find returns what has a path now, or nil.
func (d *Disk) find(path string) *node {
	if path == d.root {
		return d.top
	}
	dir, name := filepath.Split(path)
	if !strings.HasPrefix(path, d.root+"/") {
		return nil
	}
	parent := d.find(filepath.Clean(dir))
	if parent == nil {
		return nil
	}
	return parent.entries[name]
}

// change does something to the names of a directory, now, and at the latest with its
// next sync on the disk.
func (n *node) change(f func(map[string]*node)) {
	f(n.entries)
	n.since = append(n.since, f)
}

func (d *Disk) add(path string, n *node) {
	name := filepath.Base(path)
	if parent := d.find(filepath.Dir(path)); parent != nil {
		n.name = name
		parent.change(func(m map[string]*node) { m[name] = n })
	}
}

func (d *Disk) remove(path string) {
	name := filepath.Base(path)
	if parent := d.find(filepath.Dir(path)); parent != nil {
		parent.change(func(m map[string]*node) { delete(m, name) })
	}
}

func (d *Disk) rename(from, to string) {
	n, parent := d.find(from), d.find(filepath.Dir(to))
	if n == nil || parent == nil {
		return
	}
	if filepath.Dir(from) != filepath.Dir(to) {
		panic("storetest: the disk knows no rename between directories: " + from)
	}
	was, is := filepath.Base(from), filepath.Base(to)
	n.name = is
	parent.change(func(m map[string]*node) { m[is] = n; delete(m, was) })
}

func (n *node) write(b []byte, at int) {
	put := func(b []byte) func([]byte) []byte {
		return func(old []byte) []byte {
			if n := at + len(b); n > len(old) {
				old = append(old, make([]byte, n-len(old))...)
			}
			copy(old[at:], b)
			return old
		}
	}
	n.size = max(n.size, at+len(b))
	n.pending = append(n.pending, put(b))
	n.torn = append(n.torn, put(b[:len(b)/2/512*512]))
}

func (n *node) truncate(size int) {
	cut := func(old []byte) []byte {
		if size > len(old) {
			return append(old, make([]byte, size-len(old))...)
		}
		return old[:size]
	}
	n.size = size
	n.pending = append(n.pending, cut)
	n.torn = append(n.torn, func(old []byte) []byte { return old })
}

func (n *node) sync() {
	if n.entries != nil {
		n.durable, n.since = maps.Clone(n.entries), nil
		return
	}
	for _, write := range n.pending {
		n.synced = write(n.synced)
	}
	n.pending, n.torn = nil, nil
}

// Scratch returns a new directory for images, where syncing costs nothing if there is
// such a place.
func Scratch() (string, error) {
	if dir, err := os.MkdirTemp("/dev/shm", "image-"); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", "image-")
}

// Cuts calls visit with the disk as it stands after random numbers of calls, one in
// twenty after all of them, in ascending order and the same disk each time.
func (x Trace) Cuts(images int, random *rand.Rand, d *Disk, without func(name string) bool, visit func(cut int, d *Disk)) {
	cuts := make([]int, images)
	for i := range cuts {
		if cuts[i] = random.IntN(len(x.Calls) + 1); i%20 == 19 {
			cuts[i] = len(x.Calls) // all was reported, and the power fails at once
		}
	}
	slices.SortFunc(cuts, cmp.Compare[int])
	at := 0
	for _, cut := range cuts {
		for ; at < cut; at++ {
			d.Apply(x.Calls[at], without)
		}
		visit(cut, d)
	}
}
