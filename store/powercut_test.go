package store_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mergesearch/store"
	"mergesearch/store/storetest"
)

// imagesVariable asks for so many images of the disk.
const imagesVariable = "MERGESEARCH_IMAGES"

// images is how many images a test tries.
func images(normal int) int {
	if n, err := strconv.Atoi(os.Getenv(imagesVariable)); err == nil {
		return n
	}
	return normal
}

// TestPowerCut traces the system calls of a writing process, then builds what the
// disk may hold when the power fails after any of them. Everything reported before
// the cut must be in every such image, and every image can be continued. The same
// is done with synchronous=NORMAL, and with the syncs of the log left out: something
// must get lost then, or the test would prove nothing.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	trace := traceHelper(t, "STORE_TRIALS=20")
	n, reports := images(40), 0
	trace.Cuts(n, random, trace.NewDisk(), nil, func(cut int, d *storetest.Disk) {
		dir := imageOf(t, d, random)
		reported := reportsOf(d)
		found := lost(t, dir, reported)
		if db, err := store.Open(t.Context(), dir, store.Options{}); err != nil {
			found = append(found, "the run cannot be continued: "+err.Error())
		} else {
			must(t, db.Close())
		}
		if len(found) > 0 {
			t.Fatalf("cut after %d of %d calls, %d reports: %s", cut, len(trace.Calls), len(reported), strings.Join(found, "\n"))
		}
		reports += len(reported)
		must(t, os.RemoveAll(filepath.Dir(dir)))
	})
	t.Logf("%d calls, %d images, %d reports looked for", len(trace.Calls), n, reports)
	for name, relaxed := range map[string]struct {
		trace   storetest.Trace
		without func(string) bool
	}{
		"synchronous=NORMAL":       {traceHelper(t, "STORE_TRIALS=20", "STORE_SYNCHRONOUS=NORMAL"), nil},
		"without syncs of the log": {trace, func(name string) bool { return strings.HasSuffix(name, "-wal") }},
	} {
		losses := 0
		relaxed.trace.Cuts(n/3, random, relaxed.trace.NewDisk(), relaxed.without, func(_ int, d *storetest.Disk) {
			dir := imageOf(t, d, random)
			if len(lost(t, dir, reportsOf(d))) > 0 {
				losses++
			}
			must(t, os.RemoveAll(filepath.Dir(dir)))
		})
		t.Logf("%s: of %d images %d lost something", name, n/3, losses)
		if losses == 0 {
			t.Errorf("%s: nothing got lost: the test cannot see losses", name)
		}
	}
}

// traceHelper traces the helper that writes a run.
func traceHelper(t *testing.T, environment ...string) storetest.Trace {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	root := t.TempDir()
	c := helper(t, "write", filepath.Join(root, "run"))
	c.Env = append(c.Env, environment...)
	x, err := storetest.Record(c, root)
	if err != nil {
		t.Skipf("cannot trace here: %v", err)
	}
	return x
}

// imageOf writes the run directory as it may be found after a cut.
func imageOf(t *testing.T, d *storetest.Disk, random *rand.Rand) string {
	t.Helper()
	dir, err := storetest.Scratch()
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, d.Image(dir, random))
	run := filepath.Join(dir, "run")
	must(t, os.MkdirAll(run, 0o755))
	return run
}

func reportsOf(d *storetest.Disk) map[string]bool {
	reported := map[string]bool{}
	for line := range strings.Lines(d.Reports) {
		reported[strings.TrimSpace(line)] = true
	}
	return reported
}
