package endpoint

import (
	"context"
	"fmt"
	"strconv"

	"mergesearch/eval"
)

// VLLM returns the endpoint for vLLM, started here or running elsewhere. Its
// weights are changed in place by way of its development routes, which need
// VLLM_SERVER_DEV_MODE=1 (set here for servers started here); they can run
// methods of the server, so it should listen on loopback only.
func VLLM(ctx context.Context, o ServerOptions) (*Servers, error) {
	if len(o.Command) == 0 {
		o.Command = []string{"vllm", "serve"}
	}
	o.kind, o.env = "vllm", []string{"VLLM_SERVER_DEV_MODE=1"}
	o.check, o.write = wholeCheckpoint, o.Write
	return openServers(ctx, o, func(func() string) dialect { return &vllm{options: o} })
}

// vllm speaks the routes of vLLM 0.18 and newer; what it lacks in older versions
// is found by asking.
type vllm struct{ options ServerOptions }

func (v *vllm) command(path, name string, port int) []string {
	args := append(append([]string{}, v.options.Command...), path, "--served-model-name", name, "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	return append(args, v.options.Args...)
}

func (v *vllm) ready(ctx context.Context, t target) error { return healthy(ctx, t) }
func (v *vllm) name(name, _ string) string                { return name }
func (v *vllm) prepare(path string) (string, error)       { return path, nil }
func (v *vllm) copies() bool                              { return false }
func (v *vllm) best() eval.Swap                           { return eval.SwapDisk }

func (v *vllm) swap(ctx context.Context, t target, path, _ string) error {
	// Nothing is in flight, so an old version without /pause is as good.
	paused := true
	if err := t.call(ctx, "POST", "/pause?mode=wait", nil, nil); missing(err) {
		paused = false
	} else if err != nil {
		return err
	}
	var out struct {
		Results []any `json:"results"`
	}
	err := t.call(ctx, "POST", "/collective_rpc", map[string]any{
		"method": "reload_weights", "kwargs": map[string]any{"weights_path": path, "is_checkpoint_format": true},
		"timeout": v.options.Limits.Swap.Seconds(),
	}, &out)
	switch {
	case missing(err):
		return unsupported(err)
	case err != nil:
		return err
	case len(out.Results) == 0:
		return fmt.Errorf("POST /collective_rpc: no worker answered")
	}
	// Older versions do not say whether they did: the canary sees a cache that was kept.
	var reset struct {
		Success *bool `json:"success"`
	}
	if err := t.call(ctx, "POST", "/reset_prefix_cache?reset_running_requests=true", nil, &reset); err != nil {
		return err
	}
	if reset.Success != nil && !*reset.Success {
		return fmt.Errorf("POST /reset_prefix_cache: the server could not empty its prefix cache")
	}
	if !paused {
		return nil
	}
	if err := t.call(ctx, "POST", "/resume", nil, nil); err != nil {
		return err
	}
	var state struct {
		Paused bool `json:"is_paused"`
	}
	if err := t.call(ctx, "GET", "/is_paused", nil, &state); err != nil && !missing(err) {
		return err
	}
	if state.Paused {
		return fmt.Errorf("POST /resume: the server is still paused")
	}
	return nil
}

func (v *vllm) ask(ctx context.Context, t target, prompt string, cold bool) (reply, error) {
	return askOpenAI(ctx, t, prompt, true, cold)
}
