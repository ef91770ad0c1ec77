package faulttest

import "golang.org/x/sys/unix"

// Calls that newer architectures have in one form only.
func init() {
	operations[unix.SYS_NEWFSTATAT] = operation{name: "newfstatat", path: 1, fd: 0}
	operations[unix.SYS_OPEN] = operation{name: "open", path: 0, fd: -1, opens: true}
	operations[unix.SYS_STAT] = operation{name: "stat", path: 0, fd: -1}
	operations[unix.SYS_LSTAT] = operation{name: "lstat", path: 0, fd: -1}
	operations[unix.SYS_ACCESS] = operation{name: "access", path: 0, fd: -1}
	operations[unix.SYS_RENAME] = operation{name: "rename", path: 0, fd: -1}
	operations[unix.SYS_UNLINK] = operation{name: "unlink", path: 0, fd: -1}
	operations[unix.SYS_RMDIR] = operation{name: "rmdir", path: 0, fd: -1}
	operations[unix.SYS_MKDIR] = operation{name: "mkdir", path: 0, fd: -1}
}
