package eval_test

import (
	"encoding/json"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"mergesearch/eval/evaltest"
)

var serveFlag = flag.String("serve", "", "address at which TestParityServer serves the parity model until it is stopped")

const parityDir = "testdata/parity"

// parityModel is a model over bytes that makes its answers up by a hash of the
// text, apart from the endings that it knows.
func parityModel(t testing.TB) evaltest.Model {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parityDir, "endings.json"))
	if err != nil {
		t.Fatal(err)
	}
	m := evaltest.Model{Seed: 20261127, Fingerprint: "parity"}
	if err := json.Unmarshal(text, &m.Endings); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestParityServer lets lm-evaluation-harness ask the model of these tests:
// docs/peers/lmeval/parity.py.
func TestParityServer(t *testing.T) {
	if *serveFlag == "" {
		t.Skip("serves only with -serve")
	}
	s := evaltest.NewServer(t, evaltest.Full, map[string]evaltest.Model{"cand": parityModel(t)})
	l, err := net.Listen("tcp", *serveFlag)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(http.Serve(l, s.Config.Handler))
}
