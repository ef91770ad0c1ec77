package evaltest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// The dialects that a Fake speaks.
const (
	VLLM     = "vllm"
	SGLang   = "sglang"
	LlamaCpp = "llamacpp"
)

// FakeOptions configure a Fake.
type FakeOptions struct {
	Dialect string
	Path    string // of the weights: a directory of WriteWeights, for llamacpp a file of WriteGGUF
	Name    string // that it answers to

	// Faults is a file with what goes wrong next, as WriteFaults writes it; empty
	// or absent: nothing does. It is read and removed at the start and at every
	// change of weights.
	Faults string

	// Missing lists paths that this version of the server does not have.
	Missing []string

	// NoCache says that prefixes are not reused from one request to the next.
	NoCache bool

	// Noise is the largest error of a log-probability: the same question gives a
	// little another answer each time.
	Noise float64

	// Exit ends the process in the middle of what it does. Nil: the fault "kill"
	// leaves a server that answers every request with a cut connection.
	Exit func()
}

// Faults of a Fake. The first four are wrong weights that it calls right.
type Faults struct {
	// Swap is what happens at the next change of weights: "stale" keeps the old
	// ones, "older" takes the ones before, "half" takes half of them, "swapped"
	// puts the tensors under each other's names, "kept" keeps the prefix cache,
	// "late" takes them three requests later, "revert" goes back to the first ones
	// ten requests later, "crash" dies then, "nan" gives no numbers, "error" takes half and says
	// so, "hang" takes half and does not answer, "kill" takes half and dies.
	Swap string `json:"swap,omitempty"`

	// Start is what happens at the next start of the program: "die" at load,
	// "ignore-term", "hold-port" by a child that ignores SIGTERM, "detach" a child
	// in a session of its own, "log-flood", "dead" (healthy but never answers),
	// "wrong-name", "slow" (not healthy for the first requests), "copies" (the
	// file is not mapped).
	Start string `json:"start,omitempty"`
}

// SwapFaults lists the faults of a change of weights in a dialect. A server that
// computes from its file does nothing when that is written over, so it cannot do it
// half or late.
func SwapFaults(dialect string) []string {
	if dialect == LlamaCpp {
		return []string{"stale", "kept", "nan", "kill", "crash"}
	}
	return []string{"stale", "older", "half", "swapped", "kept", "late", "revert", "nan", "error", "hang", "kill", "crash"}
}

// WriteFaults writes the file that FakeOptions.Faults names.
func WriteFaults(path string, f Faults) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// Fake is an inference server that speaks the dialect of a real one, as far as
// changing weights and asking go. Its weights come from a file, it keeps a prefix
// cache, and it can be told to go wrong in the ways that real ones do.
type Fake struct {
	options FakeOptions
	mux     *http.ServeMux

	mu       sync.Mutex
	file     mapped   // llamacpp: where the weights are
	seen     []byte   // of file, at the last request
	blob     []byte   // the weights that answer
	before   [][]byte // the ones before, oldest first
	model    Model
	nan      bool
	cache    map[string]uint64 // of each prefix in blocks, the seed of the weights that read it
	paused   bool
	version  string
	path     string
	later    []event // what happens after some requests
	dead     bool
	keep     bool // the prefix cache is not emptied
	start    string
	healthy  int // requests for health until it says so
	noise    uint64
	requests int64
}

// NewFake loads the weights.
func NewFake(o FakeOptions) (*Fake, error) {
	f := &Fake{options: o, cache: map[string]uint64{}, path: o.Path, version: "default"}
	f.start = f.fault().Start
	var err error
	if o.Dialect == LlamaCpp {
		if f.file, err = mapFile(o.Path); err == nil {
			f.seen = bytes.Clone(f.data())
			err = f.take(f.seen)
		}
	} else {
		var b []byte
		if b, err = readBlob(o.Path); err == nil {
			err = f.take(b)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", o.Path, err)
	}
	if f.start == "slow" {
		f.healthy = 3
	}
	f.mux = f.routes()
	return f, nil
}

// data returns the mapped weights.
func (f *Fake) data() []byte { return f.file[len(f.file)-blobBytes:] }

// Close unmaps the file.
func (f *Fake) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.file.close()
		f.file = nil
	}
}

// fault reads and removes the file of faults.
func (f *Fake) fault() (out Faults) {
	if f.options.Faults == "" {
		return out
	}
	text, err := os.ReadFile(f.options.Faults)
	if err != nil {
		return out
	}
	os.Remove(f.options.Faults)
	if err := json.Unmarshal(text, &out); err != nil {
		panic("evaltest: faults: " + err.Error())
	}
	return out
}

// take makes weights answer.
func (f *Fake) take(b []byte) error {
	m, err := modelOf(b)
	if err != nil {
		return err
	}
	if f.blob != nil {
		f.before = append(f.before[max(0, len(f.before)-7):], f.blob)
	}
	f.blob, f.model, f.nan = bytes.Clone(b), m, false
	return nil
}

// half returns weights of which the second tensor is still the old one.
func (f *Fake) half(b []byte) []byte {
	out := bytes.Clone(b)
	copy(out[8:16], f.blob[8:16])
	return out
}

