package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/evaltest"
	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

const models = "../../configs/quickstart/models"

func TestMain(m *testing.M) {
	evaltest.Child() // when it was started as a server
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("internal/poll.runtime_pollWait"))
}

// candidate opens a model of the quickstart's family.
func candidate(t testing.TB, index int, name string) mergesearch.Candidate {
	t.Helper()
	files, tensors, err := lmtest.Open(filepath.Join(models, name))
	if err != nil {
		t.Fatal(err)
	}
	return mergesearch.Candidate{ID: mergesearch.CandidateOf(index), Tensors: tensors, Files: files, Fingerprint: tensors.Digest()}
}

func embedded(t testing.TB) *endpoint.Embedded {
	t.Helper()
	e, err := endpoint.NewEmbedded(lm.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestEmbedded(t *testing.T) {
	evaltest.TestEndpoint(t, evaltest.Suite{
		Open:       func(t testing.TB) eval.Endpoint { return embedded(t) },
		Candidates: []mergesearch.Candidate{candidate(t, 0, "expert-arithmetic"), candidate(t, 1, "expert-reverse")},
	})
}

// A session gives nothing back that belongs to the builder of the candidate.
func TestEmbeddedBorrowsTensors(t *testing.T) {
	e, c := embedded(t), candidate(t, 0, "base")
	for range 3 {
		s, err := e.Serve(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	if n := c.Tensors.(*lmtest.Tensors).Released(); n != 0 {
		t.Errorf("the tensors were released %d times", n)
	}
}

func TestEmbeddedRefuses(t *testing.T) {
	e, good := embedded(t), candidate(t, 0, "base")
	foreign, bare, broken := good, good, good
	foreign.Fingerprint = "other"
	bare.Tensors = nil
	broken.Files = map[string][]byte{"config.json": []byte("{"), "tokenizer.json": good.Files["tokenizer.json"]}
	for want, c := range map[string]mergesearch.Candidate{"fingerprint": foreign, "no tensors": bare, "config.json": broken} {
		if s, err := e.Serve(context.Background(), c); err == nil || !strings.Contains(err.Error(), want) {
			if err == nil {
				s.Close()
			}
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

// served starts `mergesearch serve` as far as an endpoint can see.
func served(t testing.TB) string {
	t.Helper()
	s := lm.NewServer(lm.ServerOptions{Open: func(dir string) (map[string][]byte, mergesearch.Tensors, error) { return lmtest.Open(dir) }})
	url, err := s.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return url
}

func TestMergesearch(t *testing.T) {
	var candidates []mergesearch.Candidate
	for i, name := range []string{"expert-arithmetic", "expert-reverse"} {
		c := candidate(t, i, name)
		dir, err := filepath.Abs(filepath.Join(models, name))
		if err != nil {
			t.Fatal(err)
		}
		c.Dir = dir
		if i == 1 { // this one is only in memory
			c.Dir = ""
		}
		candidates = append(candidates, c)
	}
	evaltest.TestEndpoint(t, evaltest.Suite{
		Candidates: candidates,
		Open: func(t testing.TB) eval.Endpoint {
			e, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{
				BaseURL: served(t),
				Write: func(_ context.Context, _ mergesearch.Candidate, dir string) error {
					return os.CopyFS(dir, os.DirFS(filepath.Join(models, "expert-reverse")))
				},
				Storage: t.TempDir(),
			})
			if err != nil {
				t.Fatal(err)
			}
			return e
		},
	})
}

// A server that reads other weights than the candidate's is found out on loading.
func TestMergesearchProvesWeights(t *testing.T) {
	storage := t.TempDir()
	e, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{
		BaseURL: served(t) + "/v1/",
		Write: func(_ context.Context, _ mergesearch.Candidate, dir string) error {
			return os.CopyFS(dir, os.DirFS(filepath.Join(models, "base")))
		},
		Storage: storage,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Serve(context.Background(), candidate(t, 0, "expert-atlas"))
	if left, _ := filepath.Glob(filepath.Join(storage, "*", "c*")); err == nil || !strings.Contains(err.Error(), "fingerprint") || len(left) > 0 {
		t.Errorf("%v, left %v", err, left)
	}
	c := candidate(t, 1, "base")
	c.Dir = "/nowhere"
	if _, err := e.Serve(context.Background(), c); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("%v, want an error that names the directory", err)
	}
}

func TestNoServer(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	other := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"m": {}})
	for name, open := range map[string]func() error{
		"mergesearch gone": func() error {
			_, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{BaseURL: gone.URL})
			return err
		},
		"mergesearch is another program": func() error {
			_, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{BaseURL: other.URL})
			return err
		},
		"openai gone": func() error {
			_, err := endpoint.OpenAI(context.Background(), endpoint.OpenAIOptions{BaseURL: gone.URL + "/v1", Model: "m"})
			return err
		},
		"openai without the model": func() error {
			_, err := endpoint.OpenAI(context.Background(), endpoint.OpenAIOptions{BaseURL: other.URL + "/v1", Model: "n"})
			return err
		},
		"no URL": func() error {
			_, err := endpoint.OpenAI(context.Background(), endpoint.OpenAIOptions{BaseURL: "::", Model: "n"})
			return err
		},
	} {
		var in *mergesearch.InputError
		if err := open(); !errors.As(err, &in) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want an InputError on one line", name, err)
		}
	}
}

// Servers are asked what they can do; lesser ones are found out ability by ability.
func TestOpenAIProbes(t *testing.T) {
	for _, want := range []eval.Profile{
		{},
		{ExtraSampling: true},
		{TokenPrompts: true, EchoLogprobs: true},
		{TokenPrompts: true, EchoLogprobs: true, ManyPrompts: true},
		{TokenPrompts: true, EchoLogprobs: true, ManyPrompts: true, ZeroTokens: true, ExtraSampling: true, Context: 64},
	} {
		s := evaltest.NewServer(t, want, map[string]evaltest.Model{"m": {Seed: 3}})
		e, err := endpoint.OpenAI(context.Background(), endpoint.OpenAIOptions{BaseURL: s.URL + "/v1", Model: "m", Tokenizer: evaltest.Tokenizer{}})
		if err != nil {
			t.Fatal(err)
		}
		want.Kind, want.Swap = "openai", eval.SwapNone
		want.Measured = e.Profile().Measured
		if got := e.Profile(); got != want {
			t.Errorf("found %+v, the server does %+v", got, want)
		}
		if s.Requests() > 20 {
			t.Errorf("%d requests to find out", s.Requests())
		}
	}
	// A server that sends zeros for log-probabilities does not have them.
	s := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"m": {Flat: true}})
	e, err := endpoint.OpenAI(context.Background(), endpoint.OpenAIOptions{BaseURL: s.URL + "/v1", Model: "m", Tokenizer: evaltest.Tokenizer{}})
	if err != nil {
		t.Fatal(err)
	}
	if e.Profile().EchoLogprobs {
		t.Error("equal log-probabilities were taken for real ones")
	}
}

