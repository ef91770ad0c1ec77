package eval

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const echoResponse = `{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","system_fingerprint":"f",
"choices":[{"index":1,"text":"b","finish_reason":"length","logprobs":{"tokens":["a"],"token_logprobs":[null,-1.23456789012345],"top_logprobs":[null,{"a":-1.2,"b":-0.5}],"text_offset":[0,1]}},
{"index":0,"text":"\u00e9\n","finish_reason":"stop","logprobs":{"token_logprobs":[null,-2e-3],"top_logprobs":null}}],
"usage":{"prompt_tokens":4,"completion_tokens":0}}`

func TestDecodeCompletion(t *testing.T) {
	got, err := decodeCompletion([]byte(echoResponse), 2, true)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	want := &completion{fingerprint: "f", model: "m", promptTokens: 4, choices: []choice{
		{text: "é\n", finish: "stop", logprobs: []float64{nan, -2e-3}},
		{text: "b", finish: "length", logprobs: []float64{nan, -1.23456789012345}, best: []float64{nan, -0.5}},
	}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(completion{}, choice{}), cmpopts.EquateNaNs()); d != "" {
		t.Error(d)
	}
}

// Whatever is cut off is told from whatever is wrong: the one is retried.
func TestDecodeTruncated(t *testing.T) {
	for n := range len(echoResponse) - 1 {
		_, err := decodeCompletion([]byte(echoResponse[:n]), 2, n%2 == 0)
		var final *malformed
		if err == nil || errors.As(err, &final) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

// Python writes what JSON has not: NaN is an error, minus infinity is the floor.
func TestContinuation(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		choice
		ctx, n int
		zero   bool
		want   likelihood
		fails  bool
	}{
		"sum":             {choice{logprobs: []float64{nan, -1, -2, -4}}, 2, 4, true, likelihood{logprob: -6}, false},
		"last dropped":    {choice{logprobs: []float64{nan, -1, -2, -4}}, 1, 3, false, likelihood{logprob: -3}, false},
		"last not there":  {choice{logprobs: []float64{nan, -1, -2}}, 1, 3, false, likelihood{logprob: -3}, false},
		"infinity":        {choice{logprobs: []float64{nan, -1, math.Inf(-1)}}, 1, 3, true, likelihood{logprob: -1 + floor}, false},
		"first is given":  {choice{logprobs: []float64{-5, -1}}, 1, 2, true, likelihood{logprob: -1}, false},
		"one too many":    {choice{logprobs: []float64{nan, -1, -2}}, 1, 2, true, likelihood{}, true},
		"null inside":     {choice{logprobs: []float64{nan, nan, -2}}, 2, 3, true, likelihood{}, true},
		"infinite gain":   {choice{logprobs: []float64{nan, math.Inf(1)}}, 1, 2, true, likelihood{}, true},
		"no logprobs":     {choice{}, 1, 2, true, likelihood{}, true},
		"rounding":        {choice{logprobs: []float64{nan, 1e-7}}, 1, 2, true, likelihood{logprob: 1e-7}, false},
		"several too few": {choice{logprobs: []float64{nan}}, 1, 3, false, likelihood{}, true},
	} {
		got, err := c.continuation(c.ctx, c.n, c.zero, false)
		if (err != nil) != c.fails || !c.fails && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	greedy := choice{logprobs: []float64{nan, -1, -2}, best: []float64{nan, -1, -2}}
	if got, err := greedy.continuation(1, 3, true, true); err != nil || !got.greedy {
		t.Errorf("a tie counts as greedy: %+v, %v", got, err)
	}
	greedy.best[2] = -1.5
	if got, err := greedy.continuation(1, 3, true, true); err != nil || got.greedy {
		t.Errorf("%+v, %v", got, err)
	}
	greedy.best = greedy.best[:2]
	if _, err := greedy.continuation(1, 3, true, true); err == nil {
		t.Error("top_logprobs of another length were taken")
	}
}

// FuzzDecode holds the decoder to encoding/json: what both read, they read alike,
// and what ours reads is JSON but for Python's words for numbers.
func FuzzDecode(f *testing.F) {
	f.Add(echoResponse)
	f.Add(`{"choices":[{"index":0,"text":null,"finish_reason":"stop"}],"usage":null}`)
	f.Add(`{"choices":[{"index":0,"text":"a\ud83d\ude00","finish_reason":"stop","logprobs":{"token_logprobs":[NaN,-Infinity]}}]}`)
	f.Add(`{"choices":[{"index":0,"finish_reason":"stop","logprobs":{"content":[]}}]}`)
	f.Add(`{"choices":[{"index":0,"te\u0078t":"a","finish_reason":"stop"}]}`)
	f.Add("{\"choices\":[{\"index\":0,\"text\":\"\xff\xfe\",\"finish_reason\":\"stop\"}]}")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := decodeCompletion([]byte(text), 1, true)
		if err != nil {
			return
		}
		var slow struct {
			Fingerprint string `json:"system_fingerprint"`
			Choices     []struct {
				Text     string
				Finish   string `json:"finish_reason"`
				Logprobs *struct {
					Values []*float64 `json:"token_logprobs"`
				}
			}
		}
		if json.Unmarshal([]byte(text), &slow) != nil || len(slow.Choices) != 1 {
			return // Python's numbers, keys twice, or keys in another case
		}
		if slow.Choices[0].Text != got.choices[0].text && once(text, "text") {
			t.Errorf("text %q, encoding/json reads %q", got.choices[0].text, slow.Choices[0].Text)
		}
		if l := slow.Choices[0].Logprobs; l != nil && once(text, "token_logprobs") && once(text, "logprobs") {
			if len(l.Values) != len(got.choices[0].logprobs) {
				t.Fatalf("%d log-probabilities, encoding/json reads %d", len(got.choices[0].logprobs), len(l.Values))
			}
			for i, x := range l.Values {
				if y := got.choices[0].logprobs[i]; x == nil && !math.IsNaN(y) || x != nil && *x != y {
					t.Errorf("log-probability %d is %v", i, y)
				}
			}
		}
	})
}

// once reports whether a key occurs exactly once, as itself: encoding/json also
// takes keys in another case or with escapes, ours does not.
func once(text, key string) bool {
	n := 0
	d := json.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return n == 1 && strings.Contains(text, `"`+key+`"`)
		}
		if s, ok := token.(string); ok && strings.EqualFold(s, key) {
			n++
			if s != key {
				return false
			}
		}
	}
}
