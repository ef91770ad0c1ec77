package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/failpoint"
)

// killsVariable asks TestKill for so many kills.
const killsVariable = "MERGESEARCH_KILLS"

// killCountsVariable names a directory in which TestKill keeps its counts, so that a
// long one may be stopped and taken up again.
const killCountsVariable = "MERGESEARCH_KILL_COUNTS"

// killMark is in the environment of everything that the test starts, and of what
// that starts: servers are given variables whose names begin with LC_.
const killMark = "LC_MERGESEARCH_TEST"

// TestKill starts a search, kills it with SIGKILL and starts it again by the same
// command until it ends, then exports its winner in the same way. After every kill
// the store is sound and holds every answer that was reported as kept; nothing that
// was kept is asked again; no process and no temporary file is left; and in the end
// population and checkpoints are those of a run that nobody disturbed.
//
// It is killed at random instants, and with -tags failpoints also at every place that
// mergesearch.Failpoint marks. MERGESEARCH_KILLS says how often; docs/log/kill.md
// has the figures of a long one.
func TestKill(t *testing.T) {
	wanted := 12
	if n, err := strconv.Atoi(os.Getenv(killsVariable)); err == nil {
		wanted = n
	} else if testing.Short() {
		t.Skip("short")
	}
	table, hits := map[string]map[string]int{}, map[string]int{}
	for i, e := range []string{"embedded", "serve", "started"} {
		t.Run(e, func(t *testing.T) {
			k := newKilling(t, e)
			k.recall(t, e)
			share := wanted / 4 // half of the kills with the embedded engine
			if i == 0 {
				share = wanted - 2*share
			}
			for k.kills() < share && !t.Failed() {
				k.round(t)
				k.remember(t, e)
			}
			table[e] = k.counts
			for _, p := range k.places {
				hits[p] += k.counts[p]
			}
			t.Logf("%d kills in %d rounds, undisturbed %s", k.kills(), k.rounds, k.took.Round(time.Millisecond))
		})
	}
	for p, n := range hits {
		if wanted >= 2000 && n < 20 {
			t.Errorf("killed at %s %d times, want 20", p, n)
		}
	}
	if testing.Verbose() {
		t.Log(killTable(table))
	}
}

// killing kills the runs of one run file.
type killing struct {
	dir      string // of the run file
	random   *rand.Rand
	mark     string
	storage  string // where candidates are handed to servers
	commands [2][]string

	hash, best string // of the undisturbed run
	took       time.Duration
	places     []string // that it came to, in the order of the first visit
	visits     map[string]int

	rounds, serial int
	next           int            // of the places: those before it are behind the round
	counts         map[string]int // kills by place, or "at random/" and what was under way
}

// newKilling runs a run file once without disturbance.
func newKilling(t *testing.T, kind string) *killing {
	k := &killing{
		random: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), mark: fmt.Sprintf("%x", rand.Uint64()),
		storage: t.TempDir(), counts: map[string]int{}, visits: map[string]int{},
	}
	more := ""
	switch kind {
	case "serve":
		more = fmt.Sprintf("endpoint: {kind: mergesearch, url: %q, storage: %q}\n", serveBase(t), k.storage)
	case "started":
		command, err := json.Marshal([]string{os.Args[0], reloadingServer})
		check(t, err)
		more = fmt.Sprintf("endpoint: {kind: vllm, command: %s, storage: %q}\n", command, k.storage)
	}
	k.dir = writeSmallRun(t, more)
	k.commands = [2][]string{{"run", "run.yaml", "--dir", "run"}, {"export", "run", "best", "out"}}
	t.Cleanup(func() { k.noProcesses(t) })
	began := time.Now()
	for _, args := range k.commands {
		p := k.start(t, args, failpoint.Plan{})
		if err := p.Wait(); err != nil {
			t.Fatalf("undisturbed %q: %v\n%s", args, err, p.errors())
		}
		for _, e := range k.journal(t) {
			if e.At != "" {
				if k.visits[e.At]++; k.visits[e.At] == 1 {
					k.places = append(k.places, e.At)
				}
			}
		}
	}
	k.took = time.Since(began)
	k.hash, k.best = k.ended(t)
	return k
}

