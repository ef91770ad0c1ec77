package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"mergesearch"
	"mergesearch/cmd/internal/plan"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/merge/kernel"
	"mergesearch/store"
)

func newDoctorCommand() *cobra.Command {
	var dir string
	var device deviceFlag
	c := &cobra.Command{
		Use:   "doctor [RUNFILE]",
		Short: "say whether this machine, the endpoint and the family are fit for a run",
		Long: `doctor looks at the machine and, with a run file, at models, data, disk and endpoint. A
line each: ok, warn or fail, with one remedy. The endpoint is started or reached and one
item is asked. It ends with code 4 when a line fails.`,
		Args:              arguments(0, 1),
		ValidArgsFunction: yamlFiles,
		RunE: func(c *cobra.Command, args []string) error {
			d := &doctor{device: device, dir: dir}
			if d.dir == "" {
				d.dir = "runs"
			}
			d.machine()
			if len(args) == 1 {
				d.run(c.Context(), args[0], dir)
			}
			var err error
			if wantsJSON(c) {
				err = report.Write(c.OutOrStdout(), map[string]any{"lines": d.lines, "fit": d.failed() == 0})
			} else {
				err = d.print(c.OutOrStdout())
			}
			if n := d.failed(); err == nil && n > 0 {
				return &unfit{err: fmt.Errorf("not fit for a run: %d of %d lines fail", n, len(d.lines)), hint: "each line above that fails names its remedy"}
			}
			return err
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "directory of the run (default runs/<name>-s<seed>)")
	device.add(c, "auto")
	return c
}

// finding is a line of the doctor.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // ok, warn or fail
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"` // of a warn or fail
}

type doctor struct {
	device deviceFlag
	dir    string
	lines  []finding
}

func (d *doctor) ok(what, format string, args ...any) {
	d.lines = append(d.lines, finding{what, "ok", oneLine(fmt.Sprintf(format, args...)), ""})
}

func (d *doctor) warn(what, text, remedy string) {
	d.lines = append(d.lines, finding{what, "warn", oneLine(text), oneLine(remedy)})
}

func (d *doctor) fail(what, text, remedy string) {
	d.lines = append(d.lines, finding{what, "fail", oneLine(text), oneLine(remedy)})
}

// refused is a failure whose remedy is the error's own hint.
func (d *doctor) refused(what string, err error) {
	remedy := hintOf(err)
	if codeOf(err) == exitBug || remedy == "" {
		remedy = "mend what the line names"
	}
	d.fail(what, err.Error(), remedy)
}

func (d *doctor) failed() (n int) {
	for _, l := range d.lines {
		if l.State == "fail" {
			n++
		}
	}
	return n
}

func (d *doctor) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range d.lines {
		fmt.Fprintf(table, "%s\t%s\t%s\n", l.State, l.What, report.Plain(l.Text))
		if l.Remedy != "" {
			fmt.Fprintf(table, "\t\tremedy: %s\n", report.Plain(l.Remedy))
		}
	}
	return table.Flush()
}

// machine looks at what every run needs.
func (d *doctor) machine() {
	level := kernel.Levels()[0] // the fastest
	if threads := runtime.GOMAXPROCS(0); level == kernel.Portable {
		d.warn("processor", fmt.Sprintf("%s, %d threads, portable kernels", runtime.GOARCH, threads), "a processor with AVX2 merges and answers several times as fast")
	} else {
		d.ok("processor", "%s, %d threads, kernels at level %v", runtime.GOARCH, threads, level)
	}
	d.gpu()
	d.files()
	d.clock()
}

func (d *doctor) gpu() {
	devices, note, err := d.device.open(true)
	defer closeDevices(devices)
	switch {
	case err != nil:
		d.refused("GPU", err)
	case note != "":
		d.warn("GPU", note, "nvidia-smi shows the driver's state; --device cpu gives the same bits without it")
	case len(devices) == 0:
		d.ok("GPU", "none is used: merges are built on the CPU")
	default:
		for _, x := range devices {
			d.ok("GPU", "%s", x)
		}
	}
}

// fewFiles is how many descriptors a run needs: connections, shards and the store.
const fewFiles, enoughFiles = 256, 1024

func (d *doctor) files() {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	switch {
	case limit.Cur < fewFiles:
		d.fail("open files", fmt.Sprintf("at most %d", limit.Cur), fmt.Sprintf("ulimit -n %d", enoughFiles))
	case limit.Cur < enoughFiles:
		d.warn("open files", fmt.Sprintf("at most %d", limit.Cur), fmt.Sprintf("ulimit -n %d", enoughFiles))
	default:
		d.ok("open files", "at most %d", limit.Cur)
	}
}

