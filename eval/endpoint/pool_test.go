package endpoint_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/evaltest"
)

// attach serves a fake in this process, so that it can be looked into.
func attach(t *testing.T, f *family, o evaltest.FakeOptions) (*evaltest.Fake, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := f.write(context.Background(), f.candidate(0), dir); err != nil {
		t.Fatal(err)
	}
	o.Path, o.Name = dir, "fixed"
	fake, err := evaltest.NewFake(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, server.URL
}

// attached are the options for servers that run already.
func (f *family) attached(urls ...string) endpoint.ServerOptions {
	o := f.options(evaltest.VLLM, "")
	o.Command, o.Args, o.URLs, o.Model = nil, nil, urls, "fixed"
	return o
}

func serve(t *testing.T, s *endpoint.Servers, c mergesearch.Candidate) eval.Session {
	t.Helper()
	session, err := s.Serve(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// Servers that run elsewhere are swapped and never stopped.
func TestAttached(t *testing.T) {
	for _, kind := range []string{evaltest.VLLM, evaltest.SGLang} {
		for _, missing := range [][]string{nil, {"/pause", "/resume", "/is_paused"}, {"/pause_generation", "/continue_generation", "/get_model_info"}} {
			f := newFamily(t)
			fake, url := attach(t, f, evaltest.FakeOptions{Dialect: kind, Missing: missing})
			s := openKind(t, kind, f.attached(url+"/v1"))
			if p := s.Profile(); p.Swap != eval.SwapDisk || p.Kind != kind || !p.EchoLogprobs {
				t.Errorf("profile %+v", p)
			}
			for i := range 3 {
				session := serve(t, s, f.candidate(10+i))
				if fake.Seed() != uint64(1010+i) {
					t.Errorf("%s: seed %d serves candidate %d", kind, fake.Seed(), i)
				}
				if err := session.Check(context.Background()); err != nil {
					t.Error(err)
				}
				session.Close()
			}
			if n := s.Counts(); n.Doubts+n.Restarts+n.Voided > 0 {
				t.Errorf("%+v", n)
			}
			s.Close()
			if r, err := http.Get(url + "/health"); err != nil || r.StatusCode != http.StatusOK {
				t.Errorf("the server was stopped: %v", err)
			} else {
				r.Body.Close()
			}
		}
	}
}

// A server that cannot swap, and cannot be started again, is refused.
func TestAttachedCannotSwap(t *testing.T) {
	f := newFamily(t)
	_, url := attach(t, f, evaltest.FakeOptions{Dialect: evaltest.VLLM, Missing: []string{"/collective_rpc"}})
	_, err := endpoint.VLLM(context.Background(), f.attached(url))
	var in *mergesearch.InputError
	if !errors.As(err, &in) || !strings.Contains(in.Hint, "VLLM_SERVER_DEV_MODE") {
		t.Errorf("%v", err)
	}
	o := f.attached(url)
	o.Model = "other"
	if _, err := endpoint.VLLM(context.Background(), o); !errors.As(err, &in) || !strings.Contains(err.Error(), `no model "other"`) {
		t.Errorf("%v", err)
	}
	o = f.attached(url)
	o.Parents[1] = o.Parents[0]
	if _, err := endpoint.VLLM(context.Background(), o); !errors.As(err, &in) || !strings.Contains(err.Error(), "parents") {
		t.Errorf("%v", err)
	}
}

// Where swapping in place does not work, or the routes are missing, servers are
// started again instead; and it is said.
func TestFallsBackToRestarts(t *testing.T) {
	for kind, change := range map[string]func(*endpoint.ServerOptions){
		evaltest.VLLM:     func(o *endpoint.ServerOptions) { o.Args = append(o.Args, "--missing", "/collective_rpc") },
		evaltest.SGLang:   func(o *endpoint.ServerOptions) { o.Args = append(o.Args, "--missing", "/update_weights_from_disk") },
		evaltest.LlamaCpp: func(o *endpoint.ServerOptions) { o.Args = append(o.Args, "-ngl", "99") },
		"copies": func(o *endpoint.ServerOptions) {
			if err := evaltest.WriteFaults(o.Args[1], evaltest.Faults{Start: "copies"}); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "copies" {
				kind = evaltest.LlamaCpp
			}
			f := newFamily(t)
			o := f.options(kind, filepath.Join(t.TempDir(), "faults"))
			change(&o)
			s := openKind(t, kind, o)
			if p := s.Profile(); p.Swap != eval.SwapRestart || len(s.Notes()) != 1 {
				t.Errorf("swap %q, notes %q", p.Swap, s.Notes())
			}
			before := s.Counts().Restarts
			for i := range 3 {
				session := serve(t, s, f.candidate(10+i))
				session.Close()
			}
			if n := s.Counts(); n.Restarts != before+3 || n.Doubts > 0 {
				t.Errorf("%+v", n)
			}
		})
	}
}

// A pool takes as many candidates at once as it has servers; one that is lost
// gives its candidate to another, and the last one lost ends it.
func TestPool(t *testing.T) {
	f := newFamily(t)
	var fakes []*evaltest.Fake
	var urls, faults []string
	for range 3 {
		file := filepath.Join(t.TempDir(), "faults")
		fake, url := attach(t, f, evaltest.FakeOptions{Dialect: evaltest.SGLang, Faults: file})
		fakes, urls, faults = append(fakes, fake), append(urls, url), append(faults, file)
	}
	s := openKind(t, evaltest.SGLang, f.attached(urls...))
	var all sync.WaitGroup
	together := make(chan struct{}, 3)
	release := make(chan struct{})
	for i := range 3 {
		c := f.candidate(10 + i)
		all.Go(func() {
			session, err := s.Serve(context.Background(), c)
			if err != nil {
				t.Error(err)
				return
			}
			together <- struct{}{}
			<-release
			session.Close()
		})
	}
	for range 3 {
		<-together
	}
	close(release)
	all.Wait()
	seeds := map[uint64]bool{}
	for _, f := range fakes {
		seeds[f.Seed()] = true
	}
	if len(seeds) != 3 {
		t.Errorf("three candidates at once, and the servers hold %v", seeds)
	}
	// Each server dies at its next change of weights.
	for _, file := range faults {
		if err := evaltest.WriteFaults(file, evaltest.Faults{Swap: "kill"}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Serve(context.Background(), f.candidate(20))
	var e *eval.EndpointError
	if !errors.As(err, &e) || e.Attempts != 4 {
		t.Fatalf("%v, want an EndpointError after every server was tried", err)
	}
	if n := s.Counts(); n.Lost != 3 {
		t.Errorf("%+v", n)
	}
	if _, err := s.Serve(context.Background(), f.candidate(30)); err == nil {
		t.Error("a pool without servers serves")
	}
}

func TestPoolShrinks(t *testing.T) {
	f := newFamily(t)
	broken := filepath.Join(t.TempDir(), "faults")
	_, first := attach(t, f, evaltest.FakeOptions{Dialect: evaltest.VLLM, Faults: broken})
	good, second := attach(t, f, evaltest.FakeOptions{Dialect: evaltest.VLLM})
	s := openKind(t, evaltest.VLLM, f.attached(first, second))
	if err := evaltest.WriteFaults(broken, evaltest.Faults{Swap: "kill"}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		session := serve(t, s, f.candidate(10+i))
		if good.Seed() != uint64(1010+i) && i > 1 {
			t.Errorf("seed %d serves candidate %d", good.Seed(), i)
		}
		session.Close()
	}
	if n := s.Counts(); n.Lost != 1 || n.Served != 4 {
		t.Errorf("%+v", n)
	}
}

// Servers of a pool must be able to do the same.
func TestPoolOfUnequals(t *testing.T) {
	f := newFamily(t)
	_, one := attach(t, f, evaltest.FakeOptions{Dialect: evaltest.SGLang})
	_, other := attach(t, f, evaltest.FakeOptions{Dialect: evaltest.VLLM, Missing: []string{"/v1/completions"}})
	var in *mergesearch.InputError
	if _, err := endpoint.SGLang(context.Background(), f.attached(one, other)); !errors.As(err, &in) {
		t.Errorf("%v", err)
	}
}

// Candidates that are themselves broken are data, not trouble.
func TestBrokenCandidates(t *testing.T) {
	f := newFamily(t)
	o := f.options(evaltest.VLLM, filepath.Join(t.TempDir(), "faults"))
	write := o.Write
	o.Write = func(ctx context.Context, c mergesearch.Candidate, dir string) error {
		if err := write(ctx, c, dir); err != nil || c.Fingerprint != "weights-50" {
			return err
		}
		return os.WriteFile(filepath.Join(dir, evaltest.WeightsFile), []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"), 0o644) // no tensors
	}
	s := openKind(t, evaltest.VLLM, o)
	f.models["nan"] = evaltest.Model{Seed: 1, Fingerprint: "nan", Flat: true}
	var failure *mergesearch.Failure
	if _, err := s.Serve(context.Background(), evaltest.Candidate(9, f.models["nan"])); !errors.As(err, &failure) || failure.Code != "not_finite" {
		t.Errorf("%v, want a failure not_finite", err)
	}
	if _, err := s.Serve(context.Background(), mergesearch.Candidate{ID: "c1"}); err == nil {
		t.Error("a candidate without a fingerprint was served")
	}
	huge := f.candidate(60)
	huge.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(huge.Dir, evaltest.WeightsFile), []byte("short"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Serve(context.Background(), huge); err == nil || !strings.Contains(err.Error(), "safetensors") {
		t.Errorf("%v", err)
	}
	session := serve(t, s, f.candidate(11))
	session.Close()
	if n := s.Counts(); n.Lost > 0 {
		t.Errorf("%+v", n)
	}
}

// A server whose answers do not repeat exactly is measured, not doubted; wrong
// weights stand out all the same.
func TestNoise(t *testing.T) {
	f := newFamily(t)
	faults := filepath.Join(t.TempDir(), "faults")
	s := openKind(t, evaltest.VLLM, f.options(evaltest.VLLM, faults, "--noise", "0.002"))
	if n := s.Noise(); n < 0.001 || n > 0.01 {
		t.Errorf("noise %v", n)
	}
	for i := range 20 {
		session := serve(t, s, f.candidate(10+i/2))
		if err := session.Check(context.Background()); err != nil {
			t.Error(err)
		}
		session.Close()
	}
	if n := s.Counts(); n.Doubts > 0 {
		t.Errorf("%+v", n)
	}
	for i, fault := range []string{"stale", "half", "kept", "swapped", "older"} {
		if err := evaltest.WriteFaults(faults, evaltest.Faults{Swap: fault}); err != nil {
			t.Fatal(err)
		}
		session := serve(t, s, f.candidate(100+i))
		session.Close()
		if n := s.Counts(); n.Doubts != int64(i+1) {
			t.Errorf("%s: %+v", fault, n)
		}
	}
}

// A session ends at once when its server does, and says so.
func TestSessionLost(t *testing.T) {
	f := newFamily(t)
	faults := filepath.Join(t.TempDir(), "faults")
	s := openKind(t, evaltest.SGLang, f.options(evaltest.SGLang, faults))
	if err := evaltest.WriteFaults(faults, evaltest.Faults{Swap: "crash"}); err != nil {
		t.Fatal(err)
	}
	session := serve(t, s, f.candidate(10))
	status := 0
	for range 50 {
		body := strings.NewReader(`{"model":"` + session.Model + `","prompt":"1","max_tokens":1,"temperature":0}`)
		r, err := http.Post(session.BaseURL+"/completions", "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if status = r.StatusCode; status == http.StatusGone {
			break
		}
	}
	if status != http.StatusGone {
		t.Errorf("status %d, want 410", status)
	}
	if err := session.Check(context.Background()); !errors.Is(err, eval.ErrSessionLost) || !strings.Contains(err.Error(), "exit status 137") {
		t.Errorf("%v", err)
	}
	session.Close()
	again := serve(t, s, f.candidate(10))
	if err := again.Check(context.Background()); err != nil {
		t.Error(err)
	}
	again.Close()
}

// A canceled change leaves nothing that could be taken for another candidate.
func TestCancelledSwap(t *testing.T) {
	f := newFamily(t)
	faults := filepath.Join(t.TempDir(), "faults")
	s := openKind(t, evaltest.VLLM, f.options(evaltest.VLLM, faults))
	if err := evaltest.WriteFaults(faults, evaltest.Faults{Swap: "hang"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Serve(ctx, f.candidate(10)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	for _, i := range []int{11, 10} {
		session := serve(t, s, f.candidate(i))
		if err := session.Check(context.Background()); err != nil {
			t.Error(err)
		}
		session.Close()
	}
}
