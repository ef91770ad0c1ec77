package evaltest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// routes are those of the dialect.
func (f *Fake) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", f.health)
	mux.HandleFunc("GET /v1/models", f.list)
	mux.HandleFunc("POST /v1/completions", f.completions)
	mux.HandleFunc("POST /tokenize", f.tokenize)
	switch f.options.Dialect {
	case VLLM:
		mux.HandleFunc("POST /pause", f.pause(true))
		mux.HandleFunc("POST /resume", f.pause(false))
		mux.HandleFunc("GET /is_paused", f.isPaused)
		mux.HandleFunc("POST /collective_rpc", f.collective)
		mux.HandleFunc("POST /reset_prefix_cache", f.resetCache)
	case SGLang:
		mux.HandleFunc("POST /pause_generation", f.pause(true))
		mux.HandleFunc("POST /continue_generation", f.pause(false))
		mux.HandleFunc("POST /update_weights_from_disk", f.updateFromDisk)
		mux.HandleFunc("GET /get_model_info", f.modelInfo)
		mux.HandleFunc("GET /model_info", f.modelInfo)
		mux.HandleFunc("POST /generate", f.generate)
	case LlamaCpp:
		mux.HandleFunc("POST /completion", f.native)
		mux.HandleFunc("GET /props", f.props)
	default:
		panic("evaltest: no dialect " + f.options.Dialect)
	}
	return mux
}

func (f *Fake) health(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.healthy > 0 {
		f.healthy--
		writeJSON(w, http.StatusServiceUnavailable, failure("Loading model"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
}

func (f *Fake) name() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.start == "wrong-name" {
		return "other"
	}
	return f.options.Name
}

func (f *Fake) list(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{map[string]any{"id": f.name(), "object": "model"}}})
}

// read decodes the body of a request.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	text, err := io.ReadAll(r.Body)
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, failure(err.Error()))
	}
	return err == nil
}

func (f *Fake) tokenize(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Prompt, Content string
		Special         bool `json:"add_special_tokens"`
	}
	if read(w, r, &in) {
		writeJSON(w, http.StatusOK, map[string]any{"tokens": Tokenizer{}.Encode(in.Prompt+in.Content, in.Special)})
	}
}

// stopped refuses requests while the server is paused; real ones let them wait.
func (f *Fake) stopped(w http.ResponseWriter) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.paused {
		writeJSON(w, http.StatusServiceUnavailable, failure("paused"))
	}
	return f.paused
}

