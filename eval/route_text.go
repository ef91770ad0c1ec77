package eval

import (
	"strconv"
	"strings"
)

// textRoute asks for a completion of a prompt, which is ids or text.
type textRoute struct{}

// textRequest asks for at most d.maxTokens tokens after the prompt, which is
// prompt when ids is nil.
func textRequest(ids []int32, prompt string, d drawing, p Profile) request {
	b := []byte(`"prompt":`)
	if ids != nil {
		b = appendIDs(b, ids)
	} else {
		b = appendJSON(b, prompt)
	}
	b = append(b, `,"max_tokens":`...)
	b = strconv.AppendInt(b, int64(d.maxTokens), 10)
	if len(d.until) > 0 {
		b = appendJSON(append(b, `,"stop":`...), d.until)
	}
	return request{via: textRoute{}, path: "/completions", tail: appendSampling(b, d, p), prompt: len(ids), drawn: d}
}

func (textRoute) requests([]sequence, bool, Profile) []request {
	panic("eval: completions score no sequences")
}

func (textRoute) read(s *scanner, r *request, out *reply) error {
	err := s.completion(r, out, func(key []byte, i int) (taken bool, err error) {
		if string(key) == "text" {
			out.parts[i].text, err = s.str()
			return true, err
		}
		return false, nil
	}, func(int) error { return nil })
	if err == nil {
		out.parts[0].cut(r.drawn.until, out.completionTokens)
	}
	return err
}

// cut ends a completion at the first stop string, the way that every server should
// have: some leave the stop string in, and some take only a few of them.
func (p *part) cut(until []string, tokens int) {
	p.tokens = tokens
	end := -1
	for _, stop := range until {
		if i := strings.Index(p.text, stop); i >= 0 && (end < 0 || i < end) {
			end = i
		}
	}
	if end >= 0 {
		p.text, p.finish = p.text[:end], "stop"
	}
}
