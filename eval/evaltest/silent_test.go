package evaltest_test

import (
	"io"
	"log"
)

// silent swallows what net/http prints about connections that are broken on purpose.
var silent = log.New(io.Discard, "", 0)
