package kernel

import "embed"

// Native holds the C sources of the operations. Embedding them makes the build
// notice when one changes, which cgo alone does not for files in a subfolder,
// and lets whoever compiles them for another device prove from which text.
//
//go:embed native
var Native embed.FS
