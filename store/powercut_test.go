package store_test

import (
	"bufio"
	"encoding/hex"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mergesearch/store"
)

var images = flag.Int("images", 40, "states of the disk that TestPowerCut tries")

// TestPowerCut traces the system calls of a writing process, then builds what
// the disk may hold when the power fails after any of them: what was synced, and
// of the rest each write kept, dropped or torn, and some of the changes of
// names. Everything reported before the cut must be in every such image. Without
// the syncs of the log, as synchronous=NORMAL would have it, something must get
// lost, or the test would prove nothing.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	trace := traceHelper(t)
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for range *images {
		cut := random.IntN(len(trace.calls) + 1)
		dir, reported := trace.image(t, cut, random, true)
		found := lost(t, dir, reported)
		if db, err := store.Open(t.Context(), dir, store.Options{}); err != nil {
			found = append(found, "the run cannot be continued: "+err.Error())
		} else {
			must(t, db.Close())
		}
		if len(found) > 0 {
			t.Fatalf("cut after %d of %d calls, %d reports: %s", cut, len(trace.calls), len(reported), strings.Join(found, "\n"))
		}
	}
	losses := 0
	for range *images / 3 {
		dir, reported := trace.image(t, len(trace.calls)-random.IntN(len(trace.calls)/2), random, false)
		if len(lost(t, dir, reported)) > 0 {
			losses++
		}
	}
	if losses == 0 {
		t.Error("without syncs of the log nothing got lost: the test cannot see losses")
	}
	t.Logf("%d calls, %d images; of %d without syncs of the log %d lost something", len(trace.calls), *images, *images/3, losses)
}

// call is one system call of the trace.
type call struct {
	name string
	args []string // as strace writes them; strings decoded
	ret  int
}

type tracing struct {
	dir   string
	calls []call
}

var (
	wholeLine  = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	unfinished = regexp.MustCompile(`^(\d+) +(\w+\(.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. \w+ resumed>(.*)$`)
	encoded    = regexp.MustCompile(`^"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?$`)
)

func traceHelper(t *testing.T) tracing {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "trace")
	c := helper(t, "write", filepath.Join(dir, "run"))
	c.Env = append(c.Env, "STORE_TRIALS=20")
	c.Args = append([]string{
		strace, "-f", "-qq", "-xx", "-s", "2000000", "-o", file, "-e",
		"trace=openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2,fallocate", c.Path,
	}, c.Args[1:]...)
	c.Path = strace
	if out, err := c.Output(); err != nil {
		t.Skipf("cannot trace here: %v %s", err, out)
	}
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	x := tracing{dir: filepath.Join(dir, "run")}
	begun := map[string]string{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := unfinished.FindStringSubmatch(line); m != nil {
			begun[m[1]] = m[2]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = m[1] + " " + begun[m[1]] + m[2]
		}
		if m := wholeLine.FindStringSubmatch(line); m != nil {
			if ret, _ := strconv.Atoi(m[4]); ret >= 0 {
				x.calls = append(x.calls, call{name: m[2], args: decode(t, m[3]), ret: ret})
			}
		}
	}
	must(t, lines.Err())
	return x
}

func decode(t *testing.T, args string) []string {
	out := strings.Split(args, ", ")
	for i, a := range out {
		if m := encoded.FindStringSubmatch(a); m != nil {
			b, err := hex.DecodeString(strings.ReplaceAll(m[1], `\x`, ""))
			must(t, err)
			out[i] = string(b)
		}
	}
	return out
}

// inode is a file: what is surely on the disk, and what is not yet.
type inode struct {
	synced  []byte
	pending []func([]byte) []byte // write or truncate
	torn    []func([]byte) []byte // the same, half done
	log     bool                  // the write-ahead log
}

// disk is what a machine has written so far.
type disk struct {
	now     map[string]*inode // by path, as processes see it
	durable map[string]*inode // as of the last sync of the directory
	since   []func(map[string]*inode)
	open    map[int]*inode
	dirs    map[int]bool // descriptors of the run directory
	outputs string
}

