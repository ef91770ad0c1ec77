// Package store is the last stage: what happened? It keeps a run in a directory
// of its own: every trial with its genome, recipe and parents, every answer to
// every item, every event that changed a decision, and the verdict, in one
// SQLite database.
//
// In go trials and outcomes, as the search makes them (DB has the method set of
// search.Recorder); out come the same, to a search that resumes by replaying and
// to people who look at a run, also while it goes on.
//
// Types to know first:
//
//   - DB: a run directory held for writing, by one process at a time.
//   - Reader: the same directory for looking only; DB embeds one.
//   - Configuration: what the run is bound to (run file, models, data, version).
//     Freeze stores it at the first start and compares it at each later one.
//   - Trial, Answer, Event, Ending: what can be read back.
//   - Cache: what servers answered, by the hash of what was asked of which weights.
//   - LockedError, DamagedError, NewerError, ForeignError, DiskError,
//     ChangedError, DivergedError: the troubles that a caller tells apart.
//
// Invariants.
//
//   - A method that returns nil has written to the disk, not to a buffer: the
//     database is in WAL mode with synchronous=FULL, a method is one transaction,
//     and creating a run syncs the file and its directory. Cache alone gathers, as
//     what it loses can be asked again.
//   - kill -9 or a power cut at any moment leaves the state after the last
//     method that returned, or after the one in flight; never half of it.
//     run.db appears under its name only when complete.
//   - Answers belong to recipes, not to trials: equal recipes are built and
//     scored once. An answer is never changed or deleted; a second, different
//     answer to the same item is a DivergedError. An item belongs to one split
//     for good.
//   - Numbers are finite and answers lie in [0, 1]; the schema refuses others.
//   - Events form a SHA-256 chain, each over the one before it.
//   - run.lock is held by flock, so it ends with the process; its content (pid,
//     host, start) is for the message only.
//   - Everything is safe for concurrent use. Writers queue; readers never wait.
//   - An error from the disk while syncing is final for the DB: what reached the
//     disk is unknown until the directory is opened again.
//
// Not here: which trial comes next (search), JSON and tables for people (cmd),
// checkpoints (merge).
//
// Sources: SQLite's documentation of WAL, of STRICT tables and of "how to
// corrupt"; Rebello et al., "Can Applications Recover from fsync Failures?"
// (USENIX ATC 2020) for the last invariant.
package store
