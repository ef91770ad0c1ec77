package eval

import (
	"encoding/json"
	"os"
	"testing"
)

// Responses that OpenAI's ada gave in 2021, as lm-evaluation-harness recorded them
// (tests/testdata of 0.3, MIT licence; texts are left out here), give the sums and
// the greedy flags that the harness computes, to the last bit. Seven of the sums
// are also published in its tests.
func TestRecordedResponses(t *testing.T) {
	text, err := os.ReadFile("testdata/ada.json")
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Tokens, Context int
		Logprob         float64
		Greedy          bool
	}
	var golden struct {
		Sequences []answer
		Response  json.RawMessage
		Rolling   answer
		Whole     json.RawMessage `json:"rolling_response"`
	}
	if err := json.Unmarshal(text, &golden); err != nil || len(golden.Sequences) != 13 {
		t.Fatalf("%d sequences, %v", len(golden.Sequences), err)
	}
	for _, c := range []struct {
		want     []answer
		response []byte
	}{{golden.Sequences, golden.Response}, {[]answer{golden.Rolling}, golden.Whole}} {
		r := &request{via: echoRoute{}, greedy: true, zero: true}
		for _, q := range c.want {
			r.seqs = append(r.seqs, sequence{ids: make([]int32, q.Tokens), ctx: q.Context})
		}
		got, err := decode(c.response, r)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range c.want {
			if l := got.parts[i].likelihood; l.logprob != q.Logprob || l.greedy != q.Greedy {
				t.Errorf("sequence %d: %+v, want %v, %v", i, l, q.Logprob, q.Greedy)
			}
		}
	}
	published := map[int]float64{5: -34.848301606999996, 6: -47.148329679999996, 7: -45.44380149599999, 8: -5.285246016, 9: -133.97821690686004, 10: -321.2616693239001, 11: -658.0299524401041}
	for i, want := range published {
		if golden.Sequences[i].Logprob != want {
			t.Errorf("sequence %d: %v, published %v", i, golden.Sequences[i].Logprob, want)
		}
	}
}
