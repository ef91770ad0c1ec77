package merge_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// exampleDir is where the examples put their models.
var exampleDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "merge-example")
	if err != nil {
		panic(err)
	}
	exampleDir = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		panic(err)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			panic(err)
		}
	}
	os.Exit(code)
}
