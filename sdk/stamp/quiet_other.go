//go:build !unix

package stamp

import "net"

// quiet cannot tell here: sockets cannot be asked without taking bytes away.
func quiet(*net.TCPConn) error { return nil }
