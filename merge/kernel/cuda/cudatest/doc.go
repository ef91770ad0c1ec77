// Package cudatest holds a driver without a GPU, for tests of what runs on devices:
// testdata/fake.c, built when it is needed, with the kernels compiled for the host.
//
// What it is strict about stands at the head of fake.c: work that is done late, memory
// that is poisoned and guarded, addresses that are looked up. Faults are asked for by
// environment variables.
//
// With the flag -cuda tests open the system's driver instead, those excepted that ask for
// faults.
package cudatest
