//go:build !linux

package stamp

import (
	"errors"
	"net"
	"runtime"
	"syscall"
)

type hostState struct{}

func kernelStamps() error {
	return errors.New("kernel receive stamps need Linux, this is " + runtime.GOOS)
}

func keepStamping() (release func(), err error) { return nil, kernelStamps() }

func beforeConnect(syscall.RawConn, Options) error { return nil }

func (c *Conn) prepare() error { return nil }

func (c *Conn) fill() error {
	n, err := c.tcp.Read(c.room())
	if n == 0 {
		return err
	}
	now := Now()
	c.took(n, Arrival{At: now, Read: now})
	return nil
}

func (c *Conn) uncover() Arrival { return c.read }

func (c *Conn) send(a, b []byte) error {
	buffers := net.Buffers{a, b}
	if len(b) == 0 {
		buffers = buffers[:1]
	}
	c.sent = Now()
	n, err := buffers.WriteTo(c.tcp)
	c.written += n
	return err
}

func (c *Conn) forgetLeft() {}

func (c *Conn) left() Nanos { return 0 }

func (c *Conn) segmentMax() int64 { return 0 }

func (c *Conn) stats() Stats { return Stats{} }

func (c *Conn) quiet() error { return quiet(c.tcp) }
