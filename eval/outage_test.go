package eval

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sashabaranov/go-openai"
)

type status int

func (s status) Error() string { return fmt.Sprint("status ", int(s)) }
func (s status) Status() int   { return int(s) }

func TestPassingFaults(t *testing.T) {
	endpoint := func(err error) error { return fmt.Errorf("score: %w", &EndpointError{Err: err}) }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{endpoint(errors.New("connection refused")), true},
		{endpoint(status(429)), true},
		{endpoint(status(500)), true},
		{endpoint(status(404)), true},
		{endpoint(status(401)), false},
		{endpoint(status(422)), false},
		{endpoint(&openai.APIError{HTTPStatusCode: 503}), true},
		{endpoint(&openai.APIError{HTTPStatusCode: 400}), false},
		{endpoint(unusable("other weights")), false},
		{errors.New("not of the endpoint"), false},
		{ErrSessionLost, false},
	} {
		if got := passing(c.err); got != c.want {
			t.Errorf("%v: passing %v", c.err, got)
		}
	}
}

// An outage is waited for until patience ends; the waits double, and end with the
// context.
func TestOutageIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Outage
		e := &Evaluator{options: Options{Outage: 10 * time.Minute, OnOutage: func(o Outage) { told = append(told, o) }}}
		fault := &EndpointError{Err: errors.New("refused")}
		began, tries := time.Now(), 0
		var o outage
		for o.over(t.Context(), e, fault) == nil {
			tries++
		}
		if lasted := time.Since(began); lasted < 9*time.Minute || lasted > 10*time.Minute || tries < 15 || tries > 30 {
			t.Errorf("gave up after %s and %d tries", lasted, tries)
		}
		if len(told) != 1 || told[0].Err == nil {
			t.Errorf("told %v", told)
		}
		o = outage{}
		if err := o.over(t.Context(), e, fault); err != nil {
			t.Fatal(err)
		}
		o.end(e)
		if last := told[len(told)-1]; last.Err != nil || last.Since != time.Second {
			t.Errorf("told %v at the end", last)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := o.over(ctx, e, fault); !errors.Is(err, fault) {
			t.Errorf("%v after the end", err)
		}
		if err := new(outage).over(t.Context(), &Evaluator{}, fault); !errors.Is(err, fault) {
			t.Errorf("%v without patience", err)
		}
	})
}
