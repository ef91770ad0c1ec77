package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/lm"
	"mergesearch/merge/safetensors"
)

// openEndpoint starts or reaches the endpoint of a run file and returns what stops
// it.
func openEndpoint(ctx context.Context, file *runfile.RunFile) (eval.Endpoint, func() error, error) {
	if e := file.Endpoint; e.Kind == "mergesearch" {
		server, err := endpoint.Mergesearch(ctx, endpoint.MergesearchOptions{BaseURL: e.URL, Write: handOver})
		if err != nil {
			return nil, nil, &unfit{err: mergesearch.InFile(err, file.File)}
		}
		return server, func() error { return nil }, nil
	}
	server, err := endpoint.NewEmbedded(lm.ServerOptions{})
	if err != nil {
		return nil, nil, &unfit{err: err, hint: "the embedded endpoint needs a loopback port; is the network of this machine restricted?"}
	}
	return server, server.Close, nil
}

// requests returns how many requests the endpoint's own server counted, 0 when it
// is in another process.
func (s *session) requests() int64 {
	if e, ok := s.endpoint.(*endpoint.Embedded); ok {
		return e.Requests()
	}
	return 0
}

// handOver writes a candidate that is in memory into a directory that a server
// in another process can read; memory-backed storage is used where there is some.
func handOver(_ context.Context, c mergesearch.Candidate) (dir string, remove func(), err error) {
	parent := "/dev/shm"
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = os.TempDir()
	}
	parent, err = os.MkdirTemp(parent, "mergesearch-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(parent) }
	dir = filepath.Join(parent, "model")
	if err := writeCandidate(c, dir); err != nil {
		remove()
		return "", nil, err
	}
	return dir, remove, nil
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
