package eval

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// retryPolicy says when a request is sent again. The wait before attempt n+1 is
// drawn from [0, min(limit, base 2^n)] ("full jitter"), so that many requests
// that failed together do not come back together; a server's Retry-After is
// honoured. All waiting ends after patience.
type retryPolicy struct {
	attempts    int           // most attempts, the first included
	patience    time.Duration // from the first attempt to the start of the last
	base, limit time.Duration
}

// next returns how long to wait after a failed attempt, and whether to try again
// at all. Exactly one of reply and err is set.
func (p retryPolicy) next(attempts int, elapsed time.Duration, reply *http.Response, err error) (time.Duration, bool) {
	if attempts >= p.attempts || !retryable(reply, err) {
		return 0, false
	}
	ceiling := min(p.limit, p.base<<(attempts-1))
	wait := time.Duration(rand.Int64N(int64(ceiling) + 1)) // jitter: decides when, never what
	if reply != nil {
		wait = max(wait, retryAfter(reply.Header, time.Now()))
	}
	return wait, elapsed+wait <= p.patience
}

// retryable tells passing faults from lasting ones. Everything that broke on the
// way is passing: refused and reset connections, timeouts, bodies that end early.
func retryable(reply *http.Response, err error) bool {
	if err != nil {
		var final *malformed
		return !errors.As(err, &final) && !errors.Is(err, context.Canceled)
	}
	switch reply.StatusCode {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s >= 0 && s < 1e9 {
		return time.Duration(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
