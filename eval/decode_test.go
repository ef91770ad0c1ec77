package eval

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const echoResponse = `{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","system_fingerprint":"f",
"choices":[{"index":1,"text":"b","finish_reason":"length","logprobs":{"tokens":["a"],"token_logprobs":[null,-1.23456789012345],"top_logprobs":[null,{"a":-1.2,"b":-0.5}],"text_offset":[0,1]}},
{"index":0,"text":"\u00e9\n","finish_reason":"stop","logprobs":{"token_logprobs":[null,-2e-3],"top_logprobs":null}}],
"usage":{"prompt_tokens":4,"completion_tokens":0}}`

// echoRequest asks for the log-probabilities of sequences of n tokens from ctx on.
func echoRequest(greedy, zero bool, ctxAndN ...int) *request {
	r := &request{via: echoRoute{}, greedy: greedy, zero: zero, probe: true}
	for i := 0; i < len(ctxAndN); i += 2 {
		r.seqs = append(r.seqs, sequence{ids: make([]int32, ctxAndN[i+1]), ctx: ctxAndN[i]})
	}
	return r
}

func TestDecodeEcho(t *testing.T) {
	got, err := decode([]byte(echoResponse), echoRequest(false, true, 1, 2, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	want := &reply{fingerprint: "f", model: "m", promptTokens: 4, completionTokens: 0, parts: []part{
		{likelihood: likelihood{logprob: -2e-3}, written: written{finish: "stop"}, taken: true, values: []float64{-2e-3}},
		{likelihood: likelihood{logprob: -1.23456789012345}, written: written{finish: "length"}, taken: true, values: []float64{-1.23456789012345}},
	}}
	all := cmp.AllowUnexported(reply{}, part{}, likelihood{}, written{})
	if d := cmp.Diff(want, got, all); d != "" {
		t.Error(d)
	}
	one := strings.Replace(echoResponse, `"top_logprobs":null`, `"top_logprobs":[null,{"x":-0.002}]`, 1)
	if got, err = decode([]byte(one), echoRequest(true, true, 1, 2, 1, 2)); err != nil || !got.parts[0].greedy || got.parts[1].greedy {
		t.Errorf("%+v, %v; want the first greedy", got, err)
	}
	plain, err := decode([]byte(`{"model":"m","choices":[{"text":"\u00e9\n","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"completion_tokens":2}}`), &request{via: textRoute{}})
	if err != nil || plain.parts[0].written != (written{"\u00e9\n", "stop", 2, -1}) {
		t.Errorf("%+v, %v", plain, err)
	}
}

// Whatever is cut off is told from whatever is wrong: the one is retried.
func TestDecodeTruncated(t *testing.T) {
	for n := range len(echoResponse) - 1 {
		_, err := decode([]byte(echoResponse[:n]), echoRequest(false, true, 1, 2, 1, 2))
		var final *malformed
		if err == nil || errors.As(err, &final) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

// echoOf is a response with the given values for the tokens.
func echoOf(values, tops string) []byte {
	return []byte(`{"choices":[{"index":0,"finish_reason":"length","logprobs":{"top_logprobs":` + tops + `,"token_logprobs":` + values + `}}]}`)
}

// Python writes what JSON has not: NaN is an error, minus infinity is the floor.
func TestEchoSums(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		ctx, n int
		zero   bool
		want   float64
		fails  bool
	}{
		"sum":               {"[null,-1,-2,-4]", 2, 4, true, -6, false},
		"last dropped":      {"[null,-1,-2,-4]", 1, 3, false, -3, false},
		"last not there":    {"[null,-1,-2]", 1, 3, false, -3, false},
		"infinity":          {"[null,-1,-Infinity]", 1, 3, true, -1 + floor, false},
		"first is given":    {"[-5,-1]", 1, 2, true, -1, false},
		"first is positive": {"[5,-1]", 1, 2, true, -1, false},
		"one too many":      {"[null,-1,-2]", 1, 2, true, 0, true},
		"null inside":       {"[null,null,-2]", 2, 3, true, 0, true},
		"NaN inside":        {"[null,NaN,-2]", 2, 3, true, 0, true},
		"NaN":               {"[null,-2,NaN]", 2, 3, true, 0, true},
		"infinite gain":     {"[null,Infinity]", 1, 2, true, 0, true},
		"gain inside":       {"[null,0.5,-1]", 2, 3, true, 0, true},
		"zero inside":       {"[null,0.0,-0.0,-1]", 3, 4, true, -1, false},
		"no logprobs":       {"null", 1, 2, true, 0, true},
		"rounding":          {"[null,1e-7]", 1, 2, true, 1e-7, false},
		"several too few":   {"[null]", 1, 3, false, 0, true},
		"none":              {"[]", 1, 3, false, 0, true},
	} {
		got, err := decode(echoOf(c.values, "null"), echoRequest(false, c.zero, c.ctx, c.n))
		if (err != nil) != c.fails || !c.fails && got.parts[0].logprob != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for tops, want := range map[string]int{
		`[null,{"a":-1},{"b":-2}]`:            1, // a tie counts as greedy
		`[null,{"a":-1},{"b":-1.5,"c":-2}]`:   0,
		`[null,{"a":-1},null]`:                0, // nobody knows
		`[null,{"a":-1}]`:                     -1,
		`null`:                                -1,
		`[null,{"}":-1},{"{\"":-2}]`:          1,
		`[null,{"a":-3},{"a":-2},{"b":-0.1}]`: -1,
	} {
		got, err := decode(echoOf("[null,-1,-2]", tops), echoRequest(true, true, 1, 3))
		if (err != nil) != (want < 0) || err == nil && bit(got.parts[0].greedy) != want {
			t.Errorf("%s: %+v, %v", tops, got, err)
		}
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
		var slow struct {
			Choices []struct {
				Text     string
				Logprobs *struct {
					Values []*float64 `json:"token_logprobs"`
				}
			}
		}
		clean := json.Unmarshal([]byte(text), &slow) == nil && len(slow.Choices) == 1 // not Python's numbers, or keys in another case
		if got, err := decode([]byte(text), &request{via: textRoute{}}); err == nil && clean && once(text, "text") && slow.Choices[0].Text != got.parts[0].text {
			t.Errorf("text %q, encoding/json reads %q", got.parts[0].text, slow.Choices[0].Text)
		}
		for _, n := range []int{2, 3} {
			got, err := decode([]byte(text), echoRequest(false, true, 1, n))
			if err != nil || !clean || slow.Choices[0].Logprobs == nil || !once(text, "token_logprobs") || !once(text, "logprobs") {
				continue
			}
			want := slow.Choices[0].Logprobs.Values
			if len(want) != n {
				t.Fatalf("%d log-probabilities for %d tokens were taken", len(want), n)
			}
			for i, x := range want[1:] {
				if x == nil || *x != got.parts[0].values[i] {
					t.Errorf("log-probability %d is %v", i, got.parts[0].values[i])
				}
			}
			late, err := decode([]byte(text), echoRequest(false, true, n-1, n))
			if err != nil || late.parts[0].logprob != max(*want[n-1], floor) {
				t.Errorf("from %d on: %+v, %v", n-1, late, err)
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
