package lm

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/zeebo/xxh3"
)

// completionRequest is the body of POST /v1/completions: OpenAI's fields, and of
// vLLM's add_special_tokens, ignore_eos and return_tokens_as_token_ids. Fields
// that are not listed are ignored; those that would change the answer and that
// the engine does not do are listed and refused.
type completionRequest struct {
	Model       string        `json:"model"`
	Prompt      promptField   `json:"prompt"`
	MaxTokens   *int          `json:"max_tokens"`
	Temperature *float64      `json:"temperature"`
	TopP        *float64      `json:"top_p"`
	Seed        *int64        `json:"seed"`
	Stop        stopField     `json:"stop"`
	LogProbs    *int          `json:"logprobs"`
	Echo        bool          `json:"echo"`
	Stream      bool          `json:"stream"`
	StreamOpts  streamOptions `json:"stream_options"`

	AddSpecialTokens *bool `json:"add_special_tokens"`
	IgnoreEOS        bool  `json:"ignore_eos"`
	TokensAsIDs      bool  `json:"return_tokens_as_token_ids"`

	chat bool // it stands for a chat: one prompt, as often as there are answers

	unsupported
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// unsupported lists settings that are refused unless they have no effect.
type unsupported struct {
	N                 *int            `json:"n"`
	BestOf            *int            `json:"best_of"`
	Suffix            *string         `json:"suffix"`
	PresencePenalty   float64         `json:"presence_penalty"`
	FrequencyPenalty  float64         `json:"frequency_penalty"`
	RepetitionPenalty *float64        `json:"repetition_penalty"`
	LogitBias         map[string]any  `json:"logit_bias"`
	TopK              int             `json:"top_k"`
	MinP              float64         `json:"min_p"`
	MinTokens         int             `json:"min_tokens"`
	UseBeamSearch     bool            `json:"use_beam_search"`
	PromptLogProbs    json.RawMessage `json:"prompt_logprobs"`
}

func (u *unsupported) check() error {
	refused := ""
	switch {
	case u.N != nil && *u.N != 1:
		refused = "n"
	case u.BestOf != nil && *u.BestOf != 1:
		refused = "best_of"
	case u.Suffix != nil && *u.Suffix != "":
		refused = "suffix"
	case u.PresencePenalty != 0:
		refused = "presence_penalty"
	case u.FrequencyPenalty != 0:
		refused = "frequency_penalty"
	case u.RepetitionPenalty != nil && *u.RepetitionPenalty != 1:
		refused = "repetition_penalty"
	case len(u.LogitBias) > 0:
		refused = "logit_bias"
	case u.TopK > 0:
		refused = "top_k"
	case u.MinP != 0:
		refused = "min_p"
	case u.MinTokens > 0:
		refused = "min_tokens"
	case u.UseBeamSearch:
		refused = "use_beam_search"
	case len(u.PromptLogProbs) > 0 && string(u.PromptLogProbs) != "null":
		return badRequest("prompt_logprobs", "prompt_logprobs is not supported; ask for echo and logprobs")
	default:
		return nil
	}
	return badRequest(refused, refused+" is not supported by the embedded engine")
}

// prompt is one prompt: text, or token ids.
type prompt struct {
	text string
	ids  []int32 // nil for text
}

// promptField is a string, a list of strings, token ids or a list of such lists.
type promptField []prompt

func (p *promptField) UnmarshalJSON(raw []byte) error {
	var text string
	var ids []int32
	if raw[0] == '"' {
		err := json.Unmarshal(raw, &text)
		*p = promptField{{text: text}}
		return err
	}
	if json.Unmarshal(raw, &ids) == nil && len(ids) > 0 {
		*p = promptField{{ids: ids}}
		return nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil {
		for _, t := range texts {
			*p = append(*p, prompt{text: t})
		}
		return nil
	}
	var lists [][]int32
	if json.Unmarshal(raw, &lists) == nil {
		for _, l := range lists {
			*p = append(*p, prompt{ids: append([]int32{}, l...)})
		}
		return nil
	}
	return badRequest("prompt", "prompt: must be a string, a list of strings, a list of token ids or a list of such lists")
}

// stopField is a string or a list of strings.
type stopField []string

func (s *stopField) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*s = stopField{one}
		return nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return badRequest("stop", "stop: must be a string or a list of strings")
	}
	*s = list
	return nil
}

// Limits of one request.
const (
	maxPrompts = 4096
	maxStops   = 64
)

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody decodes the whole body into a struct. The deadline for its arrival is
// lifted afterwards: net/http goes on reading, to see the client leave, and a
// deadline that passes then would cancel an answer that takes longer.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, into any) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(s.options.ReadTimeout)) // only connections have one
	b := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(b)
	b.Reset()
	if _, err := b.ReadFrom(r.Body); err != nil {
		return err
	}
	_ = control.SetReadDeadline(time.Time{})
	return decodeBody(b.Bytes(), into)
}

func decodeBody(body []byte, into any) error {
	if c, ok := into.(*completionRequest); ok {
		if scanCompletion(body, c) {
			return nil
		}
		*c = completionRequest{}
	}
	return decodeJSON(body, into)
}

func decodeJSON(body []byte, into any) error {
	if !utf8.Valid(body) {
		return badRequest("", "the body is not UTF-8")
	}
	return json.Unmarshal(body, into)
}

// requests turns the body into the engine's requests, one for each prompt.
func (c *completionRequest) requests(m *Model) ([]Request, error) {
	switch {
	case len(c.Prompt) == 0:
		return nil, badRequest("prompt", "prompt: missing or empty")
	case len(c.Prompt) > maxPrompts:
		return nil, badRequest("prompt", fmt.Sprintf("prompt: at most %d in one request", maxPrompts))
	case len(c.Stop) > maxStops:
		return nil, badRequest("stop", fmt.Sprintf("stop: at most %d strings", maxStops))
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	shared := Request{MaxTokens: 16, Temperature: 1, Stop: c.Stop, IgnoreEOS: c.IgnoreEOS}
	set(&shared.MaxTokens, c.MaxTokens)
	set(&shared.Temperature, c.Temperature)
	set(&shared.TopP, c.TopP)
	if c.LogProbs != nil {
		shared.LogProbs, shared.PromptLogProbs, shared.Top = true, c.Echo, *c.LogProbs
	}
	out := make([]Request, len(c.Prompt))
	for i, p := range c.Prompt {
		r := shared
		if r.Prompt = p.ids; p.ids == nil {
			r.Prompt = m.tokenizer.Encode(p.text, c.AddSpecialTokens == nil || *c.AddSpecialTokens)
		}
		r.Seed = c.seed(&r, i)
		out[i] = r
	}
	return out, nil
}

func set[T any](dst, value *T) {
	if value != nil {
		*dst = *value
	}
}

// seed is the request's own, or follows from what is asked: equal requests then
// get equal answers.
func (c *completionRequest) seed(r *Request, index int) uint64 {
	if r.Temperature == 0 {
		return 0
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(index))
	if c.Seed != nil {
		b = binary.LittleEndian.AppendUint64(b, uint64(*c.Seed))
	} else {
		for _, id := range r.Prompt {
			b = binary.LittleEndian.AppendUint32(b, uint32(id))
		}
	}
	return xxh3.Hash(b)
}
