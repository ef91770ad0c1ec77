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

// firstSeed is the seed of an item's first completion; the next ones count up.
const firstSeed = 1234

// drawing says how a completion is drawn.
type drawing struct {
	until       []string // stop strings
	maxTokens   int
	temperature float64 // 0: greedy
	topP        float64 // share of the probability that is drawn from; 0: all of it
	seed        int
}

var greedily = drawing{seed: firstSeed}

// appendSampling ends a request of the completions protocol.
func appendSampling(b []byte, d drawing, p Profile) []byte {
	b = append(b, `,"temperature":`...)
	b = strconv.AppendFloat(b, d.temperature, 'g', -1, 64)
	b = append(b, `,"top_p":`...)
	if d.topP == 0 {
		d.topP = 1
	}
	b = strconv.AppendFloat(b, d.topP, 'g', -1, 64)
	b = append(b, `,"n":1,"presence_penalty":0,"frequency_penalty":0,"seed":`...)
	b = strconv.AppendInt(b, int64(d.seed), 10)
	b = append(b, `,"stream":false`...)
	if p.ExtraSampling {
		b = append(b, `,"top_k":-1,"min_p":0,"repetition_penalty":1`...)
	}
	return append(b, '}')
}

// appendPrompts writes one list of ids, or a list of such lists.
func appendPrompts(b []byte, seqs []sequence) []byte {
	if len(seqs) == 1 {
		return appendIDs(b, seqs[0].ids)
	}
	for i, s := range seqs {
		b = appendIDs(append(b, "[,"[min(i, 1)]), s.ids)
	}
	return append(b, ']')
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

// mostPrompts is how many prompts one request holds at most: one bad prompt fails
// all of its request, and servers limit the list.
const mostPrompts = 64

// batches cuts sequences into groups for one request each.
func batches(seqs []sequence, p Profile, each func([]sequence)) {
	size := 1
	if p.ManyPrompts {
		size = mostPrompts
	}
	for len(seqs) > 0 {
		n := min(size, len(seqs))
		each(seqs[:n])
		seqs = seqs[n:]
	}
}
