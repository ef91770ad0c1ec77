package endpoint_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/evaltest"
)

// family are models that are told apart by their seed.
type family struct {
	t      testing.TB
	models map[string]evaltest.Model
}

func newFamily(t testing.TB) *family { return &family{t, map[string]evaltest.Model{}} }

// candidate returns the model with the seed as a candidate that is only in memory.
func (f *family) candidate(seed int) mergesearch.Candidate {
	m := evaltest.Model{Seed: uint64(seed) + 1000, Fingerprint: fmt.Sprintf("weights-%d", seed)}
	f.models[m.Fingerprint] = m
	return evaltest.Candidate(seed, m)
}

func (f *family) write(_ context.Context, c mergesearch.Candidate, dir string) error {
	return evaltest.WriteWeights(dir, f.models[c.Fingerprint])
}

func (f *family) writeGGUF(_ context.Context, c mergesearch.Candidate, path string) error {
	return evaltest.WriteGGUF(path, f.models[c.Fingerprint])
}

// kinds are the endpoints that start servers.
var kinds = map[string]func(context.Context, endpoint.ServerOptions) (*endpoint.Servers, error){
	evaltest.VLLM: endpoint.VLLM, evaltest.SGLang: endpoint.SGLang, evaltest.LlamaCpp: endpoint.LlamaCpp,
}

// options are those of a pool of fakes that run as child processes.
func (f *family) options(kind string, faults string, more ...string) endpoint.ServerOptions {
	args := append([]string{}, more...)
	if faults != "" {
		args = append(args, "--faults", faults)
	}
	return endpoint.ServerOptions{
		Command: evaltest.Command(kind), Args: args, Environment: os.Environ(), Storage: f.t.TempDir(),
		Parents: []mergesearch.Candidate{f.candidate(0), f.candidate(1)}, Write: f.write, WriteGGUF: f.writeGGUF,
		Limits: endpoint.Limits{Start: 30 * time.Second, Swap: 5 * time.Second, Canary: 5 * time.Second, Grace: 2 * time.Second},
	}
}

func openKind(t testing.TB, kind string, o endpoint.ServerOptions) *endpoint.Servers {
	t.Helper()
	s, err := kinds[kind](context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tokenizer(json []byte) (eval.Tokenizer, error) { return evaltest.Parse(json) }

func TestServers(t *testing.T) {
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			f := newFamily(t)
			candidates := []mergesearch.Candidate{f.candidate(5), f.candidate(6)}
			evaltest.TestEndpoint(t, evaltest.Suite{
				Open: func(t testing.TB) eval.Endpoint {
					f.t = t
					s := openKind(t, kind, f.options(kind, filepath.Join(t.TempDir(), "faults")))
					for _, n := range s.Notes() {
						t.Error(n)
					}
					return s
				},
				Candidates: candidates, Tokenizer: tokenizer,
			})
		})
	}
}
