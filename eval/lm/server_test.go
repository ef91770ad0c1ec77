package lm_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

// start starts a server with the base model as "m" and returns its URL.
func start(tb testing.TB, o lm.ServerOptions) (*lm.Server, string) {
	tb.Helper()
	s := lm.NewServer(o)
	tb.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
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

// send posts a body and returns the status and the raw answer.
func send(tb testing.TB, url, body string) (status int, answer []byte) {
	tb.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		tb.Error(err)
		return 0, nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		tb.Error(err)
	}
	return resp.StatusCode, answer
}

// post decodes the answer too.
func post(tb testing.TB, url, body string, into any) (status int) {
	tb.Helper()
	status, answer := send(tb, url, body)
	if err := json.Unmarshal(answer, into); err != nil {
		tb.Fatalf("%s: %v in %s", url, err, answer)
	}
	return status
}

// completion is an answer as a client reads it.
type completion struct {
	ID, Object, Model string
	SystemFingerprint string `json:"system_fingerprint"`
	Choices           []struct {
		Index        int
		Text         string
		FinishReason *string `json:"finish_reason"`
		StopReason   any     `json:"stop_reason"`
		LogProbs     *struct {
			Tokens        []string
			TokenLogProbs []*float64           `json:"token_logprobs"`
			TopLogProbs   []map[string]float64 `json:"top_logprobs"`
			TextOffset    []int                `json:"text_offset"`
		}
	}
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
		TotalTokens      int `json:"total_tokens"`
	}
	Error *struct{ Message, Type, Param, Code string }
}

func TestCompletion(t *testing.T) {
	s, url := start(t, lm.ServerOptions{})
	var c completion
	if status := post(t, url+"/v1/completions", `{"model":"m","prompt":"79+75=","max_tokens":8,"temperature":0,"logprobs":2,"new_field":{"a":1}}`, &c); status != 200 {
		t.Fatalf("status %d: %+v", status, c.Error)
	}
	choice := c.Choices[0]
	if choice.Text != "111" || *choice.FinishReason != "stop" || c.Object != "text_completion" || c.Model != "m" {
		t.Errorf("answer %+v", c)
	}
	if c.Usage.PromptTokens != 7 || c.Usage.CompletionTokens != 4 || c.Usage.TotalTokens != 11 {
		t.Errorf("usage %+v", c.Usage)
	}
	lp := choice.LogProbs
	if got := strings.Join(lp.Tokens, ","); got != "1,1,1,</s>" {
		t.Errorf("tokens %s", got)
	}
	for i, token := range lp.Tokens {
		top := lp.TopLogProbs[i]
		if len(top) != 2 || top[token] != *lp.TokenLogProbs[i] || lp.TextOffset[i] != i {
			t.Errorf("token %d: %v of %v at %d", i, *lp.TokenLogProbs[i], top, lp.TextOffset[i])
		}
	}
	if s.Requests() != 1 {
		t.Errorf("%d requests counted, want 1", s.Requests())
	}
	var models struct {
		Data []struct{ ID, Fingerprint string }
	}
	get(t, url+"/v1/models", &models)
	if len(models.Data) != 1 || models.Data[0].ID != "m" || models.Data[0].Fingerprint != c.SystemFingerprint || c.SystemFingerprint == "" {
		t.Errorf("models %+v, fingerprint %q", models, c.SystemFingerprint)
	}
}

func get(tb testing.TB, url string, into any) {
	tb.Helper()
	resp, err := http.Get(url)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != 200 {
		tb.Fatalf("%s: %s %v", url, resp.Status, err)
	}
}