func (d *doctor) clock() {
	now := time.Now()
	began := now
	time.Sleep(time.Millisecond)
	switch {
	case now.Before(released):
		d.warn("clock", "it shows "+now.Format(time.RFC3339)+", before this program was released", "set the clock; times in the records would be wrong")
	case time.Since(began) <= 0:
		d.fail("clock", "it stands still", "restart the machine, or look at its time source")
	default:
		d.ok("clock", "%s", now.Format("2006-01-02 15:04:05 MST"))
	}
}

// run looks at what the run file names.
func (d *doctor) run(ctx context.Context, path, dir string) {
	file, err := runfile.Read(path)
	if err != nil {
		d.refused("run file", err)
		return
	}
	if d.dir = dir; dir == "" {
		d.dir = filepath.Join("runs", fmt.Sprintf("%s-s%d", file.Name, file.Seed))
	}
	s, err := readSession(file, deviceFlag{"cpu"}, true)
	if err == nil {
		defer s.Close()
		err = s.checkSplits()
	}
	if err != nil {
		d.refused("family and tasks", err)
		d.storage(4 * recordBytes)
		return
	}
	d.ok("family", "%d experts of %s, %d layers, headers and sizes agree", len(file.Experts), s.baseName(), s.layers)
	d.tokenizers(s)
	d.data(s)
	need := int64(4 * recordBytes)
	costs, _ := s.earlier(ctx, filepath.Dir(filepath.Clean(d.dir)), 2)
	if w, err := s.rehearse(ctx, 2, costs); err != nil {
		d.refused("run file", err)
	} else {
		e := s.estimate(w, costs)
		need = e.PeakBytes
		d.memory(s, e)
	}
	d.storage(need)
	d.leftovers()
	d.endpoint(ctx, s)
}

// tokenizers compares what differs between parents without being a reason to refuse.
func (d *doctor) tokenizers(s *session) {
	if len(s.notes) > 0 {
		d.warn("tokenizer and config", s.notes[0], "merges take the base model's; check that the experts were trained with it")
	} else {
		d.ok("tokenizer and config", "equal in what gives weights their meaning")
	}
	base := chatTemplateOf(s, s.baseName())
	for _, name := range s.expertNames() {
		if chatTemplateOf(s, name) != base {
			d.warn("chat template", name+" has another one than the base model", "each parent is asked with its own, merges with the base model's; prompts.chat_template gives all one")
			return
		}
	}
	d.ok("chat template", "%s", map[bool]string{true: "none", false: "equal"}[base == ""])
}

func chatTemplateOf(s *session, name string) string {
	checkpoint, _ := s.engine.Model(name)
	files, err := checkpoint.Files()
	if err != nil {
		return ""
	}
	if t := files["chat_template.jinja"]; len(t) > 0 {
		return string(t)
	}
	var config struct {
		Template any `json:"chat_template"`
	}
	if json.Unmarshal(files["tokenizer_config.json"], &config) != nil || config.Template == nil {
		return ""
	}
	return fmt.Sprint(config.Template)
}

func (d *doctor) data(s *session) {
	n, bytes := 0, int64(0)
	for _, t := range s.tasks {
		for _, path := range t.Files() {
			_, size, err := hashFile(path)
			if err != nil {
				d.fail("data", err.Error(), "make the file readable")
				return
			}
			n, bytes = n+1, bytes+size
		}
	}
	d.ok("data", "%d files of %d tasks, %s, hashed", n, len(s.tasks), bytesText(bytes))
}

func (d *doctor) memory(s *session, e plan.Estimate) {
	available := availableMemory()
	base, _ := s.engine.Model(s.baseName())
	need := e.MemoryBytes
	if need == 0 { // two built, two served and packed, and the parents
		need = int64(4+1+len(s.file.Experts))*base.MappedBytes() + 200<<20
	}
	switch {
	case available == 0:
	case available < need:
		d.fail("memory", fmt.Sprintf("%s available, the run needs about %s", bytesText(available), bytesText(need)), "end other programs, or run with --workers 1")
	case available < 2*need:
		d.warn("memory", fmt.Sprintf("%s available, the run needs about %s", bytesText(available), bytesText(need)), "end other programs before the night")
	default:
		d.ok("memory", "%s available, the run needs about %s", bytesText(available), bytesText(need))
	}
}

// availableMemory is what can be had without swapping; 0 where the system does not say.
func availableMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

// networks are file systems whose locks and syncs a store cannot rely on, by the
// numbers of statfs(2).
var networks = map[int64]string{
	0x6969: "NFS", 0xff534d42: "CIFS", 0xfe534d42: "SMB", 0x01021997: "9P", 0x00c36400: "Ceph", 0x0bd00bd0: "Lustre", 0x5346414f: "AFS", 0x47504653: "GPFS",
}

