package eval

import (
	"encoding/json"
	"strconv"
)

// Requests are written here, byte by byte, since the client library leaves out
// zeros: temperature 0 would become the server's default. Every field that
// decides an answer is explicit, so no server default and no generation_config of
// a merged model can leak in. The model's name comes first and is the only part
// that differs between candidates; what follows it is built once.

// requestHead returns the start of a request's body for a model.
func requestHead(model string) []byte {
	name, _ := json.Marshal(model) // a string cannot fail
	return append(append([]byte(`{"model":`), name...), ',')
}

// generateTail returns the rest of a request for a completion of at most
// maxTokens tokens, greedy, up to the first of the stop strings. The prompt is
// ids, or text when ids is nil.
func generateTail(ids []int32, text string, until []string, maxTokens int, p Profile) []byte {
	b := []byte(`"prompt":`)
	if ids != nil {
		b = appendIDs(b, ids)
	} else {
		b = appendJSON(b, text)
	}
	b = append(b, `,"max_tokens":`...)
	b = strconv.AppendInt(b, int64(maxTokens), 10)
	if len(until) > 0 {
		b = appendJSON(append(b, `,"stop":`...), until)
	}
	return appendSampling(b, p)
}

// scoreTail returns the rest of a request for the log-probabilities of the tokens
// of several prompts; top is 1 when the likeliest token is wanted too, else 0.
func scoreTail(prompts [][]int32, top int, p Profile) []byte {
	b := []byte(`"prompt":`)
	if len(prompts) == 1 {
		b = appendIDs(b, prompts[0])
	} else {
		for i, ids := range prompts {
			b = appendIDs(append(b, "[,"[min(i, 1)]), ids)
		}
		b = append(b, ']')
	}
	b = append(b, `,"max_tokens":`...)
	if p.ZeroTokens {
		b = append(b, '0')
	} else {
		b = append(b, '1')
	}
	b = append(b, `,"echo":true,"logprobs":`...)
	b = strconv.AppendInt(b, int64(top), 10)
	return appendSampling(b, p)
}

// appendSampling ends a request with greedy decoding spelt out.
func appendSampling(b []byte, p Profile) []byte {
	b = append(b, `,"temperature":0,"top_p":1,"n":1,"presence_penalty":0,"frequency_penalty":0,"seed":1234,"stream":false`...)
	if p.ExtraSampling {
		b = append(b, `,"top_k":-1,"min_p":0,"repetition_penalty":1`...)
	}
	return append(b, '}')
}

func appendIDs(b []byte, ids []int32) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(id), 10)
	}
	return append(b, ']')
}

func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic("eval: request field: " + err.Error()) // strings only
	}
	return append(b, text...)
}