// TestEcho: the log-probability of a continuation is what the engine says, and
// however the prompts are written the answer is the same.
func TestEcho(t *testing.T) {
	_, url := start(t, lm.ServerOptions{})
	text := []string{"reverse lion=noil", "reverse lion=lion"}
	m := family(t, "base")
	want := do(t, serve(t, m, lm.Options{}), lm.Request{Prompt: m.Tokenizer().Encode(text[0], true), PromptLogProbs: true})[0]
	ids, _ := json.Marshal([][]int32{m.Tokenizer().Encode(text[0], true), m.Tokenizer().Encode(text[1], true)})
	for _, prompt := range []string{fmt.Sprintf(`["%s","%s"]`, text[0], text[1]), string(ids)} {
		for _, k := range []int{0, 1, 5} {
			var c completion
			post(t, url+"/v1/completions", fmt.Sprintf(`{"model":"m","prompt":%s,"max_tokens":0,"echo":true,"logprobs":%d,"temperature":0}`, prompt, k), &c)
			if len(c.Choices) != 2 || c.Choices[0].Text != text[0] || c.Choices[1].Text != text[1] || *c.Choices[0].FinishReason != "length" {
				t.Fatalf("prompt %s: %+v", prompt, c)
			}
			lp := c.Choices[0].LogProbs
			if len(lp.Tokens) != len(want.Prompt) || lp.TokenLogProbs[0] != nil || (lp.TopLogProbs == nil) != (k == 0) {
				t.Fatalf("log-probabilities %+v", lp)
			}
			for i := 1; i < len(lp.Tokens); i++ {
				if *lp.TokenLogProbs[i] != want.Prompt[i].LogProb {
					t.Errorf("token %d: %v, want %v", i, *lp.TokenLogProbs[i], want.Prompt[i].LogProb)
				}
				if k == 0 {
					continue
				}
				if n := len(lp.TopLogProbs[i]); n < k || lp.TopLogProbs[0] != nil || n > k+1 || lp.TopLogProbs[i][lp.Tokens[i]] != *lp.TokenLogProbs[i] {
					t.Errorf("token %d: alternatives %v", i, lp.TopLogProbs[i])
				}
			}
		}
	}
	var c completion
	post(t, url+"/v1/completions", `{"model":"m","prompt":"79+75=","max_tokens":2,"echo":true,"logprobs":1,"temperature":0,"return_tokens_as_token_ids":true}`, &c)
	if lp := c.Choices[0].LogProbs; len(lp.Tokens) != 9 || lp.Tokens[0] != "token_id:1" || c.Choices[0].Text != "79+75=11" {
		t.Errorf("echo with completion: %+v %v", c.Choices[0], lp)
	}
}

func TestStopAndSampling(t *testing.T) {
	_, url := start(t, lm.ServerOptions{})
	answer := func(body string) (c completion) {
		if status := post(t, url+"/v1/completions", body, &c); status != 200 {
			t.Fatalf("%s: %d %+v", body, status, c.Error)
		}
		return c
	}
	c := answer(`{"prompt":"79+75=","max_tokens":8,"temperature":0,"ignore_eos":true,"stop":["zzz","11"],"logprobs":0}`)
	if c.Choices[0].Text != "" || c.Choices[0].StopReason != "11" || *c.Choices[0].FinishReason != "stop" || len(c.Choices[0].LogProbs.Tokens) != 2 {
		t.Errorf("stop: %+v", c.Choices[0])
	}
	if c := answer(`{"prompt":"79+75=","max_tokens":8,"temperature":0,"stop":"z"}`); c.Choices[0].Text != "111" {
		t.Errorf("stop that never comes: %+v", c.Choices[0])
	}
	sampled := `{"prompt":"The quick","max_tokens":20,"temperature":1.3,"ignore_eos":true,"seed":%d}`
	texts := map[string]bool{}
	for seed := range 8 {
		text := answer(fmt.Sprintf(sampled, seed)).Choices[0].Text
		if again := answer(fmt.Sprintf(sampled, seed)).Choices[0].Text; again != text {
			t.Errorf("seed %d gave %q and %q", seed, text, again)
		}
		texts[text] = true
	}
	if len(texts) < 7 {
		t.Errorf("8 seeds gave %d texts", len(texts))
	}
	if a, b := answer(`{"prompt":["x","x"],"temperature":1.5,"seed":3}`), 0; a.Choices[b].Text == a.Choices[1].Text {
		t.Errorf("two choices of one request are both %q", a.Choices[0].Text)
	}
	if a := answer(`{"prompt":"79+75=","max_tokens":3,"temperature":2,"top_p":0.000001}`); a.Choices[0].Text != "111" {
		t.Errorf("with top_p near 0: %q", a.Choices[0].Text)
	}
}

