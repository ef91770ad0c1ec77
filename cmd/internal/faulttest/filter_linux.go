package faulttest

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketVariable names the descriptor over which a child sends its listener.
const socketVariable = "FAULTTEST_SOCKET"

// Child turns the process into the program under test, if Run started it, and does
// not return then. The rest of the environment is the program's.
func Child() {
	number, err := strconv.Atoi(os.Getenv(socketVariable))
	if err != nil {
		return
	}
	os.Unsetenv(socketVariable)
	fmt.Fprintln(os.Stderr, "faulttest:", filterAndExec(number))
	os.Exit(97)
}

// filterAndExec keeps to one thread, the only one that the filter holds for until
// exec makes it the whole process.
func filterAndExec(socket int) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := filterOf(watchedNumbers())
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// The thread may not allocate between the filter and the end of the message: what
	// it asks of the kernel waits until the test listens.
	rights, one := unix.UnixRights(0), []byte{0}
	message := unix.Msghdr{Iov: &unix.Iovec{Base: &one[0], Len: 1}, Iovlen: 1, Control: &rights[0], Controllen: uint64(len(rights))}
	number := (*int32)(unsafe.Pointer(&rights[unix.CmsgLen(0)]))
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	listener, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	*number = int32(listener)
	if _, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(socket), uintptr(unsafe.Pointer(&message)), 0); errno != 0 {
		return errno
	}
	unix.CloseOnExec(socket)
	unix.CloseOnExec(int(listener))
	return syscall.Exec(binary, os.Args, os.Environ())
}

// filterOf returns the program that hands calls with the numbers to the listener.
func filterOf(numbers []uint32) []unix.SockFilter {
	const loadNumber = 0 // offset of nr in struct seccomp_data
	p := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: loadNumber}}
	for i, n := range numbers {
		p = append(p, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: n, Jt: uint8(len(numbers) - i)})
	}
	return append(p,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fff0000}, // SECCOMP_RET_ALLOW
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fc00000}) // SECCOMP_RET_USER_NOTIF
}

// operation is a system call on files.
type operation struct {
	name   string
	path   int // argument that is a path; -1: none
	fd     int // argument that is a descriptor: of the file, or what the path is relative to; -1: none
	writes bool
	opens  bool
}

func watchedNumbers() []uint32 {
	var out []uint32
	for n := range operations {
		out = append(out, n)
	}
	return out
}

// under reports whether a path lies below one of the directories.
func under(path string, roots []string) bool {
	for _, r := range roots {
		if path == r || strings.HasPrefix(path, r+"/") {
			return true
		}
	}
	return false
}

func splitLines(text []byte) []string { return strings.Split(string(text), "\n") }
