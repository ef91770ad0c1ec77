package eval

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// malformed is a response that is well-formed JSON and not what was asked for: no
// retry will mend it.
type malformed struct{ problem string }

func (m *malformed) Error() string { return "unusable response: " + m.problem }

func unusable(format string, args ...any) error { return &malformed{fmt.Sprintf(format, args...)} }

// scanners are kept with their scratch memory.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// decode reads the response to a request. A text that is not JSON, or is cut off,
// gives an ordinary error, which is worth a retry; a *malformed is not.
func decode(text []byte, r *request) (*reply, error) {
	s := scanners.Get().(*scanner)
	s.text, s.at = text, 0
	defer func() {
		s.text = nil
		scanners.Put(s)
	}()
	out := &reply{promptTokens: -1, completionTokens: -1, parts: make([]part, max(1, len(r.seqs)))}
	err := r.via.read(s, r, out)
	if err == nil && s.next() != 0 {
		err = errors.New("something follows the JSON object")
	}
	if err != nil {
		return nil, err
	}
	if r.seqs == nil {
		out.parts[0].prompt = out.promptTokens
	}
	return out, r.counted(out)
}

// counted refuses a server that counts other tokens than were sent: it adds some,
// or cuts the prompt.
func (r *request) counted(out *reply) error {
	if want := r.prompt; want > 0 && out.promptTokens >= 0 && out.promptTokens != want {
		return unusable("the server counts %d prompt tokens, %d were sent: it adds or drops some", out.promptTokens, want)
	}
	return nil
}

// completion reads a response of the completions protocol. What a route wants of a
// choice it reads in field, which is called once per key when the choice's index
// is known and reports whether it read the value; done is called after each
// choice. Choices may come in any order, and so may their keys.
func (s *scanner) completion(r *request, out *reply, field func(key []byte, i int) (bool, error), done func(i int) error) error {
	filled := 0
	err := s.object(func(key []byte) error {
		var err error
		switch string(key) {
		case "choices":
			err = s.array(func() error {
				filled++
				return s.choice(out.parts, field, done)
			})
		case "usage":
			err = s.usage(out)
		case "system_fingerprint":
			out.fingerprint, err = s.str()
		case "metadata": // of SGLang
			err = s.weightVersion(out)
		case "model":
			out.model, err = s.str()
		default:
			err = s.skip()
		}
		return err
	})
	if err == nil && filled != len(out.parts) && s.next() == 0 {
		err = unusable("%d choices for %d prompts", filled, len(out.parts))
	}
	return err
}

// choice reads one element of choices into its place. Values that come before the
// index are passed over and read when it is known.
func (s *scanner) choice(parts []part, field func(key []byte, i int) (bool, error), done func(i int) error) error {
	at, index, finish := -1, -1.0, ""
	type early struct {
		key []byte
		at  int
	}
	var waiting [8]early
	waits := 0
	place := func() error {
		at = int(index)
		switch {
		case at < 0 || at >= len(parts) || float64(at) != index:
			return unusable("a choice with index %v among %d", index, len(parts))
		case parts[at].finish != "":
			return unusable("choice %d comes twice", at)
		}
		return nil
	}
	err := s.object(func(key []byte) (err error) {
		switch string(key) {
		case "index":
			if index, err = s.number(); err == nil {
				err = place()
			}
			return err
		case "finish_reason":
			finish, err = s.finish()
			return err
		}
		if at < 0 {
			if waits < len(waiting) {
				waiting[waits] = early{key, s.at}
				waits++
			}
			return s.skip()
		}
		taken, err := field(key, at)
		if err == nil && !taken {
			err = s.passOver(key)
		}
		return err
	})
	if err != nil {
		return err
	}
	if at < 0 {
		return place()
	}
	end := s.at
	for _, w := range waiting[:waits] {
		s.at = w.at
		taken, err := field(w.key, at)
		if err == nil && !taken {
			err = s.passOver(w.key)
		}
		if err != nil {
			return err
		}
	}
	s.at = end
	if finish == "" {
		return unusable("choice %d has no finish_reason", at)
	}
	parts[at].finish = finish
	return done(at)
}

// passOver skips a field of a choice that the route does not know.
func (s *scanner) passOver(key []byte) error {
	if string(key) == "message" {
		return unusable("it is a chat completion")
	}
	return s.skip()
}

// finish reads a finish_reason without making a new string of the usual ones.
func (s *scanner) finish() (string, error) {
	for _, usual := range [...]string{`"length"`, `"stop"`} {
		if s.word(usual) {
			return usual[1 : len(usual)-1], nil
		}
	}
	return s.str()
}

func (s *scanner) weightVersion(out *reply) error {
	if s.next() != '{' {
		return s.skip()
	}
	return s.object(func(key []byte) (err error) {
		if string(key) == "weight_version" && s.next() == '"' {
			out.fingerprint, err = s.str()
			return err
		}
		return s.skip()
	})
}

func (s *scanner) usage(out *reply) error {
	if s.null() {
		return nil
	}
	return s.object(func(key []byte) error {
		var to *int
		switch string(key) {
		case "prompt_tokens":
			to = &out.promptTokens
		case "completion_tokens":
			to = &out.completionTokens
		default:
			return s.skip()
		}
		return s.count(to)
	})
}

// count reads a number of tokens; null leaves it as it is.
func (s *scanner) count(to *int) error {
	x, err := s.number()
	if err == nil && x >= 0 && x < 1<<31 {
		*to = int(x)
	}
	return err
}

// tokenID reads an id from "token_id:17" or "17".
func tokenID(name []byte) (int32, bool) {
	name = bytes.TrimPrefix(name, []byte("token_id:"))
	if len(name) == 0 || len(name) > 9 {
		return 0, false
	}
	var id int32
	for _, c := range name {
		if c-'0' > 9 {
			return 0, false
		}
		id = 10*id + int32(c-'0')
	}
	return id, true
}

// tokenNames checks a list of tokens that are named by id against a sequence. Text
// for tokens proves nothing and is passed over.
func (s *scanner) tokenNames(q *sequence) error {
	if s.next() != '[' {
		return s.skip()
	}
	i := 0
	return s.array(func() error {
		if s.next() != '"' {
			i++
			return s.skip()
		}
		name, err := s.raw()
		if err != nil {
			return err
		}
		if id, ok := tokenID(name); ok && strings.HasPrefix(string(name), "token_id:") && i < len(q.ids) && id != q.ids[i] {
			return unusable("token %d of the prompt is said to be %d, %d was sent", i, id, q.ids[i])
		}
		i++
		return nil
	})
}
