package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// reply is a server's answer to one prompt of the canary.
type reply struct {
	prompt  []float64 // log-probabilities of the prompt's tokens, where the server gives them
	values  []float64 // of the tokens that it wrote
	tokens  []string  // those tokens
	tops    []likely  // at each of them, the likeliest tokens
	text    string
	version string // of the weights, where the server says so
}

// likely holds the likeliest tokens at one position.
type likely map[string]float64

// canaryTops is how many likeliest tokens are asked for; more than that some
// servers refuse.
const canaryTops = 5

// distance returns how far two lists are from each other. A token that one of
// them lacks is less likely there than all that it has.
func (l likely) distance(o likely) float64 {
	d := 0.0
	for _, pair := range [][2]likely{{l, o}, {o, l}} {
		least := math.Inf(1)
		for _, v := range pair[1] {
			least = min(least, v)
		}
		for token, v := range pair[0] {
			if other, both := pair[1][token]; both {
				d = max(d, gap(v, other))
			} else if len(pair[1]) > 0 {
				d = max(d, v-least)
			}
		}
	}
	return d
}

// openAIReply is the response of /v1/completions, in the shapes that servers give
// it: token_logprobs, or content as in chats.
type openAIReply struct {
	Choices []struct {
		Text     string `json:"text"`
		Logprobs *struct {
			Tokens  []string   `json:"tokens"`
			Values  []*float64 `json:"token_logprobs"`
			Tops    []likely   `json:"top_logprobs"`
			Content []struct {
				Token string   `json:"token"`
				Value *float64 `json:"logprob"`
				Tops  tops     `json:"top_logprobs"`
			} `json:"content"`
		} `json:"logprobs"`
	} `json:"choices"`
	Model string `json:"model"`
	Usage struct {
		Prompt int `json:"prompt_tokens"`
	} `json:"usage"`
}

// reply takes the response apart; echo says that the prompt's tokens come first.
func (o openAIReply) reply(echo bool) (reply, error) {
	if len(o.Choices) != 1 {
		return reply{}, fmt.Errorf("%d choices for one prompt", len(o.Choices))
	}
	c := o.Choices[0]
	r := reply{text: c.Text}
	if c.Logprobs == nil {
		return r, nil
	}
	for i, v := range c.Logprobs.Values {
		if i == 0 && echo {
			continue // nothing stands before the first token
		}
		if echo && i < o.Usage.Prompt {
			r.prompt = append(r.prompt, number(v))
			continue
		}
		r.values = append(r.values, number(v))
		if i < len(c.Logprobs.Tokens) {
			r.tokens = append(r.tokens, c.Logprobs.Tokens[i])
		}
		if i < len(c.Logprobs.Tops) {
			r.tops = append(r.tops, c.Logprobs.Tops[i])
		}
	}
	for _, t := range c.Logprobs.Content {
		r.values, r.tokens, r.tops = append(r.values, number(t.Value)), append(r.tokens, t.Token), append(r.tops, t.Tops.likely())
	}
	return r, nil
}

// tops are the likeliest tokens in the shape of chats and of llama-server.
type tops []struct {
	ID    int      `json:"id"`
	Token string   `json:"token"`
	Value *float64 `json:"logprob"`
}

func (t tops) likely() likely {
	out := likely{}
	for _, x := range t {
		out[fmt.Sprintf("%d %s", x.ID, x.Token)] = number(x.Value)
	}
	return out
}

// number returns what null stands for: no number.
func number(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// sglangReply is the response of /generate.
type sglangReply struct {
	Text string `json:"text"`
	Meta struct {
		Version string            `json:"weight_version"`
		Input   []sglangLogprob   `json:"input_token_logprobs"`
		Output  []sglangLogprob   `json:"output_token_logprobs"`
		Tops    [][]sglangLogprob `json:"output_top_logprobs"`
	} `json:"meta_info"`
}

// sglangLogprob is [logprob, token id, text].
type sglangLogprob struct {
	value float64
	token string
}

func (l *sglangLogprob) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return errors.New("a log-probability without its token")
	}
	var v *float64
	if err := json.Unmarshal(parts[0], &v); err != nil {
		return err
	}
	l.value, l.token = number(v), string(parts[1])
	return nil
}

func (s sglangReply) reply() reply {
	r := reply{text: s.Text, version: s.Meta.Version}
	for i, l := range s.Meta.Input {
		if i > 0 {
			r.prompt = append(r.prompt, l.value)
		}
	}
	for i, l := range s.Meta.Output {
		r.values, r.tokens = append(r.values, l.value), append(r.tokens, l.token)
		if i < len(s.Meta.Tops) {
			here := likely{}
			for _, t := range s.Meta.Tops[i] {
				here[t.token] = t.value
			}
			r.tops = append(r.tops, here)
		}
	}
	return r
}

// llamaReply is the response of llama-server's /completion.
type llamaReply struct {
	Content string `json:"content"`
	Model   string `json:"model"`
	Probs   []struct {
		ID    int      `json:"id"`
		Token string   `json:"token"`
		Value *float64 `json:"logprob"`
		Tops  tops     `json:"top_logprobs"`
	} `json:"completion_probabilities"`
}

func (l llamaReply) reply() reply {
	r := reply{text: l.Content}
	for _, t := range l.Probs {
		r.values, r.tokens = append(r.values, number(t.Value)), append(r.tokens, fmt.Sprintf("%d %s", t.ID, t.Token))
		r.tops = append(r.tops, t.Tops.likely())
	}
	return r
}
