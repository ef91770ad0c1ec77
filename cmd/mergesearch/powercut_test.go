package main

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/xxh3"

	"mergesearch"
	"mergesearch/cmd/internal/failpoint"
	"mergesearch/merge/safetensors"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// imagesVariable asks TestPowerCut for so many images of the disk.
const imagesVariable = "MERGESEARCH_IMAGES"

// TestPowerCut traces a search and an export, then builds what the disk may hold when
// the power fails after any of their system calls. No image has a store that cannot
// be opened or that is unsound, none a checkpoint that says it is complete and is not,
// and what was reported as done is there: with -tags failpoints every answer that was
// kept, always the checkpoints whose command has ended. From some of the images the
// run is continued; it must end as it did undisturbed.
func TestPowerCut(t *testing.T) {
	images := 30
	if n, err := strconv.Atoi(os.Getenv(imagesVariable)); err == nil {
		images = n
	} else if testing.Short() {
		t.Skip("short")
	}
	c := newCutting(t)
	answers, checkpoints := 0, 0
	c.trace.Cuts(images, c.random, c.trace.NewDisk(c.journal), nil, func(cut int, d *storetest.Disk) {
		dir, err := storetest.Scratch()
		check(t, err)
		defer os.RemoveAll(dir)
		check(t, d.Image(dir, c.random))
		kept, done := reported(t, d.Reports)
		c.checkStore(t, filepath.Join(dir, "run"), kept)
		for _, out := range []string{"run/best", "new/parent/out"} {
			complete := wholeCheckpoint(t, filepath.Join(dir, out))
			if done[out] && !complete {
				t.Errorf("%s was reported, and is not there", out)
			}
			if complete {
				checkpoints++
			}
		}
		if c.random.IntN(max(30, images/50)) == 0 {
			c.goOn(t, dir)
		}
		if t.Failed() {
			t.Fatalf("cut after %d of %d calls", cut, len(c.trace.Calls))
		}
		answers += len(kept)
	})
	t.Logf("%d calls, %d images, %d answers looked for, %d complete checkpoints, %d continued", len(c.trace.Calls), images, answers, checkpoints, c.continued)
	if checkpoints == 0 && images >= 200 {
		t.Error("no image had a complete checkpoint")
	}
}

// cutting is a traced run and its undisturbed end.
type cutting struct {
	random     *rand.Rand
	dir        string // of the run file
	journal    string
	trace      storetest.Trace
	hash, best string
	continued  int
}

func newCutting(t *testing.T) *cutting {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	c := &cutting{random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), dir: writeSmallRun(t, "")}
	c.journal = filepath.Join(c.dir, "journal")
	root := t.TempDir()
	for _, args := range [][]string{
		{"run", "run.yaml", "--dir", filepath.Join(root, "run")},
		{"export", filepath.Join(root, "run"), "best", filepath.Join(root, "new", "parent", "out")},
	} {
		trace, err := storetest.Record(c.program(args...), root)
		if err != nil {
			t.Skipf("cannot trace here: %v", err)
		}
		if c.trace.Calls == nil {
			c.trace = trace
		} else {
			c.trace = c.trace.Then(trace)
		}
	}
	_, report := soundStore(t, filepath.Join(root, "run"))
	c.hash, c.best = report.PopulationHash, contents(t, filepath.Join(root, "run", "best"))
	return c
}

func (c *cutting) program(args ...string) *exec.Cmd {
	p := exec.Command(os.Args[0], args...)
	p.Dir = c.dir
	p.Env = append(os.Environ(), asProgram+"=1", "GOMAXPROCS=2", failpoint.JournalVariable+"="+c.journal)
	return p
}

// reported returns what the journal says of kept answers, by recipe and item, and
// which checkpoints the commands said to have written.
func reported(t *testing.T, text string) (kept map[[2]string]float64, done map[string]bool) {
	kept, done = map[[2]string]float64{}, map[string]bool{}
	for line := range strings.Lines(text) {
		var e failpoint.Entry
		switch {
		case strings.HasPrefix(line, "{"):
			check(t, json.Unmarshal([]byte(line), &e))
			if e.Kept != nil {
				for item, v := range e.Kept.Values {
					kept[[2]string{e.Kept.Recipe, item}] = v
				}
			}
		case strings.HasPrefix(line, "recipe:"):
			done["run/best"] = true
		case strings.Contains(line, "/new/parent/out: "):
			done["new/parent/out"] = true
		}
	}
	return kept, done
}

// checkStore looks for the kept answers in the store of an image.
func (c *cutting) checkStore(t *testing.T, dir string, kept map[[2]string]float64) {
	t.Helper()
	r, _ := soundStore(t, dir)
	if r == nil {
		if len(kept) > 0 {
			t.Error("answers were kept, but there is no store")
		}
		return
	}
	defer r.Close()
	known := map[string]map[string]float64{}
	for k, value := range kept {
		if known[k[0]] == nil {
			known[k[0]] = map[string]float64{}
			found, err := r.Known(t.Context(), mergesearch.RecipeID(k[0]))
			check(t, err)
			for _, o := range found.Outcomes {
				known[k[0]][string(o.Item)] = o.Value
			}
		}
		if got, there := known[k[0]][k[1]]; !there || got != value {
			t.Errorf("recipe %s, item %s: kept %v, there %v (%t)", k[0], k[1], value, got, there)
		}
	}
	db, err := store.Open(t.Context(), dir, store.Options{})
	check(t, err)
	check(t, db.Close())
}

// wholeCheckpoint reports whether a directory says that it is complete, and fails the
// test when it is not.
func wholeCheckpoint(t *testing.T, dir string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, safetensors.CompleteFile))
	if err != nil {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s has its name and no manifest", dir)
		}
		return false
	}
	var m safetensors.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Errorf("%s: %v: %q", dir, err, text)
		return false
	}
	for _, f := range m.Files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name))
		sum := xxh3.Hash128(b).Bytes()
		if err != nil || int64(len(b)) != f.Bytes || hex.EncodeToString(sum[:]) != f.XXH3 {
			t.Errorf("%s/%s: %d bytes, or others, where the manifest says %d (%v)", dir, f.Name, len(b), f.Bytes, err)
		}
	}
	return len(m.Files) > 0
}

// goOn runs the search on an image to its end.
func (c *cutting) goOn(t *testing.T, dir string) {
	t.Helper()
	c.continued++
	p := c.program("run", "run.yaml", "--dir", filepath.Join(dir, "run"))
	if out, err := p.CombinedOutput(); err != nil {
		t.Errorf("continued: %v: %s", err, out)
		return
	}
	_, report := soundStore(t, filepath.Join(dir, "run"))
	if best := contents(t, filepath.Join(dir, "run", "best")); report.PopulationHash != c.hash || best != c.best {
		t.Errorf("continued: population %s, checkpoint %s; undisturbed %s, %s", report.PopulationHash, best, c.hash, c.best)
	}
	check(t, filepath.WalkDir(filepath.Join(dir, "run"), func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".tmp") {
			t.Errorf("left over: %s", path)
		}
		return err
	}))
}
