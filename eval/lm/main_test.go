package lm_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a goroutine behind: no worker, no connection.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
