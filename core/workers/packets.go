package workers

import (
	"errors"
	"fmt"
	"os"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// portsMin is the fewest local ports that a worker is given: a connection that
// was closed keeps its port for a minute.
const portsMin = 1000

// capture opens the packet sockets of the workers. Each has its own share of
// the host's local ports: the socket's filter lets its worker see the headers
// of just these connections. A worker has no privilege of its own.
//
// A kernel before Linux 6.3 keeps no connection in a share. There all workers
// have all of the local ports, and each ring shows the connections of all,
// which costs CPU and is no less exact.
type capture struct {
	first, last uint16
	count       int   // of shares; 0: nothing is to be opened
	refused     error // why there are no packets; nil also where none are wanted
}

// newCapture finds out what there is. The zero capture opens nothing.
func newCapture(wish backend.ClockChoice, workers int) capture {
	if wish != "" && wish != backend.ClockAuto && wish != backend.ClockPacket {
		return capture{}
	}
	first, last, err := stamp.LocalPorts()
	if err != nil {
		return capture{refused: err}
	}
	c := divide(first, last, workers, stamp.LocalPortRanges() == nil)
	if c.refused != nil {
		return c
	}
	socket, err := stamp.OpenPacketSocket(first, last)
	if err != nil {
		return capture{refused: err}
	}
	_ = socket.Close() // it was a trial
	return c
}

// divide shares out the local ports, where the kernel can keep connections in
// ranges of them.
func divide(first, last uint16, workers int, ranges bool) capture {
	if !ranges {
		return capture{first: first, last: last, count: 1}
	}
	if size := (int(last) - int(first) + 1) / workers; size < portsMin {
		return capture{refused: fmt.Errorf("%d local ports for each worker are too few (widen net.ipv4.ip_local_port_range)", size)}
	}
	return capture{first: first, last: last, count: workers}
}

// share is the range of local ports of a worker, inclusive.
func (c capture) share(worker int) (first, last uint16) {
	size := (int(c.last) - int(c.first) + 1) / c.count
	first = c.first + uint16(worker%c.count*size)
	return first, first + uint16(size-1)
}

// open returns the socket and the ports of a worker; nil: there are none.
func (c capture) open(worker int) (socket *os.File, first, last uint16, err error) {
	if c.count == 0 {
		return nil, 0, 0, nil
	}
	first, last = c.share(worker)
	socket, err = stamp.OpenPacketSocket(first, last)
	return socket, first, last, err
}

// problem is what the user hears who asked for packets where there are none.
func (c capture) problem() option.Problem {
	p := option.Problem{
		Option: "clock", Severity: option.Error,
		Message: fmt.Sprintf("the clock packet does not work here: %v", c.refused), Hint: "use auto",
	}
	if errors.Is(c.refused, stamp.ErrNoCapture) {
		p.Hint = remedy() + ", or use auto"
	}
	return p
}

// note tells how to get the packet clock.
func (c capture) note() string {
	if errors.Is(c.refused, stamp.ErrNoCapture) {
		return "the packet clock stays exact where segments bundle: " + remedy()
	}
	return "no packet clock: " + c.refused.Error()
}

// remedy gives the privilege to this program, which keeps it to itself.
func remedy() string {
	program, err := os.Executable()
	if err != nil {
		program = "genai-bench"
	}
	return "sudo setcap cap_net_raw+p " + program
}
