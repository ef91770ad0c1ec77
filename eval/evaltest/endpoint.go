package evaltest

import (
	"context"
	"fmt"

	"mergesearch"
	"mergesearch/eval"
)

// Endpoint returns the server as an eval.Endpoint. It serves the candidate whose
// fingerprint is that of one of the models.
func (s *Server) Endpoint(models ...Model) eval.Endpoint { return endpoint{s, models} }

type endpoint struct {
	server *Server
	models []Model
}

func (e endpoint) Profile() eval.Profile { return e.server.profile }

func (e endpoint) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	if err := ctx.Err(); err != nil {
		return eval.Session{}, err
	}
	for _, m := range e.models {
		if m.Fingerprint != c.Fingerprint {
			continue
		}
		name := fmt.Sprintf("%s-%d", c.ID, e.server.serial.Add(1))
		e.server.set(name, m)
		s := eval.Session{
			BaseURL: e.server.URL + "/v1", Model: name, Tokenizer: Tokenizer{},
			Close: func() { e.server.remove(name) },
		}
		if e.server.profile.Fingerprint {
			s.Fingerprint = c.Fingerprint
		}
		return s, nil
	}
	return eval.Session{}, fmt.Errorf("no model has the fingerprint %s", c.Fingerprint)
}

// Candidate returns a candidate that is the given model.
func Candidate(index int, m Model) mergesearch.Candidate {
	return mergesearch.Candidate{
		ID: mergesearch.CandidateOf(index), Fingerprint: m.Fingerprint,
		Files: map[string][]byte{"tokenizer.json": TokenizerJSON},
	}
}
