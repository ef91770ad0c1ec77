package external_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/external"
	"mergesearch/search/external/externaltest"
	"mergesearch/search/searchtest"
)

// The test binary is the program too: "program MODE".
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "program" {
		program(os.Args[2])
		return
	}
	goleak.VerifyTestMain(m)
}

// program behaves or misbehaves by mode.
func program(mode string) {
	in := bufio.NewReader(os.Stdin)
	hear := func() string { line, _ := in.ReadString('\n'); return line }
	const hello = `{"type":"hello"}`
	answers := map[string][]string{ // of each request after the greeting
		"nonsense":      {"bonjour"},
		"other type":    {`{"type":"tell"}`},
		"unknown field": {`{"type":"proposals","proposls":[]}`},
		"too few":       {`{"type":"proposals","proposals":[]}`},
		"too many":      {`{"type":"proposals","proposals":[` + simple + `,` + simple + `]}`},
		"unknown gene":  {`{"type":"proposals","proposals":[{"genome":{"weihgt":1}}]}`},
		"missing gene":  {`{"type":"proposals","proposals":[{"genome":{"weight.a":0.5}}]}`},
		"outside":       {`{"type":"proposals","proposals":[{"genome":{"weight.a":0.5,"weight.b":7}}]}`},
		"a text":        {`{"type":"proposals","proposals":[{"genome":{"weight.a":0.5,"weight.b":"much"}}]}`},
		"parent":        {`{"type":"proposals","proposals":[{"genome":{"weight.a":0.5,"weight.b":1},"parents":["c0999"]}]}`},
		"failed parent": {`{"type":"proposals","proposals":[{"genome":{"weight.a":0.5,"weight.b":1},"parents":["c0000"]}]}`},
		"more text":     {`{"type":"proposals","proposals":[` + simple + `]} {"type":"proposals"}`},
		"stray brace":   {`{"type":"proposals","proposals":[` + simple + `]}}`},
		"operator":      {`{"type":"proposals","proposals":[{"genome":{"weight.a":0.5,"weight.b":1},"operator":"a\u0007"}]}`},
		"twice":         {`{"type":"proposals","proposals":[` + simple + `]}` + "\n" + `{"type":"proposals","proposals":[` + simple + `]}`},
		"two, then end": {`{"type":"proposals","proposals":[` + simple + `]}`, `{"type":"proposals","proposals":[` + simple + `],"finished":true}`},
	}
	switch mode {
	case "good":
		externaltest.Propose(os.Stdin, os.Stdout)
		return
	case "dead":
		hear()
		fmt.Fprintln(os.Stderr, "Traceback: no module named optuna")
		os.Exit(3)
	case "silent":
		time.Sleep(time.Hour)
	case "deaf": // never reads
		fmt.Println(hello)
		time.Sleep(time.Hour)
	case "talks first":
		fmt.Println(hello + "\n" + hello)
	case "stays": // does not end when its input does
		defer time.Sleep(time.Hour)
		externaltest.Propose(os.Stdin, os.Stdout)
		return
	}
	hear()
	fmt.Println(hello)
	for k := 0; ; {
		line := hear()
		if line == "" || strings.Contains(line, `"bye"`) {
			return
		}
		if strings.Contains(line, `"ask"`) {
			if k >= len(answers[mode]) {
				os.Exit(4)
			}
			fmt.Println(answers[mode][k])
			k++
		}
	}
}

const simple = `{"genome":{"weight.a":0.5,"weight.b":1}}`

var space = searchtest.MustSpace(mergesearch.SpaceSpec{
	Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
	Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
})

