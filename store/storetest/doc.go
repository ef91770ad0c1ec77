// Package storetest is the conformance suite of recorders: whoever keeps trials
// and answers for a search (search.Recorder, store.DB) must pass Run.
//
// Types to know first:
//
//   - Recorder: the method set under test, as search.Recorder has it.
//   - Memory: the slow, obvious recorder that others are compared with. It keeps
//     everything in maps and nothing on a disk.
//   - Sample: made-up trials, recipes and outcomes that are legal and differ.
//
// Invariants that Run checks. Begin may be repeated, and refuses a trial that
// differs. Answers are added all or none; equal ones may be repeated, different
// ones are refused. Known hands out everything that was answered, to every trial
// of an equal recipe, as a copy that belongs to the caller. Finish may be
// repeated and refuses another end. Everything is safe for concurrent use.
//
// Not here: durability, which only a store on a disk has (its own tests kill
// processes), and the search that calls a recorder.
package storetest
