package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/lm"
	"mergesearch/merge/gguf"
	"mergesearch/merge/safetensors"
)

// openEndpoint starts or reaches the endpoint of the run file and returns what stops
// it.
func (s *session) openEndpoint(ctx context.Context) (eval.Endpoint, func() error, error) {
	file := s.file
	switch e := file.Endpoint; e.Kind {
	case "mergesearch":
		server, err := endpoint.Mergesearch(ctx, endpoint.MergesearchOptions{BaseURL: e.URL, Write: writeInto, Storage: e.Storage})
		if err != nil {
			return nil, nil, unfitServer(mergesearch.InFile(err, file.File))
		}
		return server, server.Close, nil
	case "vllm", "sglang", "llamacpp", "openai":
		servers, err := s.openServers(ctx, e)
		if err != nil {
			return nil, nil, unfitServer(mergesearch.InFile(err, file.File))
		}
		for _, n := range servers.Notes() {
			s.note("%s", n)
		}
		return servers, servers.Close, nil
	}
	server, err := endpoint.NewEmbedded(lm.ServerOptions{})
	if err != nil {
		return nil, nil, &unfit{err: err, hint: "the embedded endpoint needs a loopback port; is the network of this machine restricted?"}
	}
	return server, server.Close, nil
}

// unfitServer makes what a server does, or does not, trouble of the machine. What the
// run file says wrongly stays bad input.
func unfitServer(err error) error {
	var in *mergesearch.InputError
	if errors.As(err, &in) && in.Field != "endpoint" {
		return err
	}
	return &unfit{err: err}
}

// apiKey returns the key that the environment has under a name; field is where the name
// stands.
func apiKey(name, field string) (string, error) {
	key, _ := lookupKey(name)
	if key == "" {
		return "", &mergesearch.InputError{Field: field, Problem: fmt.Sprintf("the environment has no %s, or it is empty", name), Hint: "export it first; keys are never given as values"}
	}
	return key, nil
}

// requests returns how many requests the endpoint's own server counted, 0 when it
// is in another process.
func (s *session) requests() int64 {
	if e, ok := s.endpoint.(interface{ Requests() int64 }); ok {
		return e.Requests()
	}
	return 0
}

// openServers starts or reaches servers of other programs.
func (s *session) openServers(ctx context.Context, e runfile.Endpoint) (*endpoint.Servers, error) {
	parents, err := s.parents()
	if err != nil {
		return nil, err
	}
	key := ""
	if e.APIKeyEnv != "" {
		if key, err = apiKey(e.APIKeyEnv, "endpoint.api_key_env"); err != nil {
			return nil, err
		}
	}
	if e.Kind == "openai" {
		return endpoint.Commanded(ctx, endpoint.OpenAIOptions{
			BaseURL: e.URL, Model: e.Model, APIKey: key, LoadCommand: e.LoadCommand, Environment: os.Environ(),
			Parents: parents, Write: writeInto, Storage: e.Storage,
		})
	}
	o := endpoint.ServerOptions{
		Model: e.Model, APIKey: key, Command: e.Command, Args: e.Args, Servers: e.Servers, Devices: e.Devices, Environment: os.Environ(),
		Parents: parents, Write: writeInto, WriteGGUF: writeIntoGGUF, Storage: e.Storage, LoadOnce: e.LoadOnce, Swapped: s.swaps.add,
	}
	if e.URL != "" {
		o.URLs = []string{e.URL}
	}
	open := map[string]func(context.Context, endpoint.ServerOptions) (*endpoint.Servers, error){
		"vllm": endpoint.VLLM, "sglang": endpoint.SGLang, "llamacpp": endpoint.LlamaCpp,
	}
	return open[e.Kind](ctx, o)
}

// parents returns the base model and an expert with other weights, by which servers
// are tried out.
func (s *session) parents() ([]mergesearch.Candidate, error) {
	var out []mergesearch.Candidate
	for _, name := range append([]string{s.baseName()}, s.expertNames()...) {
		checkpoint, _ := s.engine.Model(name)
		files, err := checkpoint.Files()
		if err != nil {
			return nil, err
		}
		dir, err := filepath.Abs(s.models[name])
		if err != nil {
			return nil, err
		}
		c := mergesearch.Candidate{ID: mergesearch.CandidateID(name), Dir: dir, Files: files, Tensors: checkpoint, Fingerprint: checkpoint.Digest()}
		if len(out) < 2 && (len(out) == 0 || out[0].Fingerprint != c.Fingerprint) {
			out = append(out, c)
		}
	}
	return out, nil
}

// writeInto writes a candidate into a new directory.
func writeInto(_ context.Context, c mergesearch.Candidate, dir string) error {
	return writeCandidate(c, dir)
}

// writeIntoGGUF writes a candidate into a new GGUF file. The recipe is no part of
// it, so that all candidates of a run have the same header.
func writeIntoGGUF(ctx context.Context, c mergesearch.Candidate, path string) error {
	return gguf.Write(ctx, c.Tensors, c.Files, path)
}

func writeCandidate(c mergesearch.Candidate, dir string) error {
	var tensors []mergesearch.Tensor
	for _, name := range c.Tensors.Names() {
		t, err := c.Tensors.Tensor(name)
		if err != nil {
			return err
		}
		tensors = append(tensors, t)
	}
	w, err := safetensors.Create(dir, tensors, safetensors.WriterOptions{Recipe: c.Recipe})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	names := make([]string, 0, len(c.Files))
	for name := range c.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.AddFile(name, c.Files[name]); err != nil {
			return err
		}
	}
	_, err = w.Commit()
	return err
}
