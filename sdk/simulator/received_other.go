//go:build !linux

package simulator

import (
	"net"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// receiveClock does nothing: the kernel is not asked when bytes were received.
type receiveClock struct{}

func newReceiveClock() *receiveClock { return &receiveClock{} }

func (*receiveClock) listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func (*receiveClock) remembering(conn net.Conn) net.Conn { return conn }

func receivedAt(net.Conn) stamp.Nanos { return 0 }

func kernelOf(net.Conn) kernel { return nil }
