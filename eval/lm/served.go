package lm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// served is a model under a name.
type served struct {
	name     string
	model    *Model
	instance *Instance
	since    time.Time
	users    sync.WaitGroup // requests in flight; joined only while the server lists the model
}

// end waits for the requests in flight, then gives everything back.
func (m *served) end() {
	m.users.Wait()
	m.instance.Close()
	m.model.Close()
}

// Add serves a model under a name from now on. The server then owns it: Remove
// and Close close it. The name must be free; on an error the model stays the caller's.
func (s *Server) Add(name string, m *Model) error {
	added := s.newServed(name, m)
	s.mu.Lock()
	_, taken := s.models[name]
	if !taken && !s.closed && name != "" {
		s.models[name] = added
	}
	closed := s.closed
	s.mu.Unlock()
	switch {
	case name == "":
		added.instance.Close()
		return fmt.Errorf("serving a model: it needs a name")
	case closed:
		added.instance.Close()
		return fmt.Errorf("serving %s: the server is closed", name)
	case taken:
		added.instance.Close()
		return fmt.Errorf("serving %s: a model of that name is served already", name)
	}
	return nil
}

func (s *Server) newServed(name string, m *Model) *served {
	return &served{name: name, model: m, instance: s.engine.Serve(m), since: time.Now()}
}

// Remove stops serving a name: new requests are answered with 404, those in
// flight are waited for, then the model is closed and its tensors released. It
// reports whether the name was served.
func (s *Server) Remove(name string) bool {
	s.mu.Lock()
	m, ok := s.models[name]
	delete(s.models, name)
	s.mu.Unlock()
	if ok {
		m.end()
	}
	return ok
}

// replace serves a model under a name, whether it is taken or not.
func (s *Server) replace(name string, m *Model) error {
	added := s.newServed(name, m)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		added.instance.Close()
		return fmt.Errorf("serving %s: the server is closed", name)
	}
	before := s.models[name]
	s.models[name] = added
	s.mu.Unlock()
	if before != nil {
		before.end()
	}
	return nil
}

// find returns the model of that name, or the only one when none is named. The
// caller calls users.Done when it has answered.
func (s *Server) find(name string) (*served, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.models[name]
	if name == "" && len(s.models) == 1 {
		for _, m = range s.models {
			ok = true
		}
	}
	if !ok {
		return nil, &apiError{
			Status: 404, Type: "not_found_error", Param: "model", Code: "model_not_found",
			Message: fmt.Sprintf("the model %q is not served; served are: %s", name, strings.Join(slices.Sorted(maps.Keys(s.models)), ", ")),
		}
	}
	m.users.Add(1)
	return m, nil
}

// listed returns the models by name.
func (s *Server) listed() []*served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.models), func(a, b *served) int { return strings.Compare(a.name, b.name) })
}
