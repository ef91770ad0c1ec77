package endpoint

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"mergesearch/eval"
)

// LlamaCpp returns the endpoint for llama-server, started here. Candidates are
// written as GGUF files (ServerOptions.WriteGGUF). Where the server maps its file
// and computes from it, which the first candidates prove, the next one is written
// over the file in place; otherwise the server is started again.
//
// It is started so that it maps the file and keeps no cache from one request to
// the next. Layers on a GPU are copies: with "-ngl" in Args, swaps are restarts.
func LlamaCpp(ctx context.Context, o ServerOptions) (*Servers, error) {
	if len(o.Command) == 0 {
		o.Command = []string{"llama-server"}
	}
	o.kind, o.check, o.write, o.file = "llamacpp", wholeGGUF, o.WriteGGUF, "model.gguf"
	return openServers(ctx, o, func(fresh func() string) dialect { return &llamaCpp{options: o, fresh: fresh} })
}

type llamaCpp struct {
	options ServerOptions
	fresh   func() string // a path that never was
	file    string        // that the server has mapped
}

func (l *llamaCpp) command(path, name string, port int) []string {
	args := append(append([]string{}, l.options.Command...), "-m", path, "-a", name, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
		"--no-cache-prompt", "--cache-ram", "0")
	if !l.onGPU() {
		args = append(args, "-ngl", "0", "--no-repack", "--load-mode", "mmap")
	}
	return append(args, l.options.Args...)
}

func (l *llamaCpp) onGPU() bool {
	return slices.ContainsFunc(l.options.Args, func(a string) bool {
		return a == "-ngl" || a == "--gpu-layers" || a == "--n-gpu-layers"
	})
}

func (l *llamaCpp) ready(ctx context.Context, t target) error { return healthy(ctx, t) }
func (l *llamaCpp) name(name, _ string) string                { return name }
func (l *llamaCpp) best() eval.Swap                           { return eval.SwapInPlace }

// prepare copies the file, since it will be written over. The copy lies in a
// directory of its own, because a file's name may stand in its header.
func (l *llamaCpp) prepare(path string) (string, error) {
	if l.file != "" {
		os.RemoveAll(filepath.Dir(l.file))
		l.file = ""
	}
	if l.onGPU() {
		return path, nil
	}
	dir := l.fresh()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	l.file = filepath.Join(dir, filepath.Base(path))
	return l.file, copyFile(l.file, path)
}

func (l *llamaCpp) copies() bool { return !l.onGPU() }

func (l *llamaCpp) swap(_ context.Context, _ target, path, _ string) error {
	if l.onGPU() || l.file == "" {
		return errNoSwap
	}
	_, err := overwrite(l.file, path)
	return err
}

func (l *llamaCpp) ask(ctx context.Context, t target, prompt string, cold bool) (reply, error) {
	in := map[string]any{"prompt": prompt, "n_predict": canaryTokens, "temperature": 0, "n_probs": canaryTops, "seed": 1}
	if cold {
		in["cache_prompt"] = false
	}
	var out llamaReply
	if err := t.call(ctx, "POST", "/completion", in, &out); err != nil {
		return reply{}, err
	}
	if out.Model != "" && out.Model != t.name {
		return reply{}, doubtful("the model %q answered, %q was asked", out.Model, t.name)
	}
	return out.reply(), nil
}
