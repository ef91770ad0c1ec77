// Package python does what task files expect of Python, bit for bit as CPython 3.11
// does it: random numbers, methods of str, and regular expressions.
//
// The harness whose tasks are read (lm-evaluation-harness) is written in Python, and
// its prompts and scores hang on three things that Go does otherwise: which examples
// random.sample draws for a seed, what counts as white space or as a letter, and
// what re.findall finds.
//
// Types to know:
//
//   - Random: random.Random, the Mersenne Twister, with sample, choices and shuffle.
//   - Regex: re for str patterns, over a backtracking engine with a time limit.
//   - Strip, Split, Lower, Upper, Capitalize, Float, Int and so on: methods of str.
//
// Invariants: what Python accepts means the same here, what it refuses is refused.
// Known differences: characters by name (\N{...}) are not supported; characters that
// came into Unicode after version 14 are classified by Go's newer tables; text is
// UTF-8, so there are no lone surrogates; what a group holds after repetitions
// inside a counted repetition can differ (2 of 2,500 random patterns); and CPython
// 3.11's faults in possessive repetitions inside each other are not repeated. Nothing here reads a clock, but for the
// limit on the time of one search.
//
// Not here: templates (eval/jinja), metrics (eval/metric).
//
// Sources: the library reference of Python 3.11 (random, re, str) and the behaviour
// of CPython 3.11.7, recorded in testdata by docs/peers/lmeval/golden_python.py;
// Matsumoto and Nishimura 1998 (doi 10.1145/272991.272995) for the generator;
// Unicode Standard 3.13 for case mappings.
package python
