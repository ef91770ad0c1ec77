package endpoint

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"mergesearch"
	"mergesearch/eval"
)

// dirPlaceholder stands for the candidate's directory in a load command and in the
// name of the model.
const dirPlaceholder = "{dir}"

// Commanded returns the endpoint for any server that speaks the OpenAI protocol
// and that a command makes load a candidate: o.LoadCommand, a program and its
// arguments, run without a shell, in which {dir} stands for the candidate's
// directory. It must end, with status 0, when the candidate answers. {dir} in
// o.Model is for servers that load what a request names; then the command may be
// missing.
func Commanded(ctx context.Context, o OpenAIOptions) (*Servers, error) {
	if len(o.LoadCommand) == 0 && !strings.Contains(o.Model, dirPlaceholder) {
		return nil, &mergesearch.InputError{Field: "endpoint.load_command", Problem: "missing", Hint: "name the program and its arguments; {dir} stands for the candidate's directory"}
	}
	so := ServerOptions{
		URLs: []string{o.BaseURL}, Model: o.Model, APIKey: o.APIKey, Parents: o.Parents, Write: o.Write, Storage: o.Storage,
		LoadOnce: true, Swapped: o.Swapped, Limits: o.Limits, Environment: o.Environment,
		kind: "openai", check: wholeCheckpoint, write: o.Write, text: true,
	}
	return openServers(ctx, so, func(func() string) dialect { return &commanded{options: o, model: o.Model} })
}

type commanded struct {
	options     OpenAIOptions
	model       string
	echo, plain bool // log-probabilities of prompts; none at all
}

func (c *commanded) command(string, string, int) []string { panic("endpoint: it is not started here") }
func (c *commanded) ready(context.Context, target) error  { return nil } // it may load with the first candidate
func (c *commanded) prepare(path string) (string, error)  { return path, nil }
func (c *commanded) copies() bool                         { return false }
func (c *commanded) best() eval.Swap                      { return eval.SwapDisk }

func (c *commanded) name(_, path string) string {
	return strings.ReplaceAll(c.model, dirPlaceholder, path)
}

func (c *commanded) swap(ctx context.Context, _ target, path, _ string) error {
	if len(c.options.LoadCommand) == 0 {
		return nil
	}
	args := make([]string, len(c.options.LoadCommand))
	for i, a := range c.options.LoadCommand {
		args[i] = strings.ReplaceAll(a, dirPlaceholder, path)
	}
	out := &ring{size: 8 << 10}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = c.options.Environment
	group(cmd)
	cmd.Cancel = func() error { kill(cmd); return nil }
	cmd.WaitDelay = c.options.Limits.filled().Grace
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("%s: %w: %s", args[0], err, out.tail(400))
	}
	return nil
}

// ask finds out at the first question which log-probabilities there are.
func (c *commanded) ask(ctx context.Context, t target, prompt string, cold bool) (reply, error) {
	if c.plain {
		return askOpenAI(ctx, t, prompt, false, false)
	}
	if cold {
		if r, err := askOpenAI(ctx, t, prompt, true, true); err == nil && len(r.prompt) > 0 {
			c.echo = true
			return r, nil
		} else if c.echo {
			return r, err
		}
	}
	r, err := askOpenAI(ctx, t, prompt, true, false)
	if refused(err) {
		c.plain = true
		return askOpenAI(ctx, t, prompt, false, false)
	}
	return r, err
}
