package main

import (
	"os"
	"strings"
	"sync"
)

// secrets holds the keys that were taken from the environment, so that none is printed:
// some servers repeat a wrong key in their refusal.
var secrets struct {
	sync.Mutex
	keys []string
}

// lookupKey is os.LookupEnv for variables with keys.
func lookupKey(name string) (key string, set bool) {
	key, set = os.LookupEnv(name)
	if len(key) >= 8 { // a shorter one may be any word
		secrets.Lock()
		defer secrets.Unlock()
		secrets.keys = append(secrets.keys, key)
	}
	return key, set
}

// withoutKeys returns a text with *** in place of every key.
func withoutKeys(text string) string {
	secrets.Lock()
	defer secrets.Unlock()
	for _, key := range secrets.keys {
		text = strings.ReplaceAll(text, key, "***")
	}
	return text
}
