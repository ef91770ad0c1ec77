package mergesearch

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// InputError says that something the user wrote, or handed in, is refused: a
// flag, a run file, a recipe, a task or a model file. It is reported on one
// line that names file, place and cause, with a hint on a second line, and ends
// the program with exit code 2.
type InputError struct {
	File    string // path as the user gave it; empty for flags
	Line    int    // 1-based; 0 when unknown
	Column  int    // 1-based; 0 when unknown
	Field   string // key path, tensor or flag; may be empty
	Problem string // what is wrong, lower case, without a full stop
	Hint    string // what to do about it; may be empty
	Cause   error  // that of the operating system, where it refused; part of Problem
}

// Unwrap returns the cause.
func (e *InputError) Unwrap() error { return e.Cause }

// Error returns the one line, without the hint.
func (e *InputError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
		if e.Column > 0 {
			fmt.Fprintf(&b, ":%d", e.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field)
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// InFile returns err with the file name filled in, if err is an InputError
// without one; any other error comes back as it is.
func InFile(err error, file string) error {
	var in *InputError
	if errors.As(err, &in) && in.File == "" {
		named := *in
		named.File = file
		return &named
	}
	return err
}

// InDir returns err with its file, if it is an InputError with a relative one,
// placed below dir; one without a file gets dir itself. Any other error comes
// back as it is.
func InDir(err error, dir string) error {
	var in *InputError
	if errors.As(err, &in) && !path.IsAbs(in.File) {
		named := *in
		named.File = path.Join(dir, in.File)
		return &named
	}
	return err
}

// Nearest returns the known word closest to word by edit distance, or "" when
// none is close enough to be what was meant (more than a third of the letters
// differ; two neighbours swapped count as one).
func Nearest(word string, known []string) string {
	best, limit := "", max(1, (len(word)+2)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// UnknownWord returns the InputError for a word that is not among the known
// ones; kind says what it should have been ("key", "method", "metric").
func UnknownWord(kind, word string, known []string) *InputError {
	e := &InputError{Field: word, Problem: "unknown " + kind}
	if n := Nearest(word, known); n != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", n)
	} else {
		e.Hint = "known: " + strings.Join(known, ", ")
	}
	return e
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbouring bytes (optimal string alignment).
func editDistance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			next[j+1] = min(row[j]+count(a[i] != b[j]), next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
