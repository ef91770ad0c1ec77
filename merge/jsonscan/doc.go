// Package jsonscan reads JSON token by token, for input that nobody vouches for:
// headers and indexes of checkpoints, configurations, tokenizer files of hundreds
// of megabytes.
//
// What goes in and out. A text goes in; callbacks get the members of objects and
// the elements of arrays, and read one value each as a string or a whole number, or
// skip it. A Span says where a value stands, for those who want to copy or replace
// it and leave the rest as it is. Errors name the byte; callers add the file and
// make them *mergesearch.InputError.
//
// Types to know: Scanner, which stands at a place in a text; Span and Member;
// Document for a text that is one object.
//
// Invariants. What RFC 8259 allows is taken and nothing else: no broken UTF-8, no half
// of a surrogate pair, no control character in a string, no leading zero, no text
// after the end, no nesting beyond MaxDepth. A string without escapes is a part of
// the text and costs no copy. What is accepted, the standard decoder accepts with
// the same keys and values (FuzzDocument).
//
// Not here: numbers that are not whole, and writing. Keys may repeat as far as a
// scanner is concerned; Once refuses them. The standard decoder is not used since
// it takes keys twice and in any case, repairs broken UTF-8 and copies every string.
package jsonscan
