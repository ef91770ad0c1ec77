package lm

import (
	"mime"
	"net/http"
	"time"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) stats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"requests": s.Requests(), "computed_tokens": s.Computed(), "models": len(s.listed())})
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		ID          string `json:"id"`
		Object      string `json:"object"`
		Created     int64  `json:"created"`
		OwnedBy     string `json:"owned_by"`
		MaxModelLen int    `json:"max_model_len"`
		Fingerprint string `json:"fingerprint"`
	}
	data := []entry{}
	for _, m := range s.listed() {
		data = append(data, entry{m.name, "model", m.since.Unix(), "mergesearch", m.model.MaxPositions(), m.model.fingerprint})
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
}

// tokenize answers POST /tokenize as vLLM does, of a prompt or of messages.
func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) {
	var body struct {
		chatRequest
		Prompt           *string `json:"prompt"`
		AddSpecialTokens *bool   `json:"add_special_tokens"`
	}
	s.withModel(w, r, &body, &body.Model, func(m *Model) (any, error) {
		var ids []int32
		switch {
		case body.Prompt != nil:
			ids = m.tokenizer.Encode(*body.Prompt, body.AddSpecialTokens == nil || *body.AddSpecialTokens)
		case body.Messages != nil:
			var err error
			if ids, err = body.prompt(m); err != nil {
				return nil, err
			}
		default:
			return nil, badRequest("prompt", "prompt: missing, and no messages either")
		}
		return map[string]any{"count": len(ids), "max_model_len": m.MaxPositions(), "tokens": ids}, nil
	})
}

// detokenize answers POST /detokenize: special tokens are spelt out.
func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Model  string  `json:"model"`
		Tokens []int32 `json:"tokens"`
	}
	s.withModel(w, r, &body, &body.Model, func(m *Model) (any, error) {
		for _, id := range body.Tokens {
			if id < 0 || int(id) >= m.Vocab() {
				return nil, badRequest("tokens", "tokens: an id is not in the vocabulary")
			}
		}
		return map[string]any{"prompt": m.tokenizer.Decode(body.Tokens, false)}, nil
	})
}

// withModel reads a body, finds its model and writes what answer returns.
func (s *Server) withModel(w http.ResponseWriter, r *http.Request, body any, name *string, answer func(*Model) (any, error)) {
	if err := s.readBody(w, r, body); err != nil {
		writeError(w, asAPIError(err))
		return
	}
	m, missing := s.find(*name)
	if missing != nil {
		writeError(w, missing)
		return
	}
	defer m.users.Done()
	out, err := answer(m.model)
	if err != nil {
		writeError(w, asAPIError(err))
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// load answers POST /v1/mergesearch/load: the model in a directory is served
// under a name, in place of the one that has it. It returns when the old one is gone.
func (s *Server) load(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name string `json:"name"`
		Dir  string `json:"dir"`
	}
	if !s.admin(w, r, &body) {
		return
	}
	if body.Name == "" || body.Dir == "" {
		writeError(w, badRequest("", "name and dir are needed"))
		return
	}
	start := time.Now()
	m, err := s.loadDir(body.Name, body.Dir)
	if err != nil {
		writeError(w, asAPIError(err))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"name": body.Name, "fingerprint": m.fingerprint, "seconds": time.Since(start).Seconds(),
	})
}

func (s *Server) loadDir(name, dir string) (*Model, error) {
	files, tensors, err := s.options.Open(dir)
	if err != nil {
		return nil, err
	}
	m, err := Load(files, tensors)
	if err != nil {
		tensors.Release()
		return nil, err
	}
	if err := s.replace(name, m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// unload answers POST /v1/mergesearch/unload.
func (s *Server) unload(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Name string `json:"name"`
	}
	if !s.admin(w, r, &body) {
		return
	}
	if !s.Remove(body.Name) {
		writeError(w, &apiError{Status: http.StatusNotFound, Message: "no model " + body.Name, Type: "not_found_error", Param: "name", Code: "model_not_found"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"name": body.Name})
}

// admin reads the body of a route that changes the server. It insists on JSON by
// name, which a page in a browser cannot send to another origin unasked.
func (s *Server) admin(w http.ResponseWriter, r *http.Request, body any) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		writeError(w, &apiError{Status: http.StatusUnsupportedMediaType, Message: "Content-Type must be application/json", Type: "invalid_request_error"})
		return false
	}
	if err := s.readBody(w, r, body); err != nil {
		writeError(w, asAPIError(err))
		return false
	}
	return true
}
