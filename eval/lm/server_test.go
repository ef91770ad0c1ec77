package lm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"mergesearch/eval/lm"
)

// start starts a server with the base model as "m" and returns its URL.
func start(tb testing.TB, o lm.ServerOptions) (*lm.Server, string) {
	tb.Helper()
	s := lm.NewServer(o)
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := s.Add("m", load(tb, "base")); err != nil {
		tb.Fatal(err)
	}
	url, err := s.Listen("")
	if err != nil {
		tb.Fatal(err)
	}
	return s, url
}

// post sends a body and decodes the answer.
func post(tb testing.TB, url, body string, into any) (status int) {
	tb.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		tb.Fatalf("%s: %v in %s", url, err, data)
	}
	return resp.StatusCode
}

func TestSmoke(t *testing.T) {
	_, url := start(t, lm.ServerOptions{})
	var out any
	for _, body := range []string{
		`{"model":"m","prompt":"79+75=","max_tokens":5,"temperature":0,"logprobs":2}`,
		`{"model":"m","prompt":["79+75=1","79+75=134"],"max_tokens":0,"temperature":0,"logprobs":1,"echo":true}`,
		`{"model":"m","prompt":[1,283,285],"max_tokens":3,"temperature":0.7,"seed":3}`,
		`{"model":"m","prompt":5}`, `{"model":"m","prompt":"x","max_tokens":"x"}`, `{"model":"m","prompt":"x","max_tokens":1000}`,
	} {
		status := post(t, url+"/v1/completions", body, &out)
		j, _ := json.Marshal(out)
		fmt.Println(status, string(j))
	}
}
