package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"mergesearch"
)

// mostProbes bounds the requests of one probe.
const mostProbes = 20

// disagreement is how far two values for one token may lie apart, in nats, before
// one of them is no log-probability of that token. Batches and caches move real
// ones in the third or fourth digit.
const disagreement = 0.5

// Probe finds out what a running server can do, by asking: at most twenty small
// requests. What it cannot find out it leaves false: no ability is guessed from a
// server's name. Log-probabilities count as an ability only when they can be
// right: one for each token, none of them null or above zero, not all the same,
// other ones for other prompts, equal ones for equal beginnings, and the same by
// each way of asking; Measured.Lacking says why when they cannot. It returns an
// *mergesearch.InputError when there is no server or no such model, when another
// model answers, or when the server completes neither text nor chats.
//
// Kind, Swap and Fingerprint are for the caller to fill in: whether a reported
// fingerprint is that of the weights cannot be seen from outside.
func Probe(ctx context.Context, s Session) (Profile, error) {
	c := newClient(30*time.Second, 3*time.Second)
	c.retry.attempts = 2
	p := &prober{ctx: ctx, connection: c.connect(s)}
	defer p.close()
	if err := p.models(); err != nil {
		return p.found, err
	}
	p.version()
	if err := p.text(); err != nil {
		if p.chats(); !p.found.Chat {
			return p.found, err
		}
		p.found.ChatOnly, p.found.Requests = true, p.spent()
		p.found.Lacking = "completions of text (/v1/completions)"
		return p.found, nil
	}
	for _, step := range []func(){p.sampling, p.tokens, p.echoes, p.ranked, p.inputs, p.choices, p.force, p.noise, p.length, p.repeats, p.stops, p.chats} {
		step()
		if err := ctx.Err(); err != nil {
			return p.found, err
		}
	}
	if p.found.route() == nil && p.lacking != nil {
		p.found.Lacking = "log-probabilities of prompt tokens; " + strings.Join(p.lacking, "; ")
	}
	p.found.Requests = p.spent()
	return p.found, nil
}

// prober is a probe under way.
type prober struct {
	ctx context.Context
	*connection
	found   Profile
	lacking []string // the causes, for each way of asking
	gets    int      // requests beside those that the client counts
	names   []string // of the models that the server lists

	values []float64 // of the tokens of probeIDs, once they are known
	wrote  string    // greedy text after probeText
	counts int       // tokens of probeText as the server counts them; -1 unknown
}

// probeText is completed; probeIDs are tokens that every vocabulary has.
const probeText = "1 2 3"

var probeIDs = []int32{10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}

// otherIDs begin like probeIDs and go on otherwise.
func otherIDs(k int) []int32 {
	ids := slices.Clone(probeIDs)
	tail := ids[len(ids)/2:]
	for i := range tail {
		tail[i] = probeIDs[(i*5+k)%len(probeIDs)]
	}
	return ids
}

func (p *prober) spent() int { return p.gets + int(p.sent.Load()) }

var errSpent = errors.New("the probe has sent all its requests")

// try sends a request.
func (p *prober) try(r request) (*reply, error) {
	if p.spent() >= mostProbes {
		return nil, errSpent
	}
	r.probe = true
	return p.send(p.ctx, &r)
}

// score asks for sequences in one request and returns the values of each.
func (p *prober) score(by route, seqs ...sequence) ([][]float64, error) {
	many := p.found
	many.ManyPrompts = len(seqs) > 1
	requests := by.requests(seqs, false, many)
	got, err := p.try(requests[0])
	if err != nil {
		return nil, err
	}
	var out [][]float64
	for _, part := range got.parts {
		if err := informative(part.values); err != nil {
			return nil, err
		}
		out = append(out, part.values)
	}
	return out, nil
}

// informative refuses values that cannot be those of different tokens.
func informative(values []float64) error {
	if len(values) > 1 && allEqual(values) {
		return unusable("all %d tokens have the log-probability %v", len(values), values[0])
	}
	return nil
}