func (d *doctor) storage(need int64) {
	at := nearestDir(d.dir)
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		d.fail("disk", fmt.Sprintf("%s: %v", at, err), "choose another directory with --dir")
		return
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	if name, is := networks[int64(st.Type)&0xffffffff]; is {
		d.fail("file system", at+" is on "+name+", where locks and syncs cannot be relied on", "choose a directory on a local disk with --dir")
	} else if int64(st.Type) == 0x65735546 {
		d.warn("file system", at+" is on FUSE; whether it syncs depends on what is behind it", "choose a directory on a local disk with --dir")
	} else {
		d.ok("file system", "%s is local (type %#x)", at, st.Type)
	}
	if st.Blocks > 0 && free < need {
		d.fail("disk space", fmt.Sprintf("%s free, the run needs %s at the peak", bytesText(free), bytesText(need)), "free some space, or choose another directory with --dir")
	} else {
		d.ok("disk space", "%s free, the run needs %s at the peak", bytesText(free), bytesText(need))
	}
	ms, err := syncTime(at)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR):
		d.ok("disk speed", "not measured: the file system has no files without a name")
	case err != nil:
		d.fail("disk speed", fmt.Sprintf("%s: %v", at, err), "choose a directory that can be written to with --dir")
	case ms > 100:
		d.warn("disk speed", fmt.Sprintf("a sync takes %.0f ms, and each candidate needs three", ms), "choose a directory on a faster disk with --dir")
	default:
		d.ok("disk speed", "a sync takes %.1f ms", ms)
	}
}

// syncTime is the median of a few syncs, in milliseconds, of a file that has no name
// and is gone when it is closed.
func syncTime(dir string) (float64, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	var took []time.Duration
	for range 7 {
		if _, err := unix.Write(fd, make([]byte, 4096)); err != nil {
			return 0, err
		}
		began := time.Now()
		if err := unix.Fsync(fd); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return float64(took[len(took)/2].Microseconds()) / 1000, nil
}

// leftovers looks for what an earlier run of this directory left: a process that holds
// it, or was recorded as holding it and lives; and folders for models.
func (d *doctor) leftovers() {
	holder, held, err := store.HeldBy(d.dir)
	if err == nil && held {
		d.warn("earlier run", fmt.Sprintf("process %d holds %s since %s", holder.PID, d.dir, holder.Start.Format(time.RFC3339)), "wait for it, or stop it with kill -INT "+strconv.Itoa(holder.PID))
		return
	}
	if _, err := os.Stat(filepath.Join(d.dir, store.FileName)); err == nil {
		d.ok("earlier run", "%s holds one that no process is working on; run resumes it", d.dir)
	} else if err := freeForRun(d.dir); err != nil {
		d.refused("earlier run", err)
	} else {
		d.ok("earlier run", "none in %s", d.dir)
	}
	var stale []string
	for _, at := range []string{"/dev/shm", os.TempDir()} {
		found, _ := filepath.Glob(filepath.Join(at, "mergesearch-*"))
		for _, f := range found {
			if info, err := os.Lstat(f); err == nil && info.IsDir() && time.Since(info.ModTime()) > 24*time.Hour {
				stale = append(stale, f)
			}
		}
	}
	if len(stale) > 0 {
		d.warn("temporary folders", fmt.Sprintf("%d older than a day, such as %s", len(stale), stale[0]), "if no run is using them: rm -r "+shellWord(stale[0]))
	}
}

// endpoint starts or reaches it and has the base model answer one item, which the
// evaluator refuses where other weights answer.
func (d *doctor) endpoint(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	began := time.Now()
	if err := s.serve(ctx); err != nil {
		d.refused("endpoint", err)
		return
	}
	d.ok("endpoint", "%s is there after %s", s.file.Endpoint.Kind, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	c, err := s.engine.Build(ctx, "probe", mergesearch.Passthrough(s.baseName(), s.space.DType))
	if err != nil {
		d.refused("answers", err)
		return
	}
	defer c.Release()
	item := s.items(mergesearch.SearchSplit)[0].ID
	out, err := s.evaluator.Score(ctx, c, []mergesearch.ItemID{item})
	var degenerate *mergesearch.Failure
	switch {
	case errors.As(err, &degenerate): // it answered, and one item says no more
		d.ok("answers", "the base model's own weights answer")
	case err != nil:
		d.refused("answers", err)
	case out[0].Missing:
		d.fail("answers", "the endpoint gave no usable answer to "+string(item), "look at the endpoint's log")
	default:
		d.ok("answers", "the base model's own weights answer: %d tokens in %s", out[0].Tokens(), time.Since(began).Round(time.Millisecond))
	}
}
