package evaltest

import (
	"encoding/json"
	"net/http"
)

// The routes by which vLLM, and programs that ask it, learn about a tokenizer.
// lm-evaluation-harness takes its token ids from them.

var specials = map[string]int32{"<s>": Begin, "</s>": End}

func (s *Server) tokenizerInfo(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"tokenizer_class": "bytes", "bos_token": "<s>", "eos_token": "</s>"})
}

func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Prompt     string `json:"prompt"`
		AddSpecial *bool  `json:"add_special_tokens"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, failure(err.Error()))
		return
	}
	ids := Tokenizer{}.Encode(in.Prompt, in.AddSpecial == nil || *in.AddSpecial)
	if id, ok := specials[in.Prompt]; ok {
		ids = []int32{id}
	}
	if ids == nil {
		ids = []int32{}
	}
	writeJSON(w, http.StatusOK, map[string]any{"tokens": ids, "count": len(ids), "max_model_len": s.profile.Context})
}

func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Tokens []int32 `json:"tokens"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, failure(err.Error()))
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"prompt": decode(in.Tokens)})
}
