package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// absent stands for a value that one of the two sides lacks.
const absent = "(absent)"

// Change is one field that differs from what the run was started with.
type Change struct {
	Field    string // "budget.candidates", "model reverse", "data add/search", "version"
	Was, Now string
}

// ChangedError says that a run cannot be continued because something that it is
// bound to has changed since it started.
type ChangedError struct {
	Dir     string
	RunFile string
	Changes []Change // sorted by field; never empty
}

func (e *ChangedError) Error() string {
	c := e.Changes[0]
	more := ""
	if n := len(e.Changes) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Sprintf("%s: %s has changed since the run in %s started: was %s, now %s%s", e.RunFile, c.Field, e.Dir, short(c.Was), short(c.Now), more)
}

// Hint names the remedies.
func (e *ChangedError) Hint() string {
	return "undo the change, or start a new run from this one's configuration with --fork"
}

// Diff lists every change, one a line.
func (e *ChangedError) Diff() string {
	var b strings.Builder
	for _, c := range e.Changes {
		fmt.Fprintf(&b, "%s: was %s, now %s\n", c.Field, short(c.Was), short(c.Now))
	}
	return b.String()
}

// compare lists what binds and differs.
func compare(was, now Configuration) []Change {
	old, current := bindings(was), bindings(now)
	if a, b := major(was.Version), major(now.Version); a != "" && b != "" && a != b {
		old["version"], current["version"] = was.Version, now.Version
	}
	var out []Change
	fields := maps.Clone(old)
	maps.Copy(fields, current)
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		a, ok := old[f]
		if !ok {
			a = absent
		}
		b, ok := current[f]
		if !ok {
			b = absent
		}
		if a != b {
			out = append(out, Change{Field: f, Was: a, Now: b})
		}
	}
	return out
}

// bindings returns all that binds but the version, by field.
func bindings(c Configuration) map[string]string {
	out, err := flatten(c.Effective)
	if err != nil { // what Freeze stored has been through flatten
		out = map[string]string{"configuration": c.Effective}
	}
	out["run"] = string(c.Run)
	out["seed"] = fmt.Sprint(c.Seed)
	for _, m := range c.Models {
		id := m.Digest
		if id == "" {
			id = "changed " + m.ModTime.UTC().String()
		}
		out["model "+m.Name] = fmt.Sprintf("%s (%d bytes)", id, m.Bytes)
	}
	for _, d := range c.Data {
		out["data "+d.Name] = d.SHA256
	}
	return out
}