// apart returns the largest difference between two lists.
func apart(a, b []float64) float64 {
	d := 0.0
	for i := range min(len(a), len(b)) {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// lacks notes why a way of asking is of no use. That a server does not know
// another server's protocol is no news.
func (p *prober) lacks(way string, err error) {
	var e *EndpointError
	if errors.As(err, &e) {
		err = e.Err
	}
	var api *openai.APIError
	if errors.As(err, &api) && strings.HasPrefix(way, "/") || errors.Is(err, errUnknownField) {
		return
	}
	cause := strings.TrimPrefix(err.Error(), "unusable response: ")
	p.lacking = append(p.lacking, way+": "+short([]byte(strings.Join(strings.Fields(cause), " ")), 160))
}

// whole is the sequence of ids after its first token.
func whole(ids []int32) sequence { return sequence{ids: ids, ctx: 1} }

// agree compares values with those that another way of asking gave, and keeps
// them when they are the first.
func (p *prober) agree(way string, values []float64) error {
	if p.values == nil {
		p.values = values
		return nil
	}
	if d := apart(p.values, values); d > disagreement {
		p.found.EchoLogprobs = false
		return unusable("log-probabilities differ by %.3g from those that %s", d, way)
	}
	p.found.Noise = max(p.found.Noise, apart(p.values, values))
	return nil
}

// text completes text: what every server must do.
func (p *prober) text() error {
	got, err := p.try(textRequest(nil, probeText, drawing{until: []string{"\n"}, maxTokens: 1, seed: firstSeed}, p.found))
	if err != nil {
		return &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("%s does not complete text: %v", p.from.BaseURL, err), Hint: "the endpoint must speak the OpenAI protocol at /v1/completions"}
	}
	if got.model != p.from.Model && slices.Contains(p.names, got.model) {
		return &mergesearch.InputError{Field: "model", Problem: fmt.Sprintf("%s was asked for the model %q and answers with %q", p.from.BaseURL, p.from.Model, got.model)}
	}
	p.counts = got.promptTokens
	if t := p.from.Tokenizer; t != nil && p.counts > 0 {
		if plain := t.Encode(probeText, false); len(plain) > 0 {
			p.found.AddsBegin = p.counts > len(plain)
		}
	}
	return nil
}

func (p *prober) sampling() {
	more := p.found
	more.ExtraSampling = true
	_, err := p.try(textRequest(nil, probeText, drawing{until: []string{"\n"}, maxTokens: 1, seed: firstSeed}, more))
	p.found.ExtraSampling = err == nil
}

// tokens asks with token ids and has the server count them.
func (p *prober) tokens() {
	_, err := p.try(textRequest(probeIDs, "", drawing{maxTokens: 1, seed: firstSeed}, p.found))
	if p.found.TokenPrompts = err == nil; err != nil {
		p.lacks("token ids as prompts", err)
	}
}

// echoes asks for echo with logprobs: one prompt, without a generated token, and
// many prompts at once.
func (p *prober) echoes() {
	if !p.found.TokenPrompts {
		return
	}
	values, err := p.score(echoRoute{}, whole(probeIDs))
	if err == nil {
		err = p.batch(echoRoute{}, values[0])
	}
	if err != nil {
		p.found.ManyPrompts = false
		p.lacks("echo", err)
		return
	}
	p.found.EchoLogprobs, p.values = true, values[0]
	p.found.ZeroTokens = true // for the try itself
	values, err = p.score(echoRoute{}, whole(probeIDs))
	p.found.ZeroTokens = err == nil && apart(values[0], p.values) <= disagreement
	if p.found.ZeroTokens {
		p.found.Noise = max(p.found.Noise, apart(values[0], p.values))
	}
}

// batch asks for eight prompts in one request, or for a second one where the
// server takes one at a time, and compares them with the values of the first.
func (p *prober) batch(by route, first []float64) error {
	var seqs []sequence
	for k := range 8 {
		seqs = append(seqs, whole(otherIDs(k+1)))
	}
	seqs[3] = whole(probeIDs)
	values, err := p.score(by, seqs...)
	switch {
	case err == nil && len(values) == 1: // the route sends one at a time
		return p.compare(first, values[0])
	case err == nil:
		p.found.ManyPrompts = true
		p.found.Noise = max(p.found.Noise, apart(values[3], first))
		if apart(values[3], first) > disagreement {
			return unusable("a prompt among others has log-probabilities that differ by %.3g from those alone", apart(values[3], first))
		}
		return p.compare(first, values[0])
	}
	if values, err = p.score(by, seqs[0]); err != nil {
		return err
	}
	return p.compare(first, values[0])
}

// compare holds two prompts that begin alike and end differently against each
// other.
func (p *prober) compare(first, other []float64) error {
	common := 0 // values of the tokens that both begin with
	for ids := otherIDs(1); ids[common+1] == probeIDs[common+1]; common++ {
	}
	if slices.Equal(first, other) {
		return unusable("different prompts have the same log-probabilities")
	}
	d := apart(first[:common], other[:common])
	if d > disagreement {
		return unusable("the tokens that two prompts begin with differ by %.3g in log-probability", d)
	}
	p.found.Noise = max(p.found.Noise, d)
	return nil
}

// ranked asks for vLLM's prompt_logprobs.
func (p *prober) ranked() {
	if !p.found.TokenPrompts {
		return
	}
	values, err := p.score(promptLogprobsRoute{}, whole(probeIDs))
	if err == nil && p.values == nil {
		err = p.batch(promptLogprobsRoute{}, values[0])
	}
	if err == nil {
		err = p.agree("echo gives", values[0])
	}
	if p.found.PromptLogprobs = err == nil; err != nil {
		p.lacks("prompt_logprobs", err)
	}
}

// inputs asks for SGLang's log-probabilities of inputs, from the start and from
// within.
func (p *prober) inputs() {
	values, err := p.score(inputLogprobsRoute{}, whole(probeIDs))
	if err != nil {
		p.lacks("/generate", err)
		return
	}
	const from = 6
	late, err := p.score(inputLogprobsRoute{}, sequence{ids: probeIDs, ctx: from})
	if err == nil && apart(values[0][from-1:], late[0]) > disagreement {
		err = unusable("logprob_start_len shifts the log-probabilities")
	}
	if err == nil && p.values == nil {
		err = p.batch(inputLogprobsRoute{}, values[0])
	}
	if err == nil {
		err = p.agree("other requests give", values[0])
	}
	if p.found.Generate = err == nil; err != nil {
		p.lacks("/generate", err)
	}
}

// choices asks for single tokens after a context.
func (p *prober) choices() {
	if !p.found.PromptLogprobs {
		return
	}
	ctx := len(probeIDs) - 1
	var seqs []sequence
	for _, label := range []int32{probeIDs[ctx], 10, 12} {
		seqs = append(seqs, sequence{ids: append(slices.Clone(probeIDs[:ctx]), label), ctx: ctx})
	}
	want := p.values[len(p.values)-1]
	p.found.LabelLogprobs = true // for the try itself
	got, err := p.try(labelsRoute{}.requests(seqs, false, p.found)[0])
	p.found.LabelLogprobs = err == nil && math.Abs(got.parts[0].logprob-want) <= disagreement &&
		!(got.parts[0].logprob == got.parts[1].logprob && got.parts[1].logprob == got.parts[2].logprob)
	if p.found.LabelLogprobs {
		return
	}
	var named []candidateToken
	top := p.found
	top.TopLogprobs = 20
	r := labelsRoute{}.requests(seqs[:1], false, top)[0]
	r.via = namedTop{to: &named}
	if _, err := p.try(r); err == nil && len(named) == top.TopLogprobs {
		p.found.TopLogprobs = top.TopLogprobs
	}
}

// force checks that llama-server tells the truth about tokens that it is made to
// take: what it says of the likeliest and of an unlikely one when they are forced
// must be what it says of them when it is free.
func (p *prober) force() {
	if p.found.route() != nil {
		return
	}
	ctx := len(probeIDs) - 1
	var free []candidateToken
	r := forcedRequest(forcedRoute{}, sequence{ids: probeIDs, ctx: ctx}, false, 20, false)
	r.via = listed{to: &free}
	_, err := p.try(r)
	if err == nil && (len(free) < 5 || free[0].logprob == free[4].logprob) {
		err = unusable("%d likeliest tokens, of which the first five do not differ", len(free))
	}
	for _, i := range []int{0, 4} {
		if err != nil {
			break
		}
		ids := append(slices.Clone(probeIDs[:ctx]), int32(free[i].id))
		var got *reply
		if got, err = p.try(forcedRequest(forcedRoute{}, sequence{ids: ids, ctx: ctx}, false, 1, true)); err == nil {
			if d := math.Abs(got.parts[0].logprob - free[i].logprob); d > 0.01 {
				err = unusable("a forced token has a log-probability %.3g away from that of the same token when it is not forced", d)
			} else {
				p.found.Noise = max(p.found.Noise, d)
			}
		}
	}
	if p.found.Forced = err == nil; err != nil {
		p.lacks("/completion", err)
		return
	}
	p.props()
}

// noise asks the first prompt once more, now that what it begins with is cached.
func (p *prober) noise() {
	by := p.found.route()
	if by == nil || p.values == nil {
		return
	}
	if values, err := p.score(by, whole(probeIDs)); err == nil {
		p.found.Noise = max(p.found.Noise, apart(values[0], p.values))
	}
}

// length asks for a prompt of some length: some servers cut prompts in silence.
func (p *prober) length() {
	by := p.found.route()
	if _, stepwise := by.(forcedRoute); by == nil || stepwise {
		return
	}
	n := 384
	if p.found.Context > 0 {
		n = min(n, p.found.Context-2)
	}
	ids := make([]int32, max(2, n))
	for i := range ids {
		ids[i] = probeIDs[(i*i+i/7)%len(probeIDs)]
	}
	var broken *malformed
	if _, err := p.score(by, sequence{ids: ids, ctx: 1}); errors.As(err, &broken) {
		p.found.EchoLogprobs, p.found.PromptLogprobs, p.found.Generate = false, false, false
		p.lacks(fmt.Sprintf("a prompt of %d tokens", len(ids)), err)
	}
}

// repeats asks for the same greedy completion three times.
func (p *prober) repeats() {
	for i := range 3 {
		got, err := p.try(textRequest(nil, probeText, drawing{maxTokens: 8, seed: firstSeed}, p.found))
		switch {
		case err != nil:
			return
		case i == 0:
			p.wrote = got.parts[0].text
		case got.parts[0].text != p.wrote:
			p.found.Unsteady = true
		}
	}
}

// stops finds out whether a completion ends with its stop string or before it, with
// a letter of what the server has just written.
func (p *prober) stops() {
	letters := []rune(p.wrote)
	at := slices.IndexFunc(letters, func(r rune) bool { return r != ' ' && r != letters[0] && r != '\uFFFD' })
	if at < 1 {
		return
	}
	stop := string(letters[at])
	r := textRequest(nil, probeText, drawing{until: []string{stop}, maxTokens: 8, seed: firstSeed}, p.found)
	r.drawn.until = nil // as it came
	if got, err := p.try(r); err == nil {
		p.found.StopIncluded = strings.Contains(got.parts[0].text, stop)
	}
}

func (p *prober) chats() {
	_, err := p.try(chatRequest([]turn{{Role: "user", Content: probeText}}, drawing{maxTokens: 1, seed: firstSeed}, p.found))
	p.found.Chat = err == nil
}

// get asks for a page of the server and reports whether it was JSON of the shape.
func (p *prober) get(url string, into any) (found bool, err error) {
	if p.spent() >= mostProbes {
		return false, nil
	}
	p.gets++
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("%q is no URL: %v", p.from.BaseURL, err)}
	}
	if p.from.APIKey != "" {
		r.Header.Set("Authorization", "Bearer "+p.from.APIKey)
	}
	reply, err := p.transport.RoundTrip(r)
	if err != nil {
		return false, &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("no server answers at %s: %v", p.from.BaseURL, err), Hint: "start it, or correct the URL"}
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxResponse))
	return err == nil && reply.StatusCode == http.StatusOK && json.Unmarshal(text, into) == nil, nil
}

