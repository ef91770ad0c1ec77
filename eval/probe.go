package eval

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"mergesearch"
)

// Probe finds out what a running server can do, by asking: at most seven small
// requests. What it cannot find out it leaves false: no ability is guessed from a
// server's name. It returns an *mergesearch.InputError when there is no server or
// no such model, or when it does not even complete text.
//
// Kind, Swap and Fingerprint are for the caller to fill in: whether a reported
// fingerprint is that of the weights cannot be seen from outside.
func Probe(ctx context.Context, s Session) (Profile, error) {
	p := prober{ctx, newClient(30*time.Second, 3*time.Second).connect(s)}
	defer p.close()
	var found Profile
	if err := p.models(s, &found); err != nil {
		return found, err
	}
	plain := generateTail(nil, "1 2 3", []string{"\n"}, 1, found)
	if _, err := p.ask(plain, 1); err != nil {
		return found, &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("%s does not complete text: %v", s.BaseURL, err), Hint: "the endpoint must speak the OpenAI protocol at /v1/completions"}
	}
	steps := []struct {
		ability *bool
		try     func(Profile) bool
	}{
		{&found.ExtraSampling, func(q Profile) bool { return p.works(generateTail(nil, "1 2 3", []string{"\n"}, 1, q)) }},
		{&found.TokenPrompts, p.tokens},
		{&found.EchoLogprobs, func(q Profile) bool { return p.echo(q, probeIDs[:1]) }},
		{&found.ManyPrompts, func(q Profile) bool { return q.EchoLogprobs && p.echo(q, probeIDs) }},
		{&found.ZeroTokens, func(q Profile) bool { return q.ManyPrompts && p.echo(q, probeIDs) }},
	}
	for _, step := range steps {
		*step.ability = true // for the try itself
		*step.ability = step.try(found)
		if err := ctx.Err(); err != nil {
			return found, err
		}
	}
	return found, nil
}

// probeIDs are prompts of ids that every vocabulary has.
var probeIDs = [][]int32{{10, 11, 12, 13}, {10, 11, 14}}

type prober struct {
	ctx context.Context
	*connection
}

// ask sends a request and returns the server's own refusal as an error.
func (p prober) ask(tail []byte, prompts int) (*completion, error) {
	return p.complete(p.ctx, tail, prompts, false)
}

func (p prober) works(tail []byte) bool {
	_, err := p.ask(tail, 1)
	return err == nil
}

// tokens asks with token ids and has the server count them.
func (p prober) tokens(q Profile) bool {
	c, err := p.ask(generateTail(probeIDs[0], "", nil, 1, q), 1)
	return err == nil && (c.promptTokens < 0 || c.promptTokens == len(probeIDs[0]))
}

// echo asks for the log-probabilities of prompts. They must be there for every
// token but the first and differ from each other: some servers send zeros.
func (p prober) echo(q Profile, prompts [][]int32) bool {
	c, err := p.ask(scoreTail(prompts, 0, q), len(prompts))
	if err != nil {
		return false
	}
	for i, ids := range prompts {
		got := c.choices[i]
		if _, err := got.continuation(1, len(ids), q.ZeroTokens, false); err != nil {
			return false
		}
		values := got.logprobs[1:len(ids)]
		if allEqual(values) || math.IsNaN(values[0]) {
			return false
		}
	}
	return true
}

// models asks /v1/models, where the server has it, for the model's name and the
// longest sequence that it takes.
func (p prober) models(s Session, found *Profile) error {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(s.BaseURL, "/")+"/models", nil)
	if err != nil {
		return &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("%q is no URL: %v", s.BaseURL, err)}
	}
	if s.APIKey != "" {
		r.Header.Set("Authorization", "Bearer "+s.APIKey)
	}
	reply, err := p.transport.RoundTrip(r)
	if err != nil {
		return &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("no server answers at %s: %v", s.BaseURL, err), Hint: "start it, or correct the URL"}
	}
	defer reply.Body.Close()
	var list struct {
		Data []struct {
			ID     string `json:"id"`
			Length int    `json:"max_model_len"`
		} `json:"data"`
	}
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxResponse))
	if err != nil || reply.StatusCode != http.StatusOK || json.Unmarshal(text, &list) != nil || len(list.Data) == 0 {
		return nil // not every server has the list
	}
	var names []string
	for _, m := range list.Data {
		if m.ID == s.Model {
			found.Context = m.Length
			return nil
		}
		names = append(names, m.ID)
	}
	in := mergesearch.UnknownWord("model", s.Model, names)
	return &mergesearch.InputError{Field: "model", Problem: fmt.Sprintf("the endpoint serves no model %q", s.Model), Hint: in.Hint}
}
