// Package eval is the stage that answers "how good?": it asks a candidate the
// items of benchmark tasks through an OpenAI-compatible endpoint and returns what
// was answered.
//
// In go task files of lm-evaluation-harness with local data (ReadTask), an
// Endpoint and a mergesearch.Candidate; out come mergesearch.Outcomes, one per
// item, and from pairs of them a mergesearch.Comparison. The path of one item:
//
//	document      -> question  -> prompt    -> token ids -> requests -> responses -> answers  -> outcome
//	datasource.go    answer.go    prompt.go    encode.go    route_*.go  decode.go   prepare.go   score.go
//
// A conversation (talk.go) becomes a prompt when the model, and with it its chat
// template, is known; whoever applies the template, the tokens are its text's alone.
//
// A task file is read by include.go (files into keys), keys.go and config.go (keys
// into settings) and task.go (settings and documents into questions).
//
// Types to know:
//
//   - Task: a task file with its questions, wholly checked before any model is read.
//   - Endpoint, Session, Profile: what serves candidates, and what it can do. Probe
//     finds out the profile, and with it the way of asking (route.go).
//   - Evaluator: asks; it is the Scorer of the search.
//   - Judge: compares two models in pairs; it is the Judge of the search.
//   - Cache: remembers what was answered, where the weights are proved.
//   - JudgeError: a judge model, which grades a task's answers (judge_config.go), gave no
//     grade. Its weights are not proved; what it wrote is remembered all the same.
//   - EndpointError: a fault of the endpoint that outlasted the retries.
//
// Invariants:
//
//   - No more requests than the server needs: one for an item where it takes many
//     prompts (Profile.OneRequest), plus the retries that are counted, and none for
//     what the cache holds.
//   - How a server is asked changes no score: every route sums the same numbers in
//     the order of the tokens, and a prompt that is too long is refused, never cut.
//   - A fault never becomes a score. Missing, null or surplus log-probabilities,
//     another prompt length than was sent, answers of other weights, choices that
//     all score the same: each is an error (or a *mergesearch.Failure, where it is
//     proved that the candidate itself answers so), never chance level.
//   - Every request says in full how to decode; prompts are token ids, with the
//     begin-of-sequence token decided here, wherever the server takes them.
//   - An item belongs to one split, and no question stands in two.
//   - Outcomes are a pure function of task, weights and engine: no clock and no
//     random number decides one. Compare is a pure function of its arguments.
//   - Values lie in [0, 1] and higher is better.
//
// Not here: the servers themselves (eval/endpoint, eval/lm), folding outcomes into
// a fitness (mergesearch.Benchmark), keeping them (store), choosing items for a
// race (search). Data files are read by eval/dataset, templates by eval/jinja, those
// of chats by eval/chat; what Python does stands in eval/python, the harness's own
// functions in eval/port, its aggregations in eval/metric; the test servers are in
// eval/evaltest.
//
// Sources: the task format, prompt assembly, the rule for encoding context and
// continuation, and the metrics are those of lm-evaluation-harness 0.4.12 (Gao et
// al. 2024, doi 10.5281/zenodo.12608602). Paired comparison: Miller 2024 (arXiv
// 2411.00640); bootstrap: Davison and Hinkley 1997; sign flips: Fisher 1935.
package eval
