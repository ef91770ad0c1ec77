package evaltest

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// request is a completion request. Pointers tell what was left out: like real
// servers, this one then has defaults of its own (temperature 1, 16 tokens).
type request struct {
	Model       string          `json:"model"`
	Prompt      json.RawMessage `json:"prompt"`
	MaxTokens   *int            `json:"max_tokens"`
	Temperature *float64        `json:"temperature"`
	Echo        bool            `json:"echo"`
	Logprobs    *int            `json:"logprobs"`
	Stop        []string        `json:"stop"`
	TopK        *int            `json:"top_k"`
	Seed        *int            `json:"seed"`
}

// complete answers a request.
func (s *Server) complete(text []byte) (int, map[string]any) {
	refuse := func(problem string) (int, map[string]any) { return http.StatusBadRequest, failure(problem) }
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return refuse(err.Error())
	}
	m, ok := s.model(r.Model)
	if !ok {
		return http.StatusNotFound, failure("no model " + r.Model)
	}
	prompts, many, tokens := r.prompts()
	maxTokens := 16
	if r.MaxTokens != nil {
		maxTokens = *r.MaxTokens
	}
	switch {
	case prompts == nil:
		return refuse("no prompt")
	case tokens && !s.profile.TokenPrompts, many && !s.profile.ManyPrompts:
		return refuse("prompt must be one string")
	case r.Echo && r.Logprobs != nil && !s.profile.EchoLogprobs:
		return refuse("Only no echo is supported")
	case maxTokens == 0 && !s.profile.ZeroTokens:
		return refuse("max_tokens must be at least 1")
	case r.TopK != nil && !s.profile.ExtraSampling:
		return refuse("Unrecognized request argument supplied: top_k")
	case r.Temperature == nil || *r.Temperature != 0 && r.Seed == nil:
		return refuse("this server draws nothing without a seed: temperature must be 0")
	}
	count := 0
	var choices []any
	for i, ids := range prompts {
		count += len(ids)
		c := r.choice(m, i, ids, maxTokens)
		s.extend(text, m, ids, c)
		choices = append(choices, c)
	}
	response := map[string]any{
		"id": "cmpl-1", "object": "text_completion", "created": 1, "model": r.Model, "choices": choices,
		"usage": map[string]any{"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1},
	}
	if s.profile.Fingerprint {
		response["system_fingerprint"] = m.Fingerprint
	}
	return http.StatusOK, response
}

// prompts reads the prompt in any of its four forms. Text gets Begin in front.
func (r request) prompts() (prompts [][]int32, many, tokens bool) {
	var text string
	var texts []string
	var ids []int32
	var lists [][]int32
	switch {
	case json.Unmarshal(r.Prompt, &text) == nil:
		return [][]int32{Tokenizer{}.Encode(text, true)}, false, false
	case json.Unmarshal(r.Prompt, &ids) == nil:
		return [][]int32{ids}, false, true
	case json.Unmarshal(r.Prompt, &texts) == nil:
		for _, t := range texts {
			prompts = append(prompts, Tokenizer{}.Encode(t, true))
		}
		return prompts, true, false
	case json.Unmarshal(r.Prompt, &lists) == nil:
		return lists, true, true
	}
	return nil, false, false
}

// choice answers one prompt.
func (r request) choice(m Model, index int, ids []int32, maxTokens int) map[string]any {
	prompt := len(ids)
	finish, text := "length", ""
	for range maxTokens {
		next := r.draw(m, ids)
		ids = append(ids[:len(ids):len(ids)], next)
		if next == End {
			finish = "stop"
			break
		}
		var cut bool
		if text, cut = stopAt(decode(ids[prompt:]), r.Stop); cut {
			finish = "stop"
			break
		}
	}
	c := map[string]any{"index": index, "finish_reason": finish, "text": text, "logprobs": nil}
	if r.Echo {
		c["text"] = decode(ids)
	}
	if r.Logprobs != nil {
		from := prompt
		if r.Echo {
			from = 0
		}
		c["logprobs"] = m.logprobs(ids, from, *r.Logprobs)
	}
	return c
}

// logprobs describes the tokens from the given place on.
func (m Model) logprobs(ids []int32, from, top int) map[string]any {
	var tokens, values, tops, offsets []any
	for i := from; i < len(ids); i++ {
		tokens = append(tokens, fmt.Sprintf("token_id:%d", ids[i]))
		offsets = append(offsets, i)
		if i == 0 {
			values, tops = append(values, nil), append(tops, nil)
			continue
		}
		next := m.next(ids[:i])
		best := likeliest(next)
		values = append(values, next[ids[i]])
		tops = append(tops, map[string]any{
			fmt.Sprintf("token_id:%d", best):   next[best],
			fmt.Sprintf("token_id:%d", ids[i]): next[ids[i]],
		})
	}
	out := map[string]any{"tokens": tokens, "token_logprobs": values, "text_offset": offsets, "top_logprobs": nil}
	if top > 0 {
		out["top_logprobs"] = tops
	}
	return out
}
