package runfile

import _ "embed"

// Schema is the JSON schema (draft 2020-12) of run files, made from the types of this
// package and their comments: an editor that knows it completes and explains keys.
// What depends on other keys, on files or on models is checked by Parse and later.
//
//go:embed schema.json
var Schema []byte
