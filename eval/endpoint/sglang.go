package endpoint

import (
	"context"
	"fmt"
	"strconv"

	"mergesearch/eval"
)

// SGLang returns the endpoint for SGLang, started here or running elsewhere.
func SGLang(ctx context.Context, o ServerOptions) (*Servers, error) {
	if len(o.Command) == 0 {
		o.Command = []string{"python3", "-m", "sglang.launch_server"}
	}
	o.kind, o.check, o.write = "sglang", wholeCheckpoint, o.Write
	return openServers(ctx, o, func(func() string) dialect { return &sglang{options: o} })
}

type sglang struct {
	options ServerOptions
	served  string // the name after the last change of weights
}

func (s *sglang) command(path, name string, port int) []string {
	args := append(append([]string{}, s.options.Command...), "--model-path", path, "--served-model-name", name, "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	return append(args, s.options.Args...)
}

func (s *sglang) ready(ctx context.Context, t target) error { return healthy(ctx, t) }

// name is not the one that the server was started with: newer versions take the
// path of the weights for their name with every update.
func (s *sglang) name(string, string) string { return s.served }

func (s *sglang) prepare(path string) (string, error) { return path, nil }
func (s *sglang) copies() bool                        { return false }
func (s *sglang) best() eval.Swap                     { return eval.SwapDisk }

func (s *sglang) swap(ctx context.Context, t target, path, version string) error {
	if err := t.call(ctx, "POST", "/pause_generation", map[string]any{"mode": "retract"}, nil); err != nil && !missing(err) {
		return err
	}
	var out struct {
		Success bool   `json:"success"`
		Message string `json:"message"`
	}
	err := t.call(ctx, "POST", "/update_weights_from_disk", map[string]any{
		"model_path": path, "flush_cache": true, "abort_all_requests": false, "weight_version": version,
	}, &out)
	switch {
	case missing(err):
		return unsupported(err)
	case err != nil:
		return err
	case !out.Success:
		return fmt.Errorf("POST /update_weights_from_disk: %s", out.Message)
	}
	if err := t.call(ctx, "POST", "/continue_generation", map[string]any{}, nil); err != nil && !missing(err) {
		return err
	}
	if err := s.proven(ctx, t, path, version); err != nil {
		return err
	}
	for _, name := range []string{t.name, path} {
		t.name, s.served = name, name
		if err = named(ctx, t); err == nil {
			break
		}
	}
	return err
}

// proven compares what the server says it has with what it was told. Versions that
// do not report it are left to the canary.
func (s *sglang) proven(ctx context.Context, t target, path, version string) error {
	var info struct {
		Path    string `json:"model_path"`
		Version string `json:"weight_version"`
	}
	err := t.call(ctx, "GET", "/model_info", nil, &info)
	if missing(err) {
		err = t.call(ctx, "GET", "/get_model_info", nil, &info) // its older name
	}
	switch {
	case err != nil && !missing(err):
		return err
	case info.Version != "" && info.Version != version:
		return doubtful("the server reports weights of version %q, it was given %q", info.Version, version)
	case info.Path != "" && info.Path != path:
		return doubtful("the server reports the weights of %s, it was given %s", info.Path, path)
	}
	return nil
}

func (s *sglang) ask(ctx context.Context, t target, prompt string, cold bool) (reply, error) {
	in := map[string]any{
		"text": prompt, "sampling_params": map[string]any{"max_new_tokens": canaryTokens, "temperature": 0}, "return_logprob": true, "top_logprobs_num": canaryTops,
	}
	if cold {
		in["logprob_start_len"] = 0 // from there on nothing comes out of the cache
	}
	var out sglangReply
	if err := t.call(ctx, "POST", "/generate", in, &out); err != nil {
		return reply{}, err
	}
	r := out.reply()
	if !cold {
		r.prompt = nil
	}
	return r, nil
}
