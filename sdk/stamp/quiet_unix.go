//go:build unix && !linux

package stamp

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

func quiet(tcp *net.TCPConn) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var verdict error
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EAGAIN:
		case err != nil:
			verdict = err
		case n == 0:
			verdict = io.EOF
		default:
			verdict = errors.New("bytes came that nobody asked for")
		}
	})
	if err != nil {
		return err
	}
	return verdict
}
