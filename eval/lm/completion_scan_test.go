package lm

import (
	"reflect"
	"testing"
)

var plainSeeds = []string{
	`{"model":"m","prompt":[1,2,30],"max_tokens":8,"stop":["\n","a\\b\"c"],"temperature":0,"top_p":1,"n":1,"presence_penalty":0,"frequency_penalty":0,"seed":1234,"stream":false,"top_k":-1,"min_p":0,"repetition_penalty":1}`,
	`{"model":"m","prompt":[[1,5],[1,6,7]],"max_tokens":0,"echo":true,"logprobs":0,"temperature":0}`,
	` { "prompt" : "79+75=é" , "temperature":0.25, "top_p":-0.5,"seed":-0, "stop":"x\/\t" } `,
	`{"add_special_tokens":false,"ignore_eos":true,"return_tokens_as_token_ids":true,"best_of":1,"min_p":-0,"prompt":[0]}`,
}

var otherSeeds = []string{
	`{}`, `null`, `[]`, ``, `{`, `{"prompt":"a"}x`, `{"prompt":"a",}`, `{"prompt":"a","prompt":"b"}`, `{"PROMPT":"x"}`,
	`{"prompt":[1,2.0]}`, `{"prompt":[01]}`, `{"prompt":[1,]}`, `{"prompt":[]}`, `{"prompt":[[]]}`, `{"prompt":[[1],2]}`,
	`{"prompt":[1234567890]}`, `{"prompt":[99999999999]}`, `{"prompt":["a"]}`, `{"prompt":[- 1]}`, `{"prompt":[-]}`,
	`{"temperature":1e3}`, `{"temperature":.5}`, `{"temperature":5.}`, `{"temperature":- 1}`, `{"temperature":00}`,
	`{"max_tokens":1.0}`, `{"max_tokens":null}`, `{"max_tokens":"1"}`, `{"max_tokens":1e2}`, `{"echo":truer}`,
	"{\"prompt\":\"\xff\"}", "{\"stop\":\"\\n\xff\"}", "{\"prompt\":\"a\nb\"}", `{"prompt":"\u00e9"}`, `{"prompt":"\`,
	`{"unknown":1}`, `{"stop":[]}`, `{"stop":"a`, `{"stop":"\n`, `{"seed":`, `{"prompt":[1 2]}`,
}

// The plain reading takes what the evaluator sends, and leaves everything that is not plain.
func TestScanCompletionAcceptance(t *testing.T) {
	for _, body := range plainSeeds {
		if !scanCompletion([]byte(body), new(completionRequest)) {
			t.Errorf("not read: %s", body)
		}
		samePlain(t, []byte(body))
	}
	for _, body := range otherSeeds {
		if scanCompletion([]byte(body), new(completionRequest)) {
			t.Errorf("read: %s", body)
		}
		samePlain(t, []byte(body))
	}
}

// samePlain holds both ways of reading to the same result.
func samePlain(t *testing.T, body []byte) {
	t.Helper()
	var fast, slow, both completionRequest
	read := scanCompletion(body, &fast)
	err := decodeJSON(body, &slow)
	if read && (err != nil || !reflect.DeepEqual(fast, slow)) {
		t.Fatalf("%q is %+v, by encoding/json %+v, %v", body, fast, slow, err)
	}
	again := decodeBody(body, &both)
	if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() || !reflect.DeepEqual(both, slow) {
		t.Fatalf("%q: %v, by encoding/json %v", body, again, err)
	}
}

// FuzzScanCompletion: what the plain reading accepts, encoding/json reads alike.
func FuzzScanCompletion(f *testing.F) {
	for _, body := range append(plainSeeds, otherSeeds...) {
		f.Add([]byte(body))
	}
	f.Fuzz(samePlain)
}