// serveBase starts `mergesearch serve` and returns its URL.
func serveBase(t *testing.T) string {
	base, err := filepath.Abs(filepath.Join("..", "..", "configs", "quickstart", "models", "base"))
	check(t, err)
	c := exec.Command(os.Args[0], "serve", base, "--addr", "127.0.0.1:0", "--threads", "1", "--json")
	c.Env = append(os.Environ(), asProgram+"=1")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	check(t, err)
	check(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	var said struct{ URL string }
	check(t, json.NewDecoder(bufio.NewReader(out)).Decode(&said))
	return said.URL
}

// recall reads what an earlier process counted.
func (k *killing) recall(t *testing.T, kind string) {
	dir := os.Getenv(killCountsVariable)
	if text, err := os.ReadFile(filepath.Join(dir, kind+".json")); dir != "" && err == nil {
		check(t, json.Unmarshal(text, &k.counts))
	}
}

// remember writes the counts down.
func (k *killing) remember(t *testing.T, kind string) {
	dir := os.Getenv(killCountsVariable)
	if dir == "" || t.Failed() {
		return
	}
	text, err := json.MarshalIndent(k.counts, "", " ")
	check(t, err)
	check(t, os.MkdirAll(dir, 0o755))
	check(t, os.WriteFile(filepath.Join(dir, kind+".json"), text, 0o644))
}

func (k *killing) kills() (n int) {
	for _, c := range k.counts {
		n += c
	}
	return n
}

// child is a process of the program.
type child struct {
	*exec.Cmd
	args           []string
	stdout, stderr bytes.Buffer
}

func (c *child) errors() string { return c.stderr.String() }

func (k *killing) start(t *testing.T, args []string, plan failpoint.Plan) *child {
	t.Helper()
	k.serial++
	p := &child{Cmd: exec.Command(os.Args[0], args...), args: args}
	p.Dir, p.Stdout, p.Stderr = k.dir, &p.stdout, &p.stderr
	p.Env = append(os.Environ(), asProgram+"=1", "GOMAXPROCS=2", killMark+"="+k.mark,
		failpoint.PlanVariable+"="+plan.String(), failpoint.JournalVariable+"="+k.journalPath())
	check(t, p.Start())
	return p
}

func (k *killing) journalPath() string {
	return filepath.Join(k.dir, fmt.Sprintf("journal-%d", k.serial))
}

// journal reads what the last process wrote down.
func (k *killing) journal(t *testing.T) []failpoint.Entry {
	t.Helper()
	entries, err := failpoint.ReadJournal(k.journalPath())
	check(t, err)
	return entries
}

// round takes a run from nothing to its end, with kills on the way.
func (k *killing) round(t *testing.T) {
	k.rounds++
	for _, name := range []string{"run", "out"} {
		check(t, os.RemoveAll(filepath.Join(k.dir, name)))
	}
	kept := map[string]map[string]float64{} // by recipe and item
	rarest := slices.IndexFunc(k.places, func(p string) bool { return k.counts[p] == k.least() })
	for at, args := range k.commands {
		k.next = max(0, rarest-k.random.IntN(max(1, len(k.places))))
		for !t.Failed() {
			plan := k.choose(at)
			p := k.start(t, args, plan)
			killed := k.await(t, p, plan)
			k.verify(t, kept)
			if t.Failed() {
				t.Fatalf("round %d, %q with %q: %s", k.rounds, args, plan, p.errors())
			}
			if !killed {
				break
			}
		}
	}
	if hash, best := k.ended(t); hash != k.hash || best != k.best {
		t.Errorf("round %d: population %s and checkpoints %s, undisturbed %s and %s", k.rounds, hash, best, k.hash, k.best)
	}
}

// least returns how often the place was hit that was hit least.
func (k *killing) least() int {
	p := slices.MinFunc(k.places, func(a, b string) int { return cmp.Compare(k.counts[a], k.counts[b]) })
	return k.counts[p]
}

// choose says where the next process of a round ends: one time in four at a random
// instant, otherwise at one of the next places in the order in which a run comes to
// them, so that a round is killed often before its end.
func (k *killing) choose(command int) failpoint.Plan {
	var ahead []string
	for i, p := range k.places {
		if exporting := strings.HasPrefix(p, "export"); exporting && command == 0 || !exporting && command == 1 && !strings.HasPrefix(p, "checkpoint") {
			continue
		}
		if i >= k.next {
			ahead = append(ahead, p)
		}
	}
	if len(ahead) == 0 || k.random.IntN(4) == 0 {
		k.next += k.random.IntN(2)
		return failpoint.Plan{}
	}
	p := slices.MinFunc(ahead[:min(3, len(ahead))], func(a, b string) int { return cmp.Compare(k.counts[a], k.counts[b]) })
	k.next = slices.Index(k.places, p) + k.random.IntN(2)
	return failpoint.Plan{Name: p, Visit: 1 + k.random.IntN(min(3, k.visits[p]))}
}

// await waits for the end of a process, kills it at a random instant when there
// is no plan, and reports whether it was killed. Ends of any other kind are a failure.
func (k *killing) await(t *testing.T, p *child, plan failpoint.Plan) bool {
	t.Helper()
	if plan.Name == "" && k.random.IntN(20) > 0 { // now and then it comes through
		timer := time.AfterFunc(time.Duration(k.random.Float64()*float64(k.took)), func() { _ = p.Process.Kill() })
		defer timer.Stop()
	}
	err := p.Wait()
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case err == nil:
		return false
	case status.ExitStatus() == exitInput && strings.Contains(p.errors(), "directory is not empty") && wholeCheckpoint(t, filepath.Join(k.dir, "out")):
		return false // it was killed after its work was done, and does not do it over
	case !status.Signaled() || status.Signal() != syscall.SIGKILL:
		t.Errorf("it ended with %v", err)
		return false
	}
	place := plan.Name
	if place == "" {
		place = "at random/" + k.phase(t, p)
	}
	k.counts[place]++
	return true
}