func propose(t *testing.T, mode string, change ...func(*external.Options)) *external.Proposer {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := external.Options{
		Command: []string{binary, "program", mode}, Timeout: 20 * time.Second, Stderr: &strings.Builder{},
		Space: space, Benchmark: searchtest.Brief(space, 1).Benchmark, Seed: 1,
	}
	for _, c := range change {
		c(&o)
	}
	p, err := external.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever a program does wrong ends in an error that says what, with the program
// gone.
func TestBrokenPrograms(t *testing.T) {
	soon := func(o *external.Options) { o.Timeout = 50 * time.Millisecond }
	for mode, want := range map[string]string{
		"dead":          "answer the greeting: it ended: exit status 3; its last words: Traceback: no module named optuna",
		"talks first":   "nobody asked for",
		"nonsense":      `propose: "bonjour\n"`,
		"other type":    `it said "tell", want "proposals"`,
		"unknown field": "proposls",
		"too few":       "0 proposals, want 1",
		"too many":      "2 proposals, want 1",
		"unknown gene":  `gene "weihgt" is not of the space`,
		"missing gene":  "gene weight.b is missing",
		"outside":       "gene weight.b: 7 is outside [0, 1]",
		"a text":        "gene weight.b: not a number",
		"parent":        `parent "c0999" was not told`,
		"failed parent": `parent "c0000" was not told with a fitness`,
		"more text":     "something follows the JSON document",
		"stray brace":   "something follows the JSON document",
		"operator":      "unprintable",
		"twice":         "nobody asked for",
		"silent":        "answer the greeting: silent for 50ms",
	} {
		t.Run(mode, func(t *testing.T) {
			p := propose(t, mode, func(o *external.Options) {
				if mode == "silent" {
					soon(o)
				}
			})
			err := p.Open(t.Context())
			if err == nil {
				defer p.Close()
				p.Tell([]mergesearch.Trial{{State: mergesearch.Failed}})
				for range 3 {
					if len(p.Ask()) == 0 {
						break
					}
					p.Tell(nil)
				}
				if err = p.Err(); len(p.Ask()) > 0 {
					t.Error("asked on after an error")
				}
			}
			var broken *external.Error
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), want) || broken.Hint() == "" {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

// A program that does not read cannot hold the run up.
func TestDeafProgram(t *testing.T) {
	p := propose(t, "deaf", func(o *external.Options) { o.Timeout = 2 * time.Second })
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	trials := make([]mergesearch.Trial, 10_000) // more than a pipe holds
	p.Tell(trials)
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "take trials: silent for 2s") {
		t.Errorf("error %v", err)
	}
}

func TestCommandThatDoesNotExist(t *testing.T) {
	p := propose(t, "", func(o *external.Options) { o.Command = []string{"/no/such/program"} })
	var broken *external.Error
	if err := p.Open(t.Context()); !errors.As(err, &broken) || broken.Doing != "start" {
		t.Errorf("error %v", err)
	}
	for _, o := range []external.Options{{}, {Command: []string{"x"}, Timeout: -1}, {Command: []string{"x"}, Population: -1}, {Command: []string{"x"}, Lookahead: -1}} {
		var input *mergesearch.InputError
		if _, err := external.New(o); !errors.As(err, &input) {
			t.Errorf("%+v: error %v, want an input error", o, err)
		}
	}
}

// The context ends a wait, and Close a program that stays.
func TestEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := propose(t, "silent")
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := p.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	p = propose(t, "stays", func(o *external.Options) { o.Timeout = 2 * time.Second })
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil || p.Err() != nil {
		t.Errorf("errors %v, %v", err, p.Err())
	}
}

func TestFinishes(t *testing.T) {
	p := propose(t, "two, then end")
	if err := p.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Tell(nil)
	for want := range []int{1, 2} {
		asked := p.Ask()
		if len(asked) != 1 || asked[0].Genome[0] != 0.5 || asked[0].Generation != want+1 || asked[0].Operator != "external" {
			t.Fatalf("asked %+v", asked)
		}
		p.Tell(nil)
	}
	if len(p.Ask()) != 0 || p.Err() != nil {
		t.Errorf("asked on, or error %v", p.Err())
	}
}

var _ interface {
	search.Outside
	search.SteadyState
} = (*external.Proposer)(nil)

// A whole run with a proposer of the documentation, with one worker and with three
// and a kill between. PROPOSER names another one to try, such as Optuna's:
// "python optuna_proposer.py".
func TestPythonProposer(t *testing.T) {
	command := strings.Fields(os.Getenv("PROPOSER"))
	if len(command) == 0 {
		script, err := filepath.Abs("../../docs/peers/search/random_proposer.py")
		if err != nil {
			t.Fatal(err)
		}
		command = []string{"python3", script}
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Skip(err)
	}
	f := searchtest.NewFamily(2, searchtest.Items{Search: 20, Validation: 10, HeldOut: 20})
	try := func(rec *searchtest.Recorder, workers int) (search.Report, error) {
		p := propose(t, "", func(o *external.Options) {
			o.Command, o.Space, o.Benchmark, o.Lookahead, o.Timeout = command, f.Space, f.Benchmark(), 4, time.Minute
			o.Stderr = t.Output()
		})
		return search.Run(t.Context(), search.Options{
			Space: f.Space, Benchmark: f.Benchmark(), Algorithm: p,
			Builder: f, Scorer: f, Judge: searchtest.Judge{Benchmark: f.Benchmark()}, Recorder: rec,
			Race: search.Race{Keep: 1}, Budget: search.Budget{Candidates: 40}, Workers: workers,
		})
	}
	whole, rec := searchtest.NewRecorder(), searchtest.NewRecorder()
	want, err := try(whole, 1)
	if err != nil || want.Candidates != 40 {
		t.Fatalf("%d candidates, error %v", want.Candidates, err)
	}
	cut := errors.New("power cut")
	rec.Fault = func(call int) error {
		if call >= whole.Calls()*2/3 {
			return cut
		}
		return nil
	}
	if _, err := try(rec, 3); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	rec.Fault = nil
	if got, err := try(rec, 3); err != nil || rec.Hash() != whole.Hash() || got.Best.RecipeID != want.Best.RecipeID {
		t.Errorf("resumed: error %v, hash %s, want %s", err, rec.Hash(), whole.Hash())
	}
	t.Logf("best of %d: %.3f on search items", want.Candidates, want.Best.Search.Fitness)
}
