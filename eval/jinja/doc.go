// Package jinja evaluates the part of the Jinja template language that task
// files use to turn a document (one line of a data file) into a question, its
// choices and its answer.
//
// In goes the text of a template and a document decoded from JSON (nil, bool,
// int64, float64, string, []any, map[string]any); out comes text, or, for a
// template that is exactly one {{ expression }}, the typed value itself. The
// harness renders such a template to text and parses the text as a Python
// literal; keeping the type gives the same without the detour.
//
// Types to know: Template (Parse, Text, Value), Error (a position in code points
// and what is wrong there).
//
// What is understood: literal text, comments, names, attribute and index access
// with Python's negative indices over code points, string and number literals,
// filters (length, string, int, join, list, replace, trim, lower, upper,
// capitalize) and the string and list methods that task files use (strip,
// lstrip, rstrip, lower, upper, capitalize, replace, split, join, index).
// Newlines are kept as Jinja keeps them with keep_trailing_newline set, and
// values are printed as Python's str prints them. A name that the document does
// not have is an error (StrictUndefined).
//
// Invariants: evaluation reads the document and never changes it; a template is
// safe for concurrent use; whatever is not understood is refused by name with its
// position, never passed through as text.
//
// Not here: statements ({% if %}, {% for %}, {% set %}), tests, comparisons and
// arithmetic, which are refused for now; templates of chat messages.
package jinja
