// Package jsonscan reads JSON token by token, for input that nobody vouches for:
// headers and indexes of checkpoints, tokenizer files of hundreds of megabytes.
//
// # Input and output
//
// A Scanner stands at a place in a text. Object and Array call back at each member,
// Text, Uint and Skip read one value. A string without escapes is a part of the
// text, so a file of a million tokens costs no copy of them; a Span says where a
// value stands, for who wants to copy it unchanged.
//
// # Rules
//
// It takes what RFC 8259 allows and nothing else: no broken UTF-8, no half of a
// surrogate pair, no control character in a string, no leading zero, no text after
// the end, no nesting deeper than MaxDepth. Keys may repeat as far as the scanner
// is concerned; Once refuses them where that is wrong. The standard library's
// decoder takes keys twice and in any case, repairs broken UTF-8 and copies every
// string; jsontext is not yet in the standard library.
//
// # Errors
//
// Errors name the byte. Callers add the file and make them *mergesearch.InputError.
//
// # Limits
//
// It does not decode numbers that are not whole, nor does it write JSON.
package jsonscan