func TestErrors(t *testing.T) {
	s, url := start(t, lm.ServerOptions{MaxBody: 10000})
	for body, want := range map[string]struct {
		status int
		param  string
	}{
		`{"model":"nobody","prompt":"x"}`:                       {404, "model"},
		`{"model":"m"}`:                                         {400, "prompt"},
		`{"model":"m","prompt":[]}`:                             {400, "prompt"},
		`{"model":"m","prompt":[[]]}`:                           {400, "prompt"},
		`{"model":"m","prompt":5}`:                              {400, "prompt"},
		`{"model":"m","prompt":{"a":1}}`:                        {400, "prompt"},
		`{"model":"m","prompt":[1,"x"]}`:                        {400, "prompt"},
		`{"model":"m","prompt":[1,1.5]}`:                        {400, "prompt"},
		`{"model":"m","prompt":[99999]}`:                        {400, "prompt"},
		`{"model":"m","prompt":[-1]}`:                           {400, "prompt"},
		`{"model":5,"prompt":"x"}`:                              {400, "model"},
		`{"model":"m","prompt":"x","max_tokens":"5"}`:           {400, "max_tokens"},
		`{"model":"m","prompt":"x","max_tokens":-1}`:            {400, "max_tokens"},
		`{"model":"m","prompt":"x","max_tokens":1000}`:          {400, "max_tokens"},
		`{"model":"m","prompt":"x","max_tokens":9e18}`:          {400, "max_tokens"},
		`{"model":"m","prompt":"x","temperature":-1}`:           {400, "temperature"},
		`{"model":"m","prompt":"x","top_p":2}`:                  {400, "top_p"},
		`{"model":"m","prompt":"x","logprobs":true}`:            {400, "logprobs"},
		`{"model":"m","prompt":"x","logprobs":-1}`:              {400, "logprobs"},
		`{"model":"m","prompt":"x","logprobs":1000}`:            {400, "logprobs"},
		`{"model":"m","prompt":"x","stop":5}`:                   {400, "stop"},
		`{"model":"m","prompt":"x","n":2}`:                      {400, "n"},
		`{"model":"m","prompt":"x","best_of":2}`:                {400, "best_of"},
		`{"model":"m","prompt":"x","presence_penalty":1}`:       {400, "presence_penalty"},
		`{"model":"m","prompt":"x","repetition_penalty":2}`:     {400, "repetition_penalty"},
		`{"model":"m","prompt":"x","logit_bias":{"5":1}}`:       {400, "logit_bias"},
		`{"model":"m","prompt":"x","prompt_logprobs":0}`:        {400, "prompt_logprobs"},
		`{"model":"m","prompt":"x","suffix":"y"}`:               {400, "suffix"},
		`{"model":"m","prompt":"` + long(200) + `"}`:            {400, "max_tokens"},
		`{"model":"m","prompt":"` + long(20000) + `"}`:          {413, ""},
		`{"model":"m","prompt":"x"`:                             {400, ""},
		`{"model":"m","prompt":"x"} {}`:                         {400, ""},
		"{\"model\":\"m\",\"prompt\":\"\xff\"}":                 {400, ""},
		`[]`:                                                    {400, ""},
		``:                                                      {400, ""},
		`{"prompt":"x","echo":true,"logprobs":1,"stream":1}`:    {400, "stream"},
		`{"prompt":"x","echo":true,"logprobs":1,"stream":true}`: {400, "stream"},
	} {
		var c completion
		status := post(t, url+"/v1/completions", body, &c)
		if status != want.status || c.Error == nil || c.Error.Param != want.param || c.Error.Message == "" {
			t.Errorf("%.80s: status %d, error %+v; want %d about %q", body, status, c.Error, want.status, want.param)
		}
	}
	if s.Requests() != 0 {
		t.Errorf("%d refused requests were counted as answered", s.Requests())
	}
	var c completion
	if status := post(t, url+"/v1/chat/completions", `{"messages":[]}`, &c); status != 400 || c.Error == nil {
		t.Errorf("chat: status %d, %+v", status, c)
	}
	if status := post(t, url+"/v1/mergesearch/load", `{}`, &c); status != 404 {
		t.Errorf("load without an opener: status %d", status)
	}
}

func long(n int) string { return strings.Repeat("a", n) }