// completions is the route of the OpenAI protocol.
func (f *Fake) completions(w http.ResponseWriter, r *http.Request) {
	var in request
	if f.stopped(w) || !read(w, r, &in) {
		return
	}
	llama := f.options.Dialect == LlamaCpp
	prompts, _, _ := in.prompts()
	maxTokens := 16
	if in.MaxTokens != nil {
		maxTokens = *in.MaxTokens
	}
	refusal := ""
	switch {
	case in.Model != f.name() && !llama: // llama-server answers to any name
		writeJSON(w, http.StatusNotFound, failure("no model "+in.Model))
		return
	case prompts == nil:
		refusal = "no prompt"
	case in.Echo && llama:
		refusal = "Only no echo is supported"
	case maxTokens == 0 && f.options.Dialect == SGLang:
		refusal = "max_tokens must be at least 1"
	case in.Temperature == nil || *in.Temperature != 0:
		refusal = "this server has no random numbers: temperature must be 0"
	}
	if refusal != "" {
		writeJSON(w, http.StatusBadRequest, failure(refusal))
		return
	}
	count := 0
	var choices []any
	for i, ids := range prompts {
		count += len(ids)
		// Log-probabilities of a prompt cannot come out of a cache.
		m, nan := f.answering(ids, !in.Echo)
		c := in.choice(m, i, ids, maxTokens)
		f.shape(c, m, ids, nan, in.Logprobs)
		choices = append(choices, c)
	}
	response := map[string]any{
		"id": "cmpl-1", "object": "text_completion", "created": 1, "model": f.name(), "choices": choices,
		"usage": map[string]any{"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1},
	}
	if f.options.Dialect == SGLang {
		f.mu.Lock()
		response["metadata"] = map[string]any{"weight_version": f.version}
		f.mu.Unlock()
	}
	writeJSON(w, http.StatusOK, response)
}

// shape puts the log-probabilities of a choice into the form of the dialect, with
// the likeliest tokens of those that it wrote.
func (f *Fake) shape(c map[string]any, m Model, prompt []int32, nan bool, n *int) {
	l, ok := c["logprobs"].(map[string]any)
	if !ok {
		return
	}
	values, _ := l["token_logprobs"].([]any)
	tokens, _ := l["tokens"].([]any)
	f.blur(values, nan)
	var ids []int32
	for _, t := range tokens {
		var id int32
		if _, err := fmt.Sscanf(t.(string), "token_id:%d", &id); err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	written := ids
	if len(ids) >= len(prompt) && slices.Equal(ids[:len(prompt)], prompt) {
		written = ids[len(prompt):] // the prompt was echoed
	}
	var tops [][]named
	if *n > 1 {
		tops = f.tops(m, slices.Concat(prompt, written), len(prompt), *n)
	}
	if f.options.Dialect != LlamaCpp {
		if list, ok := l["top_logprobs"].([]any); ok && tops != nil {
			for i, position := range tops {
				likeliest := map[string]any{}
				for _, t := range position {
					likeliest[fmt.Sprintf("token_id:%d", t.id)] = t.value
				}
				list[len(list)-len(tops)+i] = likeliest
			}
		}
		return
	}
	var content []any
	for i, v := range values {
		var likeliest []any
		if tops != nil {
			for _, t := range tops[i] {
				likeliest = append(likeliest, map[string]any{"id": t.id, "token": fmt.Sprint(t.id), "logprob": t.value})
			}
		}
		content = append(content, map[string]any{"id": ids[i], "token": fmt.Sprint(ids[i]), "logprob": v, "top_logprobs": likeliest})
	}
	c["logprobs"] = map[string]any{"content": content}
}

func (f *Fake) pause(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.paused = on
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
	}
}

func (f *Fake) isPaused(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"is_paused": f.paused})
}

// load reads a directory and takes its weights.
func (f *Fake) load(dir string, flush bool) (status int, hang bool, problem string) {
	b, err := readBlob(dir)
	if err != nil {
		return http.StatusInternalServerError, false, err.Error()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	status, hang = f.change(b, flush)
	if f.dead {
		panic(http.ErrAbortHandler)
	}
	if status == http.StatusOK {
		f.path = dir
	}
	return status, hang, "the update failed half-way"
}

// collective is vLLM's route to a method of its workers. It does not touch the
// prefix cache.
func (f *Fake) collective(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Method string
		Kwargs struct {
			Path string `json:"weights_path"`
		}
	}
	if !read(w, r, &in) {
		return
	}
	if in.Method != "reload_weights" || in.Kwargs.Path == "" {
		writeJSON(w, http.StatusInternalServerError, failure("no method "+in.Method))
		return
	}
	status, hang, problem := f.load(in.Kwargs.Path, false)
	switch {
	case hang:
		wait(r)
	case status != http.StatusOK:
		writeJSON(w, status, failure(problem))
	default:
		writeJSON(w, http.StatusOK, map[string]any{"results": []any{nil}})
	}
}

// resetCache always answers 200, as vLLM does; the fault "kept" is left over from
// the change before.
func (f *Fake) resetCache(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.keep {
		f.cache = map[string]uint64{}
	}
	w.WriteHeader(http.StatusOK)
}

func (f *Fake) updateFromDisk(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Path    string `json:"model_path"`
		Flush   bool   `json:"flush_cache"`
		Version string `json:"weight_version"`
	}
	if !read(w, r, &in) {
		return
	}
	status, hang, problem := f.load(in.Path, in.Flush)
	switch {
	case hang:
		wait(r)
	case status != http.StatusOK:
		writeJSON(w, http.StatusBadRequest, map[string]any{"success": false, "message": problem})
	default:
		f.mu.Lock()
		f.version, f.options.Name = in.Version, in.Path // it takes the path for its name
		f.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]any{"success": true, "message": "Succeeded to update model weights.", "num_paused_requests": 0})
	}
}

