package merge

import (
	"fmt"
	"strings"

	"mergesearch"
)

// ModelRef is a model as a recipe names it: a directory or a repository of the
// Hugging Face Hub, and optionally a PEFT adapter that is applied to it. Its text,
// which is also the name in mergesearch.Input, is
//
//	PATH[@REVISION][+ADAPTER[@REVISION]]
type ModelRef struct {
	Path            string
	Revision        string // branch, tag or commit of a repository; may be empty
	Adapter         string // path of the adapter; empty for none
	AdapterRevision string
}

// modelRefHint says what a reference looks like.
const modelRefHint = "a model is PATH or PATH@REVISION, with an adapter PATH+ADAPTER or PATH+ADAPTER@REVISION"

// ParseModelRef reads a reference. Errors are *mergesearch.InputError without file
// and field.
func ParseModelRef(s string) (ModelRef, error) {
	var r ModelRef
	model, adapter, with := strings.Cut(s, "+")
	if strings.Contains(adapter, "+") {
		return ModelRef{}, &mergesearch.InputError{Problem: fmt.Sprintf(`%q has more than one "+"`, s), Hint: modelRefHint}
	}
	var err error
	if r.Path, r.Revision, err = cutRevision(model); err != nil {
		return ModelRef{}, err
	}
	if with {
		if r.Adapter, r.AdapterRevision, err = cutRevision(adapter); err != nil {
			return ModelRef{}, err
		}
	}
	return r, nil
}

func cutRevision(s string) (path, revision string, err error) {
	path, revision, with := strings.Cut(s, "@")
	problem := ""
	switch {
	case strings.Contains(revision, "@"):
		problem = fmt.Sprintf(`%q has more than one "@"`, s)
	case path == "":
		problem = "a model or an adapter without a path"
	case with && revision == "":
		problem = fmt.Sprintf(`%q has no revision after its "@"`, s)
	default:
		return path, revision, nil
	}
	return "", "", &mergesearch.InputError{Problem: problem, Hint: modelRefHint}
}

// String returns the text that ParseModelRef reads.
func (r ModelRef) String() string {
	s := r.Path
	if r.Revision != "" {
		s += "@" + r.Revision
	}
	if r.Adapter != "" {
		s += "+" + r.Adapter
	}
	if r.AdapterRevision != "" {
		s += "@" + r.AdapterRevision
	}
	return s
}
