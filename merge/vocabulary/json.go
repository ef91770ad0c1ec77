package vocabulary

import (
	"bytes"
	"encoding/json"
	"strings"

	"mergesearch/merge/jsonscan"
)

// scanner adds what files of tokenizers have.
type scanner struct{ jsonscan.Scanner }

// scan reads the part of a text that is at.
func scan(text string, at span) *scanner {
	return &scanner{jsonscan.Scanner{Source: text[:at.End], At: at.Begin}}
}

type span = jsonscan.Span

// id reads a whole number from 0 to maxID.
func (s *scanner) id() (int32, error) {
	n, err := s.Uint()
	if err == nil && n > maxID {
		err = s.Fail("id %d is more than the limit of %d", n, maxID)
	}
	return int32(n), err
}

// member is a key of an object with the place of its value.
type member = jsonscan.Member

// quote writes a string as JSON without escaping what need not be.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("vocabulary: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