func (f *Fake) modelInfo(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"model_path": f.path, "weight_version": f.version})
}

// generate is SGLang's own route. A prefix is read from the cache up to
// logprob_start_len.
func (f *Fake) generate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Text     string
		IDs      []int32 `json:"input_ids"`
		Sampling struct {
			Max int `json:"max_new_tokens"`
		} `json:"sampling_params"`
		Logprob bool `json:"return_logprob"`
		From    *int `json:"logprob_start_len"`
		Top     int  `json:"top_logprobs_num"`
	}
	if f.stopped(w) || !read(w, r, &in) {
		return
	}
	if in.IDs == nil {
		in.IDs = Tokenizer{}.Encode(in.Text, true)
	}
	m, nan := f.answering(in.IDs, in.From == nil || *in.From < 0)
	ids, text := in.IDs, ""
	for range in.Sampling.Max {
		next := likeliest(m.next(ids))
		ids = append(ids[:len(ids):len(ids)], next)
		if next == End {
			break
		}
	}
	text = decode(ids[len(in.IDs):])
	var input, output, tops, best []any
	if in.Logprob {
		from := len(in.IDs) - 1
		if in.From != nil && *in.From >= 0 {
			from = *in.From
		}
		values := m.logprobs(ids, from, 0)["token_logprobs"].([]any)
		f.blur(values, nan)
		values[0] = nil // nothing stands before the first
		for i, v := range values {
			entry := []any{v, ids[from+i], nil}
			if from+i < len(in.IDs) {
				input = append(input, entry)
				if in.Top > 0 {
					tops = append(tops, m.likeliestOf(ids[:from+i], v))
				}
			} else {
				output = append(output, entry)
			}
		}
	}
	for _, position := range f.tops(m, ids, len(in.IDs), in.Top) {
		var list []any
		for _, t := range position {
			list = append(list, []any{t.value, t.id, nil})
		}
		best = append(best, list)
	}
	f.mu.Lock()
	version := f.version
	f.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"text": text, "meta_info": map[string]any{
		"id": "1", "prompt_tokens": len(in.IDs), "completion_tokens": len(ids) - len(in.IDs), "weight_version": version,
		"input_token_logprobs": input, "output_token_logprobs": output,
		"input_top_logprobs": tops, "output_top_logprobs": best,
	}})
}

// likeliestOf names the likeliest token after ids as SGLang does; null where the
// token itself has no value.
func (m Model) likeliestOf(ids []int32, value any) any {
	if value == nil {
		return nil
	}
	next := m.next(ids)
	best := likeliest(next)
	return []any{[]any{next[best], best, nil}}
}

// native is llama-server's own route.
func (f *Fake) native(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Prompt json.RawMessage
		Max    int   `json:"n_predict"`
		Probs  int   `json:"n_probs"`
		Cache  *bool `json:"cache_prompt"`
	}
	if !read(w, r, &in) {
		return
	}
	prompts, _, _ := request{Prompt: in.Prompt}.prompts()
	if len(prompts) != 1 {
		writeJSON(w, http.StatusBadRequest, failure("one prompt is wanted"))
		return
	}
	ids := prompts[0]
	m, nan := f.answering(ids, in.Cache == nil || *in.Cache)
	c := request{Logprobs: &in.Probs}.choice(m, 0, ids, in.Max)
	f.shape(c, m, ids, nan, &in.Probs)
	response := map[string]any{"content": c["text"], "model": f.name(), "tokens_evaluated": len(ids), "stop": true}
	if in.Probs > 0 {
		response["completion_probabilities"] = c["logprobs"].(map[string]any)["content"]
	}
	writeJSON(w, http.StatusOK, response)
}

func (f *Fake) props(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"model_path": f.path, "model_alias": f.name(), "total_slots": 1})
}

func (f *Fake) String() string { return fmt.Sprintf("%s on %s", f.options.Dialect, f.path) }
