package endpoint

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestNoRedirects: a server that points elsewhere is not followed there, with or without
// the key.
func TestNoRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the other server was asked")
	}))
	defer other.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, status)
		}))
		c := newCaller(server.URL, "key")
		if err := c.call(t.Context(), "POST", "/load", map[string]string{"a": "b"}, nil); err == nil {
			t.Errorf("status %d: no error", status)
		}
		c.idle()
		server.Close()
	}
}
