//go:build !unix

package eval

import "net"

// quiet is known on Unix only.
func quiet(net.Conn) bool { return true }
