package evaltest_test

import (
	"testing"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// The test server is itself an endpoint, so the suite can be run on it.
func TestServerIsAnEndpoint(t *testing.T) {
	a := evaltest.Model{Seed: 1, Fingerprint: "a", Answers: map[string]string{"10+20=": "30"}}
	b := evaltest.Model{Seed: 2, Fingerprint: "b"}
	evaltest.TestEndpoint(t, evaltest.Suite{
		Open:       func(t testing.TB) eval.Endpoint { return evaltest.NewServer(t, evaltest.Full, nil).Endpoint(a, b) },
		Candidates: []mergesearch.Candidate{evaltest.Candidate(0, a), evaltest.Candidate(1, b)},
	})
}
