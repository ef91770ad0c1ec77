package faulttest

import "golang.org/x/sys/unix"

// operations are the calls that may fail, by number.
var operations = map[uint32]operation{
	unix.SYS_OPENAT:     {name: "openat", path: 1, fd: 0, opens: true},
	unix.SYS_READ:       {name: "read", path: -1, fd: 0},
	unix.SYS_PREAD64:    {name: "pread64", path: -1, fd: 0},
	unix.SYS_WRITE:      {name: "write", path: -1, fd: 0, writes: true},
	unix.SYS_PWRITE64:   {name: "pwrite64", path: -1, fd: 0, writes: true},
	unix.SYS_FSYNC:      {name: "fsync", path: -1, fd: 0},
	unix.SYS_FDATASYNC:  {name: "fdatasync", path: -1, fd: 0},
	unix.SYS_FTRUNCATE:  {name: "ftruncate", path: -1, fd: 0},
	unix.SYS_FALLOCATE:  {name: "fallocate", path: -1, fd: 0},
	unix.SYS_FSTAT:      {name: "fstat", path: -1, fd: 0},
	unix.SYS_LSEEK:      {name: "lseek", path: -1, fd: 0},
	unix.SYS_FLOCK:      {name: "flock", path: -1, fd: 0},
	unix.SYS_GETDENTS64: {name: "getdents64", path: -1, fd: 0},
	unix.SYS_RENAMEAT:   {name: "renameat", path: 1, fd: 0},
	unix.SYS_RENAMEAT2:  {name: "renameat2", path: 1, fd: 0},
	unix.SYS_UNLINKAT:   {name: "unlinkat", path: 1, fd: 0},
	unix.SYS_MKDIRAT:    {name: "mkdirat", path: 1, fd: 0},
	unix.SYS_STATFS:     {name: "statfs", path: 0, fd: -1},
	unix.SYS_MMAP:       {name: "mmap", path: -1, fd: 4},
}
