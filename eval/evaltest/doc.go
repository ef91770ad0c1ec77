// Package evaltest is what tests of the evaluator and of endpoints share: a small
// real HTTP server that speaks the completions protocol, and the suite that every
// kind of endpoint passes.
//
// Types to know:
//
//   - Model: a deterministic language model of a few lines over bytes. It knows
//     some answers by heart and spreads the rest of its probability by a hash, so
//     every log-probability is a proper one and differs between models.
//   - Tokenizer: one token per byte, and a begin- and end-of-sequence token.
//   - Server: serves Models; Script tells it to be slow, to refuse, to cut the
//     connection, to lie.
//     Beside OpenAI's completions it speaks as much of vLLM, SGLang and llama-server
//     as its profile says (dialects.go).
//   - Fake: a server in the dialect of vLLM, SGLang or llama-server, with weights in a
//     file (WriteWeights, WriteGGUF), a prefix cache and Faults on command; as an
//     http.Handler, or as a process (Child, Command).
//   - TestEndpoint: what holds for every eval.Endpoint.
//
// Invariants. The server counts requests as they arrive, so a test can compare
// its count with what the client believes to have sent. A fault applies to
// exactly one request. Nothing here sleeps unless a script says so.
//
// Not here: the engine that runs real checkpoints (eval/lm).
package evaltest