// models asks /v1/models, where the server has it, for the model's name and the
// longest sequence that it takes.
func (p *prober) models() error {
	var list struct {
		Data []struct {
			ID     string `json:"id"`
			Owner  string `json:"owned_by"`
			Length int    `json:"max_model_len"`
		} `json:"data"`
	}
	found, err := p.get(strings.TrimRight(p.from.BaseURL, "/")+"/models", &list)
	if err != nil || !found || len(list.Data) == 0 {
		return err // not every server has the list
	}
	listed := false
	for _, m := range list.Data {
		p.names = append(p.names, m.ID)
		if m.ID == p.from.Model {
			listed, p.found.Context, p.found.Server = true, m.Length, m.Owner
		}
	}
	if listed {
		return nil
	}
	in := mergesearch.UnknownWord("model", p.from.Model, p.names)
	return &mergesearch.InputError{Field: "model", Problem: fmt.Sprintf("the endpoint serves no model %q", p.from.Model), Hint: in.Hint}
}

// version asks for the server's version: another one may answer otherwise.
func (p *prober) version() {
	var v struct {
		Version string `json:"version"`
	}
	if found, err := p.get(p.root+"/version", &v); err == nil && found && v.Version != "" {
		p.found.Server = strings.TrimSpace(p.found.Server + " " + short([]byte(v.Version), 80))
	}
}

// props asks llama-server for its context and build.
func (p *prober) props() {
	var v struct {
		Build    string `json:"build_info"`
		Settings struct {
			Context int `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	if found, err := p.get(p.root+"/props", &v); err == nil && found {
		p.found.Context = max(0, v.Settings.Context)
		p.found.Server = strings.TrimSpace(p.found.Server + " " + short([]byte(v.Build), 80))
	}
}