func TestHostIsChecked(t *testing.T) {
	_, url := start(t, lm.ServerOptions{})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:80": 200, "127.0.0.1": 200, "127.1.2.3:5": 200, "[::1]:8000": 200,
		"evil.example": 403, "evil.example:80": 403, "192.168.0.1": 403, "localhost.evil.example": 403,
	} {
		req, err := http.NewRequest("GET", url+"/health", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestTokenizeRoutes(t *testing.T) {
	_, url := start(t, lm.ServerOptions{})
	for body, want := range map[string]string{
		`{"prompt":"a b"}`: "[1 325 260 326]",
		`{"model":"m","prompt":"a b","add_special_tokens":false}`: "[325 260 326]",
		`{"prompt":"é"}`: "[1 199 173]",
	} {
		var got struct {
			Count  int
			Tokens []int32
		}
		post(t, url+"/tokenize", body, &got)
		if fmt.Sprint(got.Tokens) != want || got.Count != len(got.Tokens) {
			t.Errorf("%s: %+v, want %s", body, got, want)
		}
	}
	var text struct{ Prompt string }
	post(t, url+"/detokenize", `{"model":"m","tokens":[1,199,173,260,325]}`, &text)
	if text.Prompt != "<s>é a" {
		t.Errorf("detokenize: %q", text.Prompt)
	}
	var c completion
	if status := post(t, url+"/detokenize", `{"tokens":[355]}`, &c); status != 400 {
		t.Errorf("id beyond the vocabulary: status %d", status)
	}
	if status := post(t, url+"/tokenize", `{"messages":[]}`, &c); status != 400 {
		t.Errorf("chat to tokenize: status %d", status)
	}
}

// TestStreaming: the pieces of a stream are the answer without it.
func TestStreaming(t *testing.T) {
	s, url := start(t, lm.ServerOptions{})
	for _, options := range []string{
		`"max_tokens":12,"temperature":0,"ignore_eos":true`,
		`"max_tokens":30,"temperature":1.5,"seed":4,"ignore_eos":true,"stop":["q","ab"]`,
		`"max_tokens":4,"temperature":0,"echo":true`,
		`"max_tokens":0,"temperature":0`,
		`"max_tokens":5,"temperature":0,"logprobs":1`,
	} {
		var want completion
		post(t, url+"/v1/completions", `{"prompt":["79+75=","The é "],`+options+`}`, &want)
		_, body := send(t, url+"/v1/completions", `{"prompt":["79+75=","The é "],"stream":true,"stream_options":{"include_usage":true},`+options+`}`)
		texts, tokens, finish := make([]string, 2), make([]int, 2), make([]string, 2)
		var last string
		var usage completion
		for lines := bufio.NewScanner(bytes.NewReader(body)); lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			if last = data; data == "[DONE]" {
				break
			}
			var c completion
			if err := json.Unmarshal([]byte(data), &c); err != nil {
				t.Fatalf("%v in %s", err, data)
			}
			for _, p := range c.Choices {
				texts[p.Index] += p.Text
				if p.FinishReason != nil {
					finish[p.Index] = *p.FinishReason
				}
				if p.LogProbs != nil {
					tokens[p.Index] += len(p.LogProbs.Tokens)
				}
			}
			if len(c.Choices) == 0 {
				usage = c
			}
		}
		for i, c := range want.Choices {
			if texts[i] != c.Text || finish[i] != *c.FinishReason || c.LogProbs != nil && tokens[i] != len(c.LogProbs.Tokens) {
				t.Errorf("%s: choice %d streams %q (%s, %d tokens), want %q (%s)", options, i, texts[i], finish[i], tokens[i], c.Text, *c.FinishReason)
			}
		}
		if last != "[DONE]" || usage.Usage != want.Usage {
			t.Errorf("%s: ends with %s, usage %+v, want %+v", options, last, usage.Usage, want.Usage)
		}
	}
	if s.Requests() != 10 {
		t.Errorf("%d requests counted, want 10", s.Requests())
	}
}

// TestManyClients: answers over many connections are those of one.
func TestManyClients(t *testing.T) {
	s, url := start(t, lm.ServerOptions{Engine: lm.Options{Threads: 3}})
	bodies := make([]string, 40)
	want := make([]string, len(bodies))
	plain := func(answer []byte) string { // without the id and the time
		_, rest, _ := strings.Cut(string(answer), `"model"`)
		return rest
	}
	for i := range bodies {
		bodies[i] = fmt.Sprintf(`{"model":"m","prompt":["reverse w%dx=","reverse w%d"],"max_tokens":%d,"temperature":0,"echo":%v,"logprobs":%d}`,
			i*7, i, i%9, i%2 == 0, i%3)
		_, answer := send(t, url+"/v1/completions", bodies[i])
		want[i] = plain(answer)
	}
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for k := range bodies {
				i := (k*(client+3) + client) % len(bodies)
				if _, answer := send(t, url+"/v1/completions", bodies[i]); plain(answer) != want[i] {
					t.Errorf("request %d: %s, want %s", i, answer, want[i])
				}
			}
		})
	}
	wg.Wait()
	if got := s.Requests(); got != 9*40 {
		t.Errorf("%d requests counted, want %d", got, 9*40)
	}
}

