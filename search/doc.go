// Package search decides which numbers to try next, and what the run that tried
// them has shown. A Space and an Algorithm go in; candidates are asked of the
// stages behind Builder and Scorer; a Report with the verdict comes out, and
// everything in between goes to the Recorder before it counts.
//
// The loop (loop.go) is the place to start: parents, usual recipes and greedy
// soup, then ask, decode, build, score, record, tell, then the verdict. The
// files around it hold one step each: fixed.go what every run scores first,
// batch.go and attempt.go the candidates in flight, ahead.go several cohorts in
// flight, tokens.go their budget of tokens, steer.go costs and constraints, race.go who goes on, frontier.go the front,
// verdict.go who wins.
//
// Types to know:
//
//   - Algorithm: ask and tell over cohorts. Random, GreedySoup and GA are three.
//     Surrogate needs the fewest answers; New with the name auto chooses.
//   - SteadyState: one that is asked ahead, without generations. M2N2, DNS and
//     CycleQD are; Outside: one that lives in a program outside the process.
//   - Builder, Scorer, Judge, Recorder: what the loop needs of other stages.
//   - Options and Report: what a run is made of and what it came to.
//   - Race and Budget: how many items a candidate answers, and when to stop.
//   - GASettings: everything that tunes the genetic algorithm.
//
// Invariants.
//
//   - An algorithm is a pure function of space, seed, settings and tells. Random
//     draws come from streams derived from (seed, purpose, generation, island or
//     index), never from shared state.
//   - Decisions fall at the ends of rungs and cohorts, in ask order, so workers,
//     the order of arrival and kills change nothing. Resuming is replaying: the
//     same proposals are made again and their answers found in the recorder.
//   - No item is asked of a recipe twice in a run. Equal recipes share answers.
//   - Only candidates that answered the same items are compared by fitness.
//   - A candidate that cannot be built or scored is a failed trial; a fault of a
//     stage ends the run and is never a score; a broken call is a panic.
//   - Fitness is higher-is-better. eaopt minimises; the sign changes in
//     organism.go and nowhere else.
//   - Held-out items are asked once, of the winner, the parents, the baselines and
//     the members of the front, after everything was decided.
//
// Not here: how tensors are merged (merge), how items are answered and models
// compared (eval), what is kept on disk (store), run files and flags (cmd). An
// algorithm that is to be judged belongs on searchtest.Family first.
//
// Sources: greedy soup, Wortsman et al. 2022 (arXiv 2203.05482); simulated binary
// crossover, Deb and Agrawal 1995; polynomial mutation, Deb and Goyal 1996;
// successive halving, Jamieson and Talwalkar 2016 (arXiv 1502.07943). The genetic
// algorithm stands on github.com/MaxHalford/eaopt.
package search
