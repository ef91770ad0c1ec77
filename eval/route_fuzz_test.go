package eval

import (
	"errors"
	"testing"
)

// FuzzRoutes feeds arbitrary responses to every route: each is refused, or gives
// numbers that can be log-likelihoods, one for each sequence. What is cut off is
// never taken for an answer.
func FuzzRoutes(f *testing.F) {
	for _, text := range []string{
		echoResponse,
		`{"choices":[{"index":0,"text":"x","finish_reason":"length","prompt_logprobs":[null,{"2":{"logprob":-1.5,"rank":1,"decoded_token":"a"}},{"3":{"logprob":-0.5,"rank":3},"9":{"logprob":-0.1,"rank":1}}]}],"usage":{"prompt_tokens":3}}`,
		`{"choices":[{"text":"x","logprobs":{"tokens":["token_id:3"],"token_logprobs":[-0.1],"top_logprobs":[{"token_id:3":-0.1,"token_id:2":-3}]},"index":0,"finish_reason":"length"}]}`,
		`{"text":"x","meta_info":{"prompt_tokens":3,"weight_version":"v","input_token_logprobs":[[null,1,null],[-1.5,2,"a"],[-0.5,3,null]],"input_top_logprobs":[null,[[-1.5,2,"a"]],[[-0.1,9,null]]]}}`,
		`{"content":"x","tokens_evaluated":2,"truncated":false,"completion_probabilities":[{"id":3,"token":"a","logprob":-0.5,"top_logprobs":[{"id":9,"logprob":-0.1}]}]}`,
		`{"choices":[{"index":0,"message":{"role":"assistant","content":"\u00e9"},"finish_reason":"stop"}],"usage":{"completion_tokens":1}}`,
	} {
		f.Add([]byte(text))
	}
	ids := []int32{1, 2, 3}
	seqs := []sequence{{ids: ids, ctx: 1}}
	p := Profile{TokenPrompts: true, LabelLogprobs: true}
	var named []candidateToken
	requests := []request{
		echoRoute{}.requests(seqs, true, p)[0],
		promptLogprobsRoute{}.requests(seqs, true, p)[0],
		labelsRoute{}.requests([]sequence{{ids: []int32{1, 2}, ctx: 1}, {ids: []int32{1, 3}, ctx: 1}}, true, p)[0],
		inputLogprobsRoute{}.requests(seqs, true, p)[0],
		forcedRoute{}.requests([]sequence{{ids: ids, ctx: 2}}, true, p)[0],
		{via: namedTop{to: &named}},
		{via: listed{to: &named}},
		{via: textRoute{}, drawn: drawing{until: []string{"x"}}},
		{via: chatRoute{}},
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for i := range requests {
			r := &requests[i]
			got, err := decode(text, r)
			if err != nil {
				continue
			}
			if len(got.parts) != max(1, len(r.seqs)) {
				t.Fatalf("%T: %d parts for %d sequences", r.via, len(got.parts), len(r.seqs))
			}
			for _, part := range got.parts {
				if x := part.logprob; x != x || x > 3*positive || x < 3*floor {
					t.Errorf("%T: log-likelihood %v", r.via, x)
				}
			}
			if again, err := decode(text, r); err != nil || again.parts[0].logprob != got.parts[0].logprob {
				t.Errorf("%T: %v, then %v, %v", r.via, got, again, err)
			}
			var broken *malformed
			if _, err := decode(text[:len(text)-1], r); err == nil && text[len(text)-1] == '}' || errors.As(err, &broken) {
				t.Errorf("%T: without its last byte: %v", r.via, err)
			}
		}
	})
}