// TestRemoveInFlight: requests that have begun are answered, then the tensors are
// released once; later ones get 404.
func TestRemoveInFlight(t *testing.T) {
	s, url := start(t, lm.ServerOptions{})
	files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "expert-atlas"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := lm.Load(files, tensors)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add("candidate", m); err != nil {
		t.Fatal(err)
	}
	var answered, missing atomic.Int64
	var wg sync.WaitGroup
	begun := make(chan struct{}, 100)
	for range 8 {
		wg.Go(func() {
			for missing.Load() == 0 {
				status, answer := send(t, url+"/v1/completions", `{"model":"candidate","prompt":"The","max_tokens":100,"temperature":0,"ignore_eos":true}`)
				switch status {
				case 200:
					answered.Add(1)
					select {
					case begun <- struct{}{}:
					default:
					}
				case 404:
					missing.Add(1)
				default:
					t.Errorf("status %d: %s", status, answer)
					return
				}
			}
		})
	}
	for range 10 {
		<-begun
	}
	if tensors.Released() != 0 {
		t.Error("released while served")
	}
	if !s.Remove("candidate") || tensors.Released() != 1 {
		t.Errorf("released %d times, want once", tensors.Released())
	}
	wg.Wait()
	if answered.Load() < 10 || missing.Load() == 0 {
		t.Errorf("%d answered, %d missing", answered.Load(), missing.Load())
	}
	if s.Remove("candidate") {
		t.Error("removed twice")
	}
}

// TestCancellation: a client that goes away does not keep the engine busy.
func TestCancellation(t *testing.T) {
	m := family(t, "base")
	i := serve(t, m, lm.Options{Threads: 1})
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("gone")
	requests := make([]lm.Request, 200)
	for k := range requests {
		requests[k] = lm.Request{Prompt: []int32{1, int32(4 + k)}, MaxTokens: 120, IgnoreEOS: true}
	}
	seen := 0
	requests[0].OnToken = func(lm.TokenLogProb, string) {
		if seen++; seen == 3 {
			cancel(gone)
		}
	}
	if _, err := i.Do(ctx, requests); !errors.Is(err, gone) {
		t.Fatalf("error %v, want the cause", err)
	}
	if seen > 4 {
		t.Errorf("%d tokens, want the end after the third", seen)
	}
	if _, err := i.Do(ctx, requests); !errors.Is(err, gone) {
		t.Errorf("error %v with a context that is done", err)
	}
	do(t, i, lm.Request{Prompt: []int32{1, 5}, MaxTokens: 5}) // the rest goes on

	_, url := start(t, lm.ServerOptions{})
	short, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer stop()
	body := `{"prompt":[` + strings.Repeat(`"The ",`, 999) + `"x"],"max_tokens":120,"temperature":0,"ignore_eos":true}`
	req, err := http.NewRequestWithContext(short, "POST", url+"/v1/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
	}
	var c completion
	if status := post(t, url+"/v1/completions", `{"prompt":"79+75=","max_tokens":3,"temperature":0}`, &c); status != 200 || c.Choices[0].Text != "111" {
		t.Errorf("after a cancelled request: %d %+v", status, c)
	}
}

