package evidence

import (
	"bytes"
	"os"
	"regexp"
	"strings"
)

// keyLike are the shapes of keys that inference servers and hubs hand out.
var keyLike = regexp.MustCompile(`\b(sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{16}|xox[bap]-[A-Za-z0-9-]{10,})`)

// secretName are the names of environment variables that hold secrets.
var secretName = regexp.MustCompile(`(?i)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL)`)

// Blank replaces what looks like a key, and the values of environment variables with
// the name of a secret, by stars.
func Blank(text []byte) []byte {
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if len(value) >= 8 && secretName.MatchString(name) {
			text = bytes.ReplaceAll(text, []byte(value), []byte("***"))
		}
	}
	return keyLike.ReplaceAll(text, []byte("***"))
}
