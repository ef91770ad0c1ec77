// Package endpoint holds the kinds of inference servers that the evaluator can
// ask, one file per kind. Each is an eval.Endpoint: a candidate goes in, and out
// comes a session, which is a base URL and a model name under which exactly those
// weights answer.
//
// The kinds:
//
//   - Embedded: the engine of eval/lm in this process, over HTTP on loopback like
//     any other. Takes tensors from memory; several candidates at once.
//   - Mergesearch: `mergesearch serve` in another process, which loads candidates
//     from directories.
//   - OpenAI: any server that speaks the OpenAI protocol and serves one fixed model.
//
// Invariants. What a server can do (eval.Profile) is found out by asking it, or
// holds by construction for the servers of this program. A session's fingerprint
// is proved by the server wherever the kind promises it (Profile.Fingerprint). A
// session that ended answers no more. Nothing reads the environment: keys are
// handed in.
//
// Not here: what is asked and how answers become scores (eval), the engine
// (eval/lm), writing a candidate to a directory (the command line hands that in).
// Every kind passes eval/evaltest.TestEndpoint.
package endpoint
