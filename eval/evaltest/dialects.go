package evaltest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/zeebo/xxh3"
)

// What servers have beyond OpenAI's completions, as far as the profile says so:
// vLLM's prompt_logprobs and logprob_token_ids, SGLang's /generate, llama-server's
// /completion, and chat completions.

// dialects answers a request at a path.
func (s *Server) dialects(path string, text []byte) (int, map[string]any) {
	switch {
	case path == "/generate" && s.profile.Generate:
		return s.generate(text)
	case path == "/completion" && s.profile.Forced:
		return s.forced(text)
	case path == "/v1/chat/completions" && s.profile.Chat:
		return s.chat(text)
	case path == "/v1/completions":
		return s.complete(text)
	}
	return http.StatusNotFound, failure("Not Found")
}

// draw returns the next token: the likeliest, or with a temperature one that
// follows from the seed and what stands before.
func (r request) draw(m Model, ids []int32) int32 {
	next := m.next(ids)
	if r.Temperature == nil || *r.Temperature == 0 {
		return likeliest(next)
	}
	total := 0.0
	for i := range next {
		next[i] = math.Exp(next[i] / *r.Temperature)
		total += next[i]
	}
	left := total * float64(xxh3.HashStringSeed(decode(ids), uint64(*r.Seed))>>11) / (1 << 53)
	for i := range next {
		if left -= next[i]; left < 0 {
			return int32(i)
		}
	}
	return End
}

// only is the model of a server that asks for no name.
func (s *Server) only() (m Model, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m = range s.models {
	}
	return m, len(s.models) == 1
}

// extend adds to a choice what vLLM would, before the prompt was continued.
func (s *Server) extend(text []byte, m Model, ids []int32, choice map[string]any) {
	var in struct {
		Prompt *int    `json:"prompt_logprobs"`
		Labels []int32 `json:"logprob_token_ids"`
		Top    *int    `json:"logprobs"`
		Echo   bool    `json:"echo"`
		AsIDs  bool    `json:"return_tokens_as_token_ids"`
	}
	if json.Unmarshal(text, &in) != nil {
		return
	}
	if in.Prompt != nil && s.profile.PromptLogprobs {
		choice["prompt_logprobs"] = m.ranked(ids, *in.Prompt)
	}
	switch {
	case in.Top == nil || in.Echo || !in.AsIDs:
	case in.Labels != nil && s.profile.LabelLogprobs:
		choice["logprobs"].(map[string]any)["top_logprobs"] = []any{m.chosen(ids, in.Labels)}
	case in.Labels == nil && *in.Top <= s.profile.TopLogprobs:
		choice["logprobs"].(map[string]any)["top_logprobs"] = []any{m.chosen(ids, top(m.next(ids), *in.Top))}
	}
}

// top returns the n likeliest tokens, the first of equal ones first.
func top(logprobs [Vocabulary]float64, n int) []int32 {
	ids := make([]int32, Vocabulary)
	for i := range ids {
		ids[i] = int32(i)
	}
	slices.SortStableFunc(ids, func(a, b int32) int {
		switch {
		case logprobs[a] > logprobs[b]:
			return -1
		case logprobs[a] < logprobs[b]:
			return 1
		}
		return 0
	})
	return ids[:n]
}

// chosen names tokens after ids, and the one that is sampled.
func (m Model) chosen(ids, chosen []int32) map[string]any {
	next := m.next(ids)
	out := map[string]any{}
	for _, id := range append([]int32{likeliest(next)}, chosen...) {
		out[fmt.Sprintf("token_id:%d", id)] = next[id]
	}
	return out
}

// ranked are vLLM's prompt_logprobs.
func (m Model) ranked(ids []int32, top int) []any {
	out := []any{nil}
	for i := 1; i < len(ids); i++ {
		next := m.next(ids[:i])
		entry := map[string]any{}
		name := func(id int32) {
			rank := 0 // vLLM counts equal ones, so a tie at the top has rank 2
			for _, x := range next {
				if x >= next[id] {
					rank++
				}
			}
			entry[strconv.Itoa(int(id))] = map[string]any{"logprob": next[id], "rank": rank, "decoded_token": string(rune(id))}
		}
		name(ids[i])
		if top > 0 {
			name(likeliest(next))
		}
		out = append(out, entry)
	}
	return out
}