// image writes the run directory as it may be found after a cut, and returns it
// with what was reported before. Without logged, syncs of the
// write-ahead log are left out.
func (x tracing) image(t *testing.T, cut int, random *rand.Rand, logged bool) (string, map[string]bool) {
	t.Helper()
	d := &disk{now: map[string]*inode{}, durable: map[string]*inode{}, open: map[int]*inode{}, dirs: map[int]bool{}}
	for _, c := range x.calls[:cut] {
		d.apply(x.dir, c, logged)
	}
	for _, change := range d.since[:random.IntN(len(d.since)+1)] {
		change(d.durable)
	}
	out := filepath.Join(t.TempDir(), "image")
	must(t, os.MkdirAll(out, 0o755))
	for _, path := range slices.Sorted(maps.Keys(d.durable)) {
		if strings.HasSuffix(path, "-shm") {
			continue // rebuilt from the log
		}
		f := d.durable[path]
		b := slices.Clone(f.synced)
		for i, write := range f.pending {
			switch random.IntN(3) {
			case 0:
				b = write(b)
			case 1:
				b = f.torn[i](b)
			}
		}
		must(t, os.WriteFile(filepath.Join(out, filepath.Base(path)), b, 0o644))
	}
	reported := map[string]bool{}
	for line := range strings.Lines(d.outputs) {
		reported[strings.TrimSpace(line)] = true
	}
	return out, reported
}

func (d *disk) apply(dir string, c call, logged bool) {
	fd := func() int { n, _ := strconv.Atoi(c.args[0]); return n }
	number := func(i int) int { n, _ := strconv.Atoi(c.args[i]); return n }
	rename := func(change func(map[string]*inode)) {
		change(d.now)
		d.since = append(d.since, change)
	}
	switch c.name {
	case "openat":
		path := c.args[1]
		delete(d.open, c.ret)
		delete(d.dirs, c.ret)
		if path == dir {
			d.dirs[c.ret] = true
		} else if filepath.Dir(path) == dir {
			if d.now[path] == nil {
				f := &inode{log: strings.HasSuffix(path, "-wal")}
				rename(func(m map[string]*inode) { m[path] = f })
			}
			d.open[c.ret] = d.now[path]
		}
	case "pwrite64":
		d.open[fd()].write([]byte(c.args[1]), number(3))
	case "ftruncate":
		d.open[fd()].truncate(number(1))
	case "write":
		if fd() == 1 {
			d.outputs += c.args[1]
		}
	case "fsync", "fdatasync":
		if f := d.open[fd()]; f != nil {
			if logged || !f.log {
				f.sync()
			}
		} else if d.dirs[fd()] {
			d.durable, d.since = maps.Clone(d.now), nil
		}
	case "unlink", "unlinkat":
		path := c.args[len(c.args)-1]
		if c.name == "unlinkat" {
			path = c.args[1]
		}
		rename(func(m map[string]*inode) { delete(m, path) })
	case "rename", "renameat", "renameat2":
		from, to := c.args[0], c.args[1]
		if c.name != "rename" {
			from, to = c.args[1], c.args[3]
		}
		rename(func(m map[string]*inode) { m[to] = m[from]; delete(m, from) })
	default:
		panic("a call that the disk does not know: " + c.name)
	}
}

func (f *inode) write(b []byte, at int) {
	if f == nil {
		return
	}
	put := func(b []byte) func([]byte) []byte {
		return func(old []byte) []byte {
			if n := at + len(b); n > len(old) {
				old = append(old, make([]byte, n-len(old))...)
			}
			copy(old[at:], b)
			return old
		}
	}
	f.pending = append(f.pending, put(b))
	f.torn = append(f.torn, put(b[:len(b)/2/512*512]))
}

func (f *inode) truncate(n int) {
	if f == nil {
		return
	}
	cut := func(old []byte) []byte {
		if n > len(old) {
			return append(old, make([]byte, n-len(old))...)
		}
		return old[:n]
	}
	f.pending = append(f.pending, cut)
	f.torn = append(f.torn, func(old []byte) []byte { return old })
}

func (f *inode) sync() {
	for _, write := range f.pending {
		f.synced = write(f.synced)
	}
	f.pending, f.torn = nil, nil
}
