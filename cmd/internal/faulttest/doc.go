// Package faulttest makes the N-th file operation of a program fail, so that tests
// can show what the program does then. It is for tests, on Linux.
//
// The program is the test binary itself: Child, which TestMain calls first, puts the
// process under a seccomp filter that hands its file operations to the test before
// the kernel does them, and starts the binary again, now as the program. Run, in the
// test, lets them through, counts those on files of interest, and answers one of them
// itself: with an error, or with half a write.
//
// Types to know: Fault (what fails, and at which call), Result (what came of it).
//
// Invariants: calls are counted over all threads. Only files below the given
// directories count. What is answered with an error was not done.
//
// Not here: power cuts (storetest), ends at named places (failpoint), and reads of
// mapped files, which are no calls.
//
// Sources: seccomp_unotify(2); SQLite's "How SQLite Is Tested" for the loop that fails
// at step 1, 2, 3, ... until nothing fails.
package faulttest
