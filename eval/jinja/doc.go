// Package jinja evaluates the Jinja template language as the task files of
// lm-evaluation-harness use it: to turn a document (one line of a data file) into a
// question, its choices and its answer.
//
// In goes the text of a template and a document decoded from JSON (nil, bool,
// int64, float64, string, []any, *Dict or map[string]any); out comes text, or, for
// a template that is exactly one {{ expression }}, the typed value itself. The
// harness always renders to text and reads some texts back as Python literals:
// Text and Literal do the same.
//
// NewChat makes the other environment, that of transformers for chat templates: blocks
// trimmed, macros, {% call %}, {% break %}, {% continue %}, {% generation %}, names that
// are not there print as nothing, tojson, raise_exception, strftime_now.
//
// Types to know: Template (Parse, Text, Value), Chat (Parse), Dict (a mapping in the order of its
// document; ReadJSON makes them), Tuple, Error (a position in code points and what
// is wrong there). Print prints any value as Python's str does, Str a scalar.
//
// The language: text, comments, {% raw %}, white space control; {% if %}, {% for %}
// with its filter, else, tuples and loop.index and the like, {% set %}, namespaces;
// every operator but **, chained comparisons, conditional expressions, slices,
// lists, tuples, dicts; the filters, tests and methods in filters, tests,
// textMethods, listMethods and dictMethods; range, dict. The environment is the
// harness's: a name that the document lacks is an error once it is used
// (StrictUndefined), newlines are kept, nothing is escaped, regex_replace is there.
//
// Values are Python's: indices and lengths count code points, True is 1, / divides
// exactly, floats print their shortest form, lists print with the quotes of repr,
// and upper and lower case are Unicode's full ones. Goldens compare with Jinja2 for
// every template of the harness (docs/peers/lmeval).
//
// Invariants: evaluation reads the document and never changes it; a template is
// safe for concurrent use; a rendering ends after at most a million steps, 32 MiB
// and two seconds of regular expressions; the same template and document give the
// same text; whatever is not understood is refused by name with its position
// (Error.Unsupported), never passed through as text.
//
// Not here: blocks, includes, {% filter %}, {% with %}, recursive loops, formatting with %, methods
// that change a value, whole numbers beyond 64 bits, printing or going through a
// map[string]any of several keys, whose order is lost; the Markup of |safe, which
// escapes what is added to it; what a conversation is (eval/chat).
//
// See https://jinja.palletsprojects.com/en/stable/templates/ and Python's library
// reference for str, list and dict.
package jinja
