package eval

import "strconv"

// chatStops is how many stop strings OpenAI's chat completions take; the others
// are applied to the answer.
const chatStops = 4

// chatRoute asks for the next turn of a conversation. The server applies the model's
// chat template; log-likelihoods cannot be had this way.
type chatRoute struct{}

func chatRequest(turns []turn, d drawing, p Profile) request {
	b := appendJSON([]byte(`"messages":`), turns)
	b = append(b, `,"max_tokens":`...)
	b = strconv.AppendInt(b, int64(d.maxTokens), 10)
	if n := min(len(d.until), chatStops); n > 0 {
		b = appendJSON(append(b, `,"stop":`...), d.until[:n])
	}
	return request{via: chatRoute{}, path: "/chat/completions", tail: appendSampling(b, d, p), drawn: d}
}

func (chatRoute) requests([]sequence, bool, Profile) []request {
	panic("eval: chat scores no sequences")
}

func (chatRoute) read(s *scanner, r *request, out *reply) error {
	err := s.completion(r, out, func(key []byte, i int) (taken bool, err error) {
		if string(key) != "message" {
			return false, nil
		}
		out.parts[i].taken = true
		return true, s.object(func(key []byte) (err error) {
			if string(key) == "content" {
				out.parts[i].text, err = s.str()
				return err
			}
			return s.skip()
		})
	}, func(i int) error {
		if !out.parts[i].taken {
			return unusable("no message in it: it is no chat completion")
		}
		return nil
	})
	if err == nil {
		out.parts[0].cut(r.drawn.until, out.completionTokens)
	}
	return err
}