// change takes new weights, or does what the fault says. It returns the HTTP
// status of the change; hang means that there is none.
func (f *Fake) change(b []byte, flush bool) (status int, hang bool) {
	fault := f.fault().Swap
	f.keep = fault == "kept"
	f.later = slices.DeleteFunc(f.later, func(e event) bool { return !e.outlasts })
	if flush && fault != "kept" {
		f.cache = map[string]uint64{}
	}
	status = http.StatusOK
	take := func(b []byte) {
		if err := f.take(b); err != nil {
			status = http.StatusInternalServerError
		}
	}
	switch fault {
	case "", "kept":
		take(b)
	case "stale":
	case "older":
		take(f.earlier(2))
	case "half":
		take(f.half(b))
	case "swapped":
		out := bytes.Clone(b)
		copy(out[:8], b[8:16])
		copy(out[8:16], b[:8])
		take(out)
	case "late":
		f.later = append(f.later, event{after: 3, do: func() { take(b) }})
	case "revert":
		first := f.earlier(len(f.before))
		take(b)
		f.later = append(f.later, event{after: 10, do: func() { take(first) }, outlasts: true})
	case "crash":
		take(b)
		f.later = append(f.later, event{after: 10, do: f.exit, outlasts: true})
	case "nan":
		take(b)
		f.nan = true
	case "error":
		take(f.half(b))
		status = http.StatusInternalServerError
	case "hang":
		take(f.half(b))
		hang = true
	case "kill":
		take(f.half(b))
		f.exit()
	default:
		panic("evaltest: unknown fault " + fault)
	}
	return status, hang
}

// looked is called before every answer of a server that maps its file: the change
// of weights is whatever someone wrote into it.
func (f *Fake) looked() {
	if f.file == nil || f.start == "copies" || bytes.Equal(f.seen, f.data()) {
		return
	}
	f.seen = bytes.Clone(f.data())
	f.change(f.seen, false)
}

// event is something that a server does some requests later.
type event struct {
	after    int
	do       func()
	outlasts bool // a change of weights
}

// tick counts a request and does what is due.
func (f *Fake) tick() {
	var due []event
	f.later = slices.DeleteFunc(f.later, func(e event) bool {
		if e.after == 0 {
			due = append(due, e)
		}
		return e.after == 0
	})
	for i := range f.later {
		f.later[i].after--
	}
	for _, e := range due {
		e.do()
	}
}

// earlier returns the weights that answered n changes ago, or the oldest known.
func (f *Fake) earlier(n int) []byte {
	if len(f.before) == 0 {
		return f.blob
	}
	return f.before[max(0, len(f.before)-n)]
}

// exit ends the process, or what stands for it.
func (f *Fake) exit() {
	f.dead = true
	if f.options.Exit != nil {
		f.options.Exit()
	}
}

// block is how many tokens of a prefix are cached together.
const block = 16

// answering returns the model that answers a prompt. With a prefix cache that is
// read, and that other weights filled, that is a model that nobody made.
func (f *Fake) answering(ids []int32, cached bool) (m Model, nan bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	f.looked()
	f.tick()
	m = f.model
	key := make([]byte, 0, 4*len(ids))
	for i, id := range ids {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
		if (i+1)%block != 0 {
			continue
		}
		seed, known := f.cache[string(key)]
		if !known {
			f.cache[string(key)] = m.Seed
		} else if cached && (!f.options.NoCache || f.keep) && seed != f.model.Seed {
			m.Seed = mixed(f.model.Seed, seed)
		}
	}
	return m, f.nan
}

// jitter returns the error of one log-probability.
func (f *Fake) jitter() float64 {
	if f.options.Noise == 0 {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noise = f.noise*6364136223846793005 + 1442695040888963407
	return f.options.Noise * (2*float64(f.noise>>11)/(1<<53) - 1)
}

// blur makes the log-probabilities of a response inexact, or no numbers at all.
func (f *Fake) blur(values []any, nan bool) {
	for i, v := range values {
		x, number := v.(float64)
		switch {
		case number && nan:
			values[i] = nil
		case number:
			values[i] = math.Min(0, x+f.jitter())
		}
	}
}

// named is one of the likeliest tokens at a position.
type named struct {
	id    int32
	value float64
}

// tops returns the n likeliest tokens at each position from the given place on.
func (f *Fake) tops(m Model, ids []int32, from, n int) [][]named {
	var out [][]named
	for i := from; i < len(ids); i++ {
		next := m.next(ids[:i])
		all := make([]named, Vocabulary)
		for id, v := range next {
			all[id] = named{int32(id), v}
		}
		slices.SortStableFunc(all, func(a, b named) int { return cmp.Compare(b.value, a.value) })
		for j := range n {
			all[j].value = math.Min(0, all[j].value+f.jitter())
		}
		out = append(out, all[:n:n])
	}
	return out
}

// Requests returns how many questions were answered.
func (f *Fake) Requests() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

// Seed returns the seed of the weights that answer.
func (f *Fake) Seed() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.model.Seed
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	dead := f.dead
	f.mu.Unlock()
	for _, path := range f.options.Missing {
		if r.URL.Path == path {
			http.NotFound(w, r)
			return
		}
	}
	switch {
	case dead:
		panic(http.ErrAbortHandler)
	case f.start == "dead" && r.URL.Path != "/health" && r.URL.Path != "/v1/models":
		<-r.Context().Done()
		return
	}
	f.mux.ServeHTTP(w, r)
}

// wait blocks until the caller has given up.
func wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(time.Minute):
	}
}
