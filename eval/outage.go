package eval

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Outage says that an endpoint gave no usable answer, or gives some again.
type Outage struct {
	Err   error         // what is wrong; nil when a candidate was scored again
	Since time.Duration // its length so far
}

// outage waits while an endpoint is away. A candidate is served anew after each wait,
// since a server that was started again has forgotten it.
type outage struct {
	began time.Time // zero: none
	wait  time.Duration
}

// The waits double from the first to the last.
const (
	firstWait = time.Second
	lastWait  = 30 * time.Second
)

// over waits, unless err is none of an outage or the outage has lasted too long: then
// it comes back as it is.
func (o *outage) over(ctx context.Context, e *Evaluator, err error) error {
	if !passing(err) || ctx.Err() != nil {
		return err
	}
	if o.began.IsZero() {
		o.began, o.wait = time.Now(), firstWait
		e.tellOutage(Outage{Err: err})
	}
	if time.Since(o.began)+o.wait > e.options.Outage {
		return err
	}
	if err := sleep(ctx, o.wait); err != nil {
		return err
	}
	o.wait = min(2*o.wait, lastWait)
	return nil
}

// end says that the endpoint is back, if it was away.
func (o *outage) end(e *Evaluator) {
	if !o.began.IsZero() {
		e.tellOutage(Outage{Since: time.Since(o.began)})
	}
}

func (e *Evaluator) tellOutage(o Outage) {
	if tell := e.options.OnOutage; tell != nil {
		tell(o)
	}
}

// passing reports whether a fault of an endpoint may be over in a while: everything but
// a refusal of the request itself and an answer that cannot be used. A model that is
// not there may be one that a server forgot when it was started again.
func passing(err error) bool {
	var endpoint *EndpointError
	var unusable *malformed
	var lasting *degenerate
	if !errors.As(err, &endpoint) || errors.As(err, &unusable) || errors.As(err, &lasting) {
		return false
	}
	status := 0
	var api *openai.APIError
	var refused interface {
		error
		Status() int
	}
	if errors.As(err, &api) {
		status = api.HTTPStatusCode
	} else if errors.As(err, &refused) {
		status = refused.Status()
	}
	switch status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status < 400 || status >= 500
}
