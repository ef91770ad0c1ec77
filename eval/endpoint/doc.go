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
//   - VLLM, SGLang, LlamaCpp: other programs, started here or (the first two) reached
//     by URL, whose weights are changed in place where that works, else by a restart.
//   - Commanded: any server that a command makes load a candidate.
//
// The last two lines are Servers: a pool of server, each with a dialect (what its
// kind does in its own way), a process (if it was started here), and a place on the
// shelf (the directory of its candidate). A session goes through the gate. canary
// asks, memory judges. docs/design/endpoints.md says why.
//
// Invariants. What a server can do (eval.Profile) is found out by asking it, or
// holds by construction for the servers of this program. A session's fingerprint
// is proved by the server wherever the kind promises it (Profile.Fingerprint); the
// weights of Servers are proved by what they answer, before the first item and
// after the last. A session that ended answers no more. What was started here ends
// with this process. Nothing reads the environment: keys are handed in.
//
// Not here: what is asked and how answers become scores (eval), the engine
// (eval/lm), writing a candidate to a directory (the command line hands that in).
// Every kind passes eval/evaltest.TestEndpoint.
package endpoint
