package stamp

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// trialMax is how long the kernel is given to begin with stamping; it takes a
// few milliseconds at most.
const trialMax = 200 * time.Millisecond

var errNoStamps = errors.New("this kernel takes the option but stamps nothing")

// kernelStamps tells why the kernel would give no receive stamps; nil: it does.
func kernelStamps() error {
	release, err := keepStamping()
	if err != nil {
		return err
	}
	release()
	return nil
}

// keepStamping holds a socket that asks for stamps and returns when they come:
// the kernel stamps incoming packets only while any socket wants it, and begins
// a moment after the first one does.
func keepStamping() (release func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = os.NewSyscallError("setsockopt SO_TIMESTAMPNS", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	if err == nil {
		err = tryStamps()
	}
	if err != nil {
		closeAll(fd)
		return nil, err
	}
	return func() { closeAll(fd) }, nil
}

// tryStamps sends bytes to itself over loopback until one comes stamped. Where
// there is no loopback it has no opinion.
func tryStamps() error {
	in, out, err := loopbackPair()
	if err != nil {
		return nil //nolint:nilerr // then the first real connection shows it
	}
	defer closeAll(in, out)
	var b [1]byte
	var m message
	m.buffers(b[:], nil)
	for end := time.Now().Add(trialMax); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		if _, err := unix.Write(out, b[:]); err != nil {
			return os.NewSyscallError("write", err)
		}
		if _, errno := m.recvmsg(uintptr(in), 0); errno != 0 {
			return os.NewSyscallError("recvmsg", errno)
		}
		if m.receiveStamp() != 0 {
			return nil
		}
	}
	return errNoStamps
}

// loopbackPair connects two blocking sockets; in asks for stamps.
func loopbackPair() (in, out int, err error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	defer closeAll(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return 0, 0, err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return 0, 0, err
	}
	if in, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	timeout := unix.NsecToTimeval(int64(trialMax))
	for _, set := range []func() error{
		func() error { return unix.SetsockoptInt(in, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) },
		func() error { return unix.SetsockoptTimeval(in, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout) },
		func() error { return unix.Connect(in, address) },
	} {
		if err := set(); err != nil {
			closeAll(in)
			return 0, 0, err
		}
	}
	if out, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC); err != nil {
		closeAll(in)
		return 0, 0, err
	}
	return in, out, nil
}

// closeAll closes sockets of which nothing is wanted any more.
func closeAll(fds ...int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
