// Package failpoint ends the program at named places, so that tests can show what
// it survives. It is linked only where the program is built with -tags failpoints;
// mergesearch.Failpoint marks the places, and two environment variables say what
// happens there:
//
//	MERGESEARCH_FAILPOINT=checkpoint/rename/before#2   SIGKILL at the second visit
//	MERGESEARCH_JOURNAL=FILE                           what happened, a line of JSON each
//
// Types to know: Plan (where to end), Journal (what a process wrote down before it
// was ended), Entry (a line of it).
//
// Invariants: a place is written down before the process ends there. A line is
// one write to a file that is opened for appending, so it outlives the process
// (not the machine). What is written down as kept was reported as kept by the
// store before.
//
// Not here: power cuts and failing system calls, which need no help from the program
// (storetest and faulttest).
//
// Source: etcd's gofail, whose failpoints are names in the code as these are.
package failpoint
