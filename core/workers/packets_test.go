package workers_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// given is the configuration that this process was opened with, where it is a
// plugin.
var given atomic.Pointer[backend.Config]

func remember(c backend.Config) backend.Opened {
	given.Store(&c)
	return backend.Opened{Endpoint: "here", Clock: clockHere(c)}
}

// report is what a plugin process says of a connection that it made.
type report struct {
	Clock, TxClock string
	LocalPort      int
	First, Last    uint16
	Refused        bool // opening a packet socket of its own was
	Err            string
}

func (r report) String() string {
	return fmt.Sprintf("%s %s %d %d %d %t %q", r.Clock, r.TxClock, r.LocalPort, r.First, r.Last, r.Refused, r.Err)
}

func parseReport(s string) (r report, err error) {
	_, err = fmt.Sscanf(s, "%s %s %d %d %d %t %q", &r.Clock, &r.TxClock, &r.LocalPort, &r.First, &r.Last, &r.Refused, &r.Err)
	return r, err
}

func dialWithoutPrivilege(ctx context.Context, address string) string {
	return dialAs(ctx, address, *given.Load()).String()
}
