package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/evaltest"
)

// swapsEnv raises the number of swaps of the soak test.
const swapsEnv = "MERGESEARCH_SOAK"

// soak is a long run of swaps into a server that goes wrong at random.
type soak struct {
	*family
	kind    string
	faults  string // file
	rng     *rand.Rand
	servers *endpoint.Servers
	scorer  *eval.Evaluator
	items   []mergesearch.ItemID
	right   map[string][]eval.Sample // by fingerprint, from a server without faults

	last     []string // what happened in this step
	half     bool     // the writer stops half-way, once
	injected map[string]int
	doubts   map[string]int // changes that were doubted, by the fault that was put in
	wrong    int            // scores of other weights
	alarms   int            // doubts without a fault
}

// reference scores a candidate on the model itself, in this process.
func (k *soak) reference(c mergesearch.Candidate) []eval.Sample {
	if got, known := k.right[c.Fingerprint]; known {
		return got
	}
	p := k.servers.Profile()
	s := evaltest.NewServer(k.t, p, nil)
	defer s.Close()
	e, err := eval.New(eval.Options{Tasks: soakTasks(k.t, p), Endpoint: s.Endpoint(k.models[c.Fingerprint]), Tokenizer: tokenizer})
	if err != nil {
		k.t.Fatal(err)
	}
	defer e.Close()
	r, err := e.ScoreDetailed(context.Background(), c, k.items)
	if err != nil {
		k.t.Fatal(err)
	}
	k.right[c.Fingerprint] = r.Samples
	return r.Samples
}

// soakTasks are a few questions whose answers differ between any two models.
func soakTasks(t testing.TB, p eval.Profile) []*eval.Task {
	t.Helper()
	dir := t.TempDir()
	var lines string
	for i := range 4 {
		lines += fmt.Sprintf("{\"q\": \"%d, counted from the first and written out, gives the number \", \"a\": \"x\", \"c\": [\"one\", \"two\", \"no\"]}\n", i)
	}
	const common = "dataset_path: json\ndataset_kwargs: {data_files: {test: data.jsonl}}\ntest_split: test\ndoc_to_text: q\ntarget_delimiter: ''\n"
	text := "task: write\n" + common + "doc_to_target: a\ngeneration_kwargs: {max_gen_toks: 8, until: ['\\n\\n']}\n"
	if _, ok := p.Likelihood(); ok {
		text = "task: choose\noutput_type: multiple_choice\n" + common + "doc_to_choice: c\ndoc_to_target: 0\n"
	}
	for name, text := range map[string]string{"data.jsonl": lines, "task.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	task, err := eval.ReadTask(filepath.Join(dir, "task.yaml"), eval.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	return []*eval.Task{task}
}

func newSoak(t *testing.T, kind string) *soak {
	k := &soak{
		family: newFamily(t), kind: kind, faults: filepath.Join(t.TempDir(), "faults"), rng: rand.New(rand.NewPCG(7, uint64(len(kind)*int(kind[0])))),
		right: map[string][]eval.Sample{}, injected: map[string]int{}, doubts: map[string]int{},
	}
	o := k.options(kind, k.faults)
	whole := o.Write
	o.Write = func(ctx context.Context, c mergesearch.Candidate, dir string) error {
		if err := whole(ctx, c, dir); err != nil || !k.half {
			return err
		}
		k.half = false
		return os.Truncate(filepath.Join(dir, evaltest.WeightsFile), 300)
	}
	wholeFile := o.WriteGGUF
	o.WriteGGUF = func(ctx context.Context, c mergesearch.Candidate, path string) error {
		if err := wholeFile(ctx, c, path); err != nil || !k.half {
			return err
		}
		k.half = false
		return os.Truncate(path, 100)
	}
	o.Swapped = func(r endpoint.SwapReport) { k.last = append(k.last, fmt.Sprintf("%+v", r)) }
	o.Limits.Swap, o.Limits.Canary = 1500*time.Millisecond, 4*time.Second
	k.servers = openKind(t, kind, o)
	var err error
	if k.scorer, err = eval.New(eval.Options{Tasks: soakTasks(t, k.servers.Profile()), Endpoint: k.servers, Tokenizer: tokenizer, Concurrency: 4}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.scorer.Close)
	for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		for _, item := range k.scorer.Items(split) {
			k.items = append(k.items, item.ID)
		}
	}
	return k
}

// step scores one candidate, three in ten of them with a fault on the way.
func (k *soak) step(i int) {
	// One in five is a candidate that was there before: a parent, or the next rung
	// of a race.
	c := k.candidate(10 + i)
	if k.rng.IntN(5) == 0 {
		c = k.candidate(10 + k.rng.IntN(i+1))
	}
	fault := ""
	if k.rng.IntN(10) < 3 {
		all := append([]string{"short file"}, evaltest.SwapFaults(k.kind)...)
		fault = all[k.rng.IntN(len(all))]
	}
	switch fault {
	case "":
	case "short file":
		k.half = true
	default:
		if err := evaltest.WriteFaults(k.faults, evaltest.Faults{Swap: fault}); err != nil {
			k.t.Fatal(err)
		}
	}
	before := k.servers.Counts()
	k.last = nil
	r, err := k.scorer.ScoreDetailed(context.Background(), c, k.items)
	after := k.servers.Counts()
	taken := fault != "" && !k.half
	if _, err := os.Stat(k.faults); err == nil {
		os.Remove(k.faults) // the candidate was there already: nothing changed
		taken = false
	}
	k.half = false
	name := fault
	if !taken {
		name = "none"
	}
	k.injected[name]++
	seen := after.Doubts + after.Voided - before.Doubts - before.Voided
	if seen > 0 {
		k.doubts[name]++
	}
	var f *mergesearch.Failure
	switch {
	case errors.As(err, &f):
		k.t.Errorf("swap %d, fault %s: blamed on the candidate: %v", i, name, err)
	case err != nil:
		k.t.Fatalf("swap %d, fault %s: %v", i, name, err)
	case !same(r.Samples, k.reference(c)):
		k.wrong++
		k.t.Errorf("swap %d, fault %s: a score of other weights was returned for %s: %q", i, name, c.ID, k.last)
		for fp := range k.right {
			if fp != c.Fingerprint && same(r.Samples, k.right[fp]) {
				k.t.Errorf("it is that of %s", fp)
			}
		}
		k.t.Errorf("%+v\n%+v", r.Samples, k.reference(c))
	}
	if !taken && seen > 0 {
		k.alarms++
		k.t.Errorf("swap %d: a false alarm: %q", i, k.servers.Doubts())
	}
}

func same(a, b []eval.Sample) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }

// Every wrong state of a server is caught before a score is returned, and no right
// one is doubted.
func TestSoak(t *testing.T) {
	swaps := 30
	if testing.Short() {
		swaps = 10
	}
	if n, err := strconv.Atoi(os.Getenv(swapsEnv)); err == nil {
		swaps = n
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := newSoak(t, kind)
			for i := range swaps {
				k.step(i)
				if t.Failed() {
					break
				}
			}
			n := k.servers.Counts()
			t.Logf("%s: %d candidates, %d faults, %d wrong scores, %d false alarms", kind, swaps, swaps-k.injected["none"], k.wrong, k.alarms)
			t.Logf("put in: %v", k.injected)
			t.Logf("noticed: %v", k.doubts)
			t.Logf("%+v", n)
			if n.Lost > 0 || n.NotServed > 0 {
				t.Error("a server or a candidate was given up")
			}
		})
	}
}