// TestSlowBody: a body that does not arrive is given up, an answer that takes
// longer than a body may is not.
func TestSlowBody(t *testing.T) {
	_, url := start(t, lm.ServerOptions{ReadTimeout: 100 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "408") {
		t.Errorf("half a body is answered with %q, %v", line, err)
	}
	begin := time.Now()
	for prompts := 100; time.Since(begin) < time.Minute; prompts *= 2 {
		body := `{"prompt":[` + strings.Repeat(`"The ",`, prompts-1) + `"x"],"max_tokens":120,"temperature":1,"ignore_eos":true}`
		asked := time.Now()
		if status, answer := send(t, url+"/v1/completions", body); status != 200 {
			t.Fatalf("status %d: %.200s", status, answer)
		}
		if time.Since(asked) > 200*time.Millisecond {
			return
		}
	}
	t.Skip("no answer took long enough")
}

func TestLoadOverHTTP(t *testing.T) {
	var opened []*lmtest.Tensors
	s, url := start(t, lm.ServerOptions{Open: func(dir string) (map[string][]byte, mergesearch.Tensors, error) {
		files, tensors, err := lmtest.Open(dir)
		if err == nil {
			opened = append(opened, tensors)
		}
		return files, tensors, err
	}})
	dir := func(name string) string { return filepath.Join(familyDir, "models", name) }
	for _, name := range []string{"expert-atlas", "expert-reverse"} {
		var loaded struct {
			Name, Fingerprint string
			Seconds           float64
		}
		if status := post(t, url+"/v1/mergesearch/load", fmt.Sprintf(`{"name":"c","dir":%q}`, dir(name)), &loaded); status != 200 || loaded.Name != "c" {
			t.Fatalf("load %s: status %d, %+v", name, status, loaded)
		}
		var c completion
		post(t, url+"/v1/completions", `{"model":"c","prompt":"x","max_tokens":1}`, &c)
		if c.SystemFingerprint != loaded.Fingerprint || loaded.Fingerprint != opened[len(opened)-1].Digest() {
			t.Errorf("%s: fingerprint %q, answered by %q", name, loaded.Fingerprint, c.SystemFingerprint)
		}
	}
	if opened[0].Released() != 1 || opened[1].Released() != 0 {
		t.Errorf("released %d and %d times", opened[0].Released(), opened[1].Released())
	}
	var c completion
	for body, want := range map[string]int{`{"name":"c"}`: 400, `{"name":"c","dir":"/nowhere"}`: 400, `{"name":5}`: 400} {
		if status := post(t, url+"/v1/mergesearch/load", body, &c); status != want {
			t.Errorf("load %s: status %d, want %d", body, status, want)
		}
	}
	resp, err := http.Post(url+"/v1/mergesearch/unload", "text/plain", strings.NewReader(`{"name":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 415 {
		t.Errorf("unload as plain text: %s", resp.Status)
	}
	for _, want := range []int{200, 404} {
		if status := post(t, url+"/v1/mergesearch/unload", `{"name":"c"}`, &c); status != want {
			t.Errorf("unload: status %d, want %d", status, want)
		}
	}
	if opened[1].Released() != 1 {
		t.Errorf("released %d times after unload", opened[1].Released())
	}
	var stats struct{ Requests int64 }
	if get(t, url+"/v1/mergesearch/stats", &stats); stats.Requests != 2 || s.Requests() != 2 {
		t.Errorf("stats %+v, %d requests", stats, s.Requests())
	}
}

func TestAddTwice(t *testing.T) {
	s, _ := start(t, lm.ServerOptions{})
	m := family(t, "base")
	if err := s.Add("m", m); err == nil {
		t.Error("a name was taken twice")
	}
	if err := s.Add("", m); err == nil {
		t.Error("a model without a name was added")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Add("n", m); err == nil {
		t.Error("a model was added to a closed server")
	}
}

// TestNotANumber: a model with NaN answers with an error of its own.
func TestNotANumber(t *testing.T) {
	files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
	if err != nil {
		t.Fatal(err)
	}
	norm := tensors.All["model.norm.weight"]
	norm.Data = bytes.Repeat([]byte{0xc0, 0x7f}, len(norm.Data)/2)
	tensors.All[norm.Name] = norm
	m, err := lm.Load(files, tensors)
	if err != nil {
		t.Fatal(err)
	}
	s, url := start(t, lm.ServerOptions{})
	if err := s.Add("nan", m); err != nil {
		t.Fatal(err)
	}
	var c completion
	if status := post(t, url+"/v1/completions", `{"model":"nan","prompt":["x","y"],"max_tokens":3}`, &c); status != 422 || c.Error.Code != "not_a_number" {
		t.Errorf("status %d, %+v", status, c.Error)
	}
	var numeric *lm.NumericError
	if _, err := serve(t, m, lm.Options{}).Do(context.Background(), []lm.Request{{Prompt: []int32{1, 5}, PromptLogProbs: true}}); !errors.As(err, &numeric) {
		t.Errorf("error %v", err)
	}
}