// generate is SGLang's own route.
func (s *Server) generate(text []byte) (int, map[string]any) {
	var in struct {
		IDs   []int32 `json:"input_ids"`
		Start *int    `json:"logprob_start_len"`
		Top   int     `json:"top_logprobs_num"`
	}
	m, ok := s.only()
	if err := json.Unmarshal(text, &in); err != nil || len(in.IDs) == 0 || in.Start == nil || !ok {
		return http.StatusBadRequest, failure("no input_ids")
	}
	var values, tops []any
	for i := *in.Start; i < len(in.IDs); i++ {
		triple := func(id int32, x any) []any { return []any{x, id, nil} }
		if i == *in.Start {
			values, tops = append(values, triple(in.IDs[i], nil)), append(tops, nil)
			continue
		}
		next := m.next(in.IDs[:i])
		values = append(values, triple(in.IDs[i], next[in.IDs[i]]))
		tops = append(tops, []any{triple(likeliest(next), next[likeliest(next)])})
	}
	meta := map[string]any{
		"prompt_tokens": len(in.IDs), "completion_tokens": 1, "finish_reason": map[string]any{"type": "length", "length": 1},
		"input_token_logprobs": values, "input_top_logprobs": nil,
	}
	if in.Top > 0 {
		meta["input_top_logprobs"] = tops
	}
	if s.profile.Fingerprint {
		meta["weight_version"] = m.Fingerprint
	}
	return http.StatusOK, map[string]any{"text": "x", "output_ids": []int{1}, "meta_info": meta}
}

// forced is llama-server's own route, for one token.
func (s *Server) forced(text []byte) (int, map[string]any) {
	var in struct {
		Prompt []int32      `json:"prompt"`
		Bias   [][2]float64 `json:"logit_bias"`
		Probs  int          `json:"n_probs"`
	}
	m, ok := s.only()
	if err := json.Unmarshal(text, &in); err != nil || len(in.Prompt) == 0 || !ok {
		return http.StatusBadRequest, failure("no prompt")
	}
	next := m.next(in.Prompt)
	sampled := likeliest(next)
	for _, b := range in.Bias {
		if next[int(b[0])]+b[1] > next[sampled] {
			sampled = int32(b[0])
		}
	}
	var tops []any
	for _, id := range top(next, in.Probs) {
		tops = append(tops, map[string]any{"id": id, "token": string(rune(id)), "logprob": next[id]})
	}
	return http.StatusOK, map[string]any{
		"content": string(rune(sampled)), "truncated": false, "tokens_evaluated": len(in.Prompt), "tokens_predicted": 1, "stop_type": "limit",
		"completion_probabilities": []any{map[string]any{"id": sampled, "token": string(rune(sampled)), "logprob": next[sampled], "top_logprobs": tops}},
	}
}

// chat joins the contents and continues them.
func (s *Server) chat(text []byte) (int, map[string]any) {
	var in struct {
		request
		Messages []struct{ Role, Content string }
	}
	if err := json.Unmarshal(text, &in); err != nil || len(in.Stop) > 4 {
		return http.StatusBadRequest, failure("not a chat, or more than 4 stop strings")
	}
	joined := ""
	for _, m := range in.Messages {
		joined += m.Content
	}
	in.request.Prompt, _ = json.Marshal(joined)
	body, _ := json.Marshal(in.request)
	status, response := s.complete(body)
	if status != http.StatusOK {
		return status, response
	}
	c := response["choices"].([]any)[0].(map[string]any)
	c["message"] = map[string]any{"role": "assistant", "content": c["text"]}
	delete(c, "text")
	response["object"] = "chat.completion"
	return status, response
}