func TestOpenAI(t *testing.T) {
	url := served(t)
	static, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	c := candidate(t, 0, "expert-atlas")
	if c.Dir, err = filepath.Abs(filepath.Join(models, "expert-atlas")); err != nil {
		t.Fatal(err)
	}
	session, err := static.Serve(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	evaltest.TestEndpoint(t, evaltest.Suite{
		Candidates: []mergesearch.Candidate{{ID: "atlas"}}, // the server tokenizes
		Open: func(t testing.TB) eval.Endpoint {
			e, err := endpoint.OpenAI(context.Background(), endpoint.OpenAIOptions{BaseURL: session.BaseURL, Model: session.Model})
			if err != nil {
				t.Fatal(err)
			}
			if lacking, ok := e.Profile().Likelihood(); !ok {
				t.Errorf("log-likelihoods cannot be asked for: %s", lacking)
			}
			if _, err := e.Serve(context.Background(), c); err == nil {
				t.Error("a fixed model was taken for a candidate")
			}
			return e
		},
	})
}

// A run that was killed leaves models in the server. The next one takes them out,
// and none of a process that lives or that it cannot see.
func TestMergesearchUnloadsAbandoned(t *testing.T) {
	url := served(t)
	dir, err := filepath.Abs(filepath.Join(models, "base"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Skip(err)
	}
	mine := endpoint.Owner()
	if mine == "" {
		t.Skip("processes cannot be told apart here")
	}
	_, where, _ := strings.Cut(mine, ".")
	dead := fmt.Sprintf("%d.%s", c.Process.Pid, where)
	for _, owner := range []string{mine, dead, dead + "0", "theirs"} {
		body := fmt.Sprintf(`{"name": %q, "dir": %q}`, "c0001-aa-1~"+owner, dir)
		r, err := http.Post(url+"/v1/mergesearch/load", "application/json", strings.NewReader(body))
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatal(err, r)
		}
		r.Body.Close()
	}
	e, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{BaseURL: url, Storage: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r, err := http.Get(url + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	list, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for owner, want := range map[string]bool{mine: true, dead: false, dead + "0": true, "theirs": true} {
		if got := strings.Contains(string(list), "~"+owner+`"`); got != want {
			t.Errorf("model of %s: there %t, want %t: %s", owner, got, want, list)
		}
	}
}

// A model whose unloading, or the answer to whose loading, was lost on the way does not
// stay in the server.
func TestMergesearchUnloadsWhatWasLost(t *testing.T) {
	url := served(t)
	target, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	var lose atomic.Value // path whose answers are lost
	lose.Store("")
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if strings.HasSuffix(r.Request.URL.Path, lose.Load().(string)) && lose.Load() != "" {
			return errors.New("lost")
		}
		return nil
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	front := httptest.NewServer(proxy)
	defer front.Close()
	e, err := endpoint.Mergesearch(context.Background(), endpoint.MergesearchOptions{BaseURL: front.URL, Storage: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c := candidate(t, 0, "expert-arithmetic")
	if c.Dir, err = filepath.Abs(filepath.Join(models, "expert-arithmetic")); err != nil {
		t.Fatal(err)
	}
	held := func() int {
		t.Helper()
		r, err := http.Get(url + "/v1/models")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		list, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(list), `"id":"`)
	}
	lose.Store("/load")
	if _, err := e.Serve(context.Background(), c); err == nil {
		t.Fatal("an answer that was lost was taken for one")
	}
	if n := held(); n != 1 {
		t.Fatalf("%d models after a lost answer", n)
	}
	lose.Store("")
	s, err := e.Serve(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if n := held(); n != 1 {
		t.Errorf("%d models in the next session", n)
	}
	s.Close()
	if n := held(); n != 0 {
		t.Errorf("%d models after it", n)
	}
}
