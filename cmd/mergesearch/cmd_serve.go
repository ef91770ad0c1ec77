package main

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/eval/lm"
	"mergesearch/merge/safetensors"
)

func newServeCommand() *cobra.Command {
	var address, name string
	var threads int
	c := &cobra.Command{
		Use: "serve MODEL", Short: "serve a model directory over an OpenAI-compatible HTTP API", Args: arguments(1, 1),
		Long: `serve answers /v1/completions, /v1/models, /tokenize, /detokenize and /health on
loopback, /v1/chat/completions where the model has a chat template, and lets a search in another process exchange the weights
(endpoint: {kind: mergesearch, url: http://...} in its run file).`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkServe(address, name, threads, c.Flags().Changed("name")); err != nil {
				return err
			}
			files, tensors, err := openModel(args[0])
			if err != nil {
				return err
			}
			if err := lm.CheckConfig(files); err != nil {
				tensors.Release()
				return mergesearch.InDir(err, args[0])
			}
			model, err := lm.Load(files, tensors)
			if err != nil {
				return mergesearch.InDir(err, args[0])
			}
			if name == "" {
				name = filepath.Base(filepath.Clean(args[0]))
			}
			server := lm.NewServer(lm.ServerOptions{Engine: lm.Options{Threads: threads}, Open: openModel})
			defer server.Close()
			if err := server.Add(name, model); err != nil {
				return err
			}
			url, err := server.Listen(address)
			if err != nil {
				return &unfit{err: err, hint: "choose another address with --addr, such as 127.0.0.1:0 for a free port"}
			}
			if wantsJSON(c) {
				err = report.Write(c.OutOrStdout(), map[string]string{"url": url, "model": name, "fingerprint": model.Fingerprint()})
			} else {
				_, err = fmt.Fprintf(c.OutOrStdout(), "serving %s at %s/v1 (weights %s); Ctrl-C ends it\n", report.Plain(name), url, model.Fingerprint())
			}
			if err != nil {
				return err
			}
			<-c.Context().Done()
			return nil
		},
	}
	c.Flags().StringVar(&address, "addr", "127.0.0.1:8080", "address to listen on; loopback only")
	c.Flags().StringVar(&name, "name", "", "name under which the model answers (default: its folder)")
	c.Flags().IntVar(&threads, "threads", runtime.GOMAXPROCS(0), "threads of the engine")
	return c
}

// checkServe refuses flags of serve. Who reaches the server can make it read any
// directory, so it listens to this machine alone; to others it is handed on by a tunnel
// or a proxy that asks who is there.
func checkServe(address, name string, threads int, named bool) error {
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > math.MaxUint16 {
		return &mergesearch.InputError{Field: "--addr", Problem: fmt.Sprintf("%.60q is no address", address), Hint: "an address is HOST:PORT, such as 127.0.0.1:8080; port 0 takes a free one"}
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
		return &mergesearch.InputError{Field: "--addr", Problem: fmt.Sprintf("%.60q is not of this machine alone", address), Hint: "serve asks nobody for a password: listen on 127.0.0.1 and let others in by a tunnel, such as ssh -L"}
	}
	switch unprintable := func(r rune) bool { return !unicode.IsPrint(r) }; {
	case named && (strings.TrimSpace(name) == "" || len(name) > 200 || strings.ContainsFunc(name, unprintable)):
		return &mergesearch.InputError{Field: "--name", Problem: fmt.Sprintf("%.60q is no name", name), Hint: "leave it out for the name of the folder"}
	case threads < 1:
		return &mergesearch.InputError{Field: "--threads", Problem: "must be at least 1", Hint: "leave it out for one each processor"}
	}
	return nil
}

// openModel opens a model directory for the embedded engine, which may not know
// checkpoint formats itself.
func openModel(dir string) (map[string][]byte, mergesearch.Tensors, error) {
	checkpoint, err := safetensors.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	files, err := checkpoint.Files()
	if err != nil {
		checkpoint.Release()
		return nil, nil, err
	}
	return files, checkpoint, nil
}