// phase says what was under way when the last process was killed: that of the last
// place which it came to.
func (k *killing) phase(t *testing.T, p *child) string {
	last := "start"
	for _, e := range k.journal(t) {
		if e.At != "" {
			last = phaseOf(e.At)
		}
	}
	if p.args[0] == "export" {
		return "export"
	}
	return last
}

// phaseOf names the phase of a place.
func phaseOf(place string) string {
	words := strings.Split(place, "/")
	switch phase := words[0]; {
	case phase == "at random":
		return words[1]
	case phase == "build" && words[1] == "before":
		return "merge"
	case phase == "swap" && words[1] == "after":
		return "score"
	case phase == "build", phase == "score" && words[1] == "after":
		return "between"
	case place == "commit/before/result", place == "commit/after/result":
		return "verdict"
	default:
		return phase
	}
}

// verify checks what must hold after any end of a process.
func (k *killing) verify(t *testing.T, kept map[string]map[string]float64) {
	t.Helper()
	for _, e := range k.journal(t) {
		if e.Asked == nil {
			continue
		}
		for _, item := range e.Asked.Items {
			if _, known := kept[e.Asked.Recipe][item]; known {
				t.Errorf("item %s of recipe %s was kept and is asked again", item, e.Asked.Recipe)
			}
		}
	}
	for _, e := range k.journal(t) {
		if e.Kept == nil {
			continue
		}
		if kept[e.Kept.Recipe] == nil {
			kept[e.Kept.Recipe] = map[string]float64{}
		}
		maps.Copy(kept[e.Kept.Recipe], e.Kept.Values)
	}
	check(t, os.RemoveAll(k.journalPath()))
	r, _ := soundStore(t, filepath.Join(k.dir, "run"))
	if r == nil {
		if len(kept) > 0 {
			t.Error("answers were kept, but there is no store")
		}
		return
	}
	defer r.Close()
	for recipe, values := range kept {
		known, err := r.Known(t.Context(), mergesearch.RecipeID(recipe))
		check(t, err)
		found := map[string]float64{}
		for _, o := range known.Outcomes {
			found[string(o.Item)] = o.Value
		}
		for item, value := range values {
			if got, there := found[item]; !there || got != value {
				t.Errorf("recipe %s, item %s: kept %v, there %v (%t)", recipe, item, value, got, there)
			}
		}
	}
	k.noProcesses(t)
}

// ended returns the population hash and a hash of both checkpoints, after a look
// for what must not be left.
func (k *killing) ended(t *testing.T) (hash, best string) {
	t.Helper()
	r, report := soundStore(t, filepath.Join(k.dir, "run"))
	if r == nil {
		t.Fatal("no store")
	}
	if _, err := r.Ending(t.Context()); err != nil {
		t.Error(err)
	}
	for _, dir := range []string{k.dir, k.storage} {
		for _, f := range leftovers(t, dir) {
			t.Errorf("left over: %s", f)
		}
	}
	return report.PopulationHash, contents(t, filepath.Join(k.dir, "run", "best")) + contents(t, filepath.Join(k.dir, "out"))
}

// noProcesses fails the test when something that it started is still there a while
// after its end. A port is held by a process, so none is left either.
func (k *killing) noProcesses(t *testing.T) {
	t.Helper()
	var left []string
	for range 100 {
		if left = processesWith(killMark + "=" + k.mark); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("still there: %q", left)
}

// processesWith returns the command lines of processes with a variable.
func processesWith(variable string) (found []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || !slices.ContainsFunc(bytes.Split(text, []byte{0}), func(v []byte) bool { return string(v) == variable }) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	return found
}

// killTable is the table of docs/log/kill.md.
func killTable(counts map[string]map[string]int) string {
	places, phases := map[string]bool{}, map[string]int{}
	for _, of := range counts {
		for p, n := range of {
			places[p] = true
			phases[phaseOf(p)] += n
		}
	}
	var b strings.Builder
	kinds := slices.Sorted(maps.Keys(counts))
	fmt.Fprintf(&b, "\n| place | %s |\n|---|%s\n", strings.Join(kinds, " | "), strings.Repeat("---|", len(kinds)))
	for _, p := range slices.Sorted(maps.Keys(places)) {
		fmt.Fprintf(&b, "| %s |", p)
		for _, k := range kinds {
			fmt.Fprintf(&b, " %d |", counts[k][p])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| phase | kills |\n|---|---|\n")
	for _, p := range slices.Sorted(maps.Keys(phases)) {
		fmt.Fprintf(&b, "| %s | %d |\n", p, phases[p])
	}
	return b.String()
}
