package lm_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"mergesearch/eval/lm"
)

// FuzzCompletions: whatever the body, the answer is JSON with a fitting status,
// and a success has a choice.
func FuzzCompletions(f *testing.F) {
	for _, body := range []string{
		`{"model":"m","prompt":"79+75=","max_tokens":2,"temperature":0,"logprobs":2,"echo":true}`,
		`{"prompt":["a","b"],"max_tokens":1,"stop":["x"],"top_p":0.5,"seed":1}`,
		`{"prompt":[[1,5],[1,6]],"max_tokens":0,"echo":true,"logprobs":1,"return_tokens_as_token_ids":true}`,
		`{"prompt":[1,2,3],"stream":true,"stop":"a","ignore_eos":true}`,
		`{"prompt":{}}`, `{"prompt":"\ud800","max_tokens":1e2}`, `null`, `{"PROMPT":"x","Max_Tokens":1}`,
	} {
		f.Add([]byte(body))
	}
	s := lm.NewServer(lm.ServerOptions{Engine: lm.Options{Threads: 1}})
	f.Cleanup(func() { _ = s.Close() })
	if err := s.Add("m", load(f, "base")); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "http://localhost/v1/completions", bytes.NewReader(body))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Header().Get("Content-Type") == "text/event-stream" {
			if !bytes.HasPrefix(w.Body.Bytes(), []byte("data: ")) {
				t.Fatalf("stream %q", w.Body)
			}
			return
		}
		var c completion
		if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		if (w.Code == 200) != (len(c.Choices) > 0) || (w.Code != 200) != (c.Error != nil) || w.Code >= 500 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	})
}
