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
	text    string
	version string // of the weights, where the server says so
}

// openAIReply is the response of /v1/completions, in the shapes that servers give
// it: token_logprobs, or content as in chats.
type openAIReply struct {
	Choices []struct {
		Text     string `json:"text"`
		Logprobs *struct {
			Tokens  []string   `json:"tokens"`
			Values  []*float64 `json:"token_logprobs"`
			Content []struct {
				Token string   `json:"token"`
				Value *float64 `json:"logprob"`
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
	}
	for _, t := range c.Logprobs.Content {
		r.values, r.tokens = append(r.values, number(t.Value)), append(r.tokens, t.Token)
	}
	return r, nil
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
		Version string          `json:"weight_version"`
		Input   []sglangLogprob `json:"input_token_logprobs"`
		Output  []sglangLogprob `json:"output_token_logprobs"`
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
	for _, l := range s.Meta.Output {
		r.values, r.tokens = append(r.values, l.value), append(r.tokens, l.token)
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
	} `json:"completion_probabilities"`
}

func (l llamaReply) reply() reply {
	r := reply{text: l.Content}
	for _, t := range l.Probs {
		r.values, r.tokens = append(r.values, number(t.Value)), append(r.tokens, fmt.Sprintf("%d %s", t.ID, t.Token))
	}
	return r
}
