package stamp

import (
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// TestConnectionAroundAStep lets a connection believe that the wall clock was
// stepped. The machine's clock is left alone: what the connection knows of it
// from before is falsified by the size of the step, which looks the same to it.
func TestConnectionAroundAStep(t *testing.T) {
	for name, tc := range map[string]struct {
		clock Clock
		step  time.Duration
	}{
		"socket, forward": {ClockSocket, 30 * time.Millisecond},
		"socket, back":    {ClockSocket, -30 * time.Millisecond},
		"packet, forward": {ClockPacket, 30 * time.Millisecond},
		"packet, back":    {ClockPacket, -30 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			step := tc.step
			if tc.clock == ClockPacket {
				capturing(t, testPortFirst, testPortLast)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			d, err := NewDialer(Options{Clock: tc.clock})
			if err != nil {
				t.Fatal(err) // every Linux has this clock
			}
			defer d.Close()
			c, _, err := d.Dial(context.Background(), listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			server, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()

			exchange := func(when string, flags Flags) {
				t.Helper()
				before := Now()
				if _, err := io.WriteString(server, "token"); err != nil {
					t.Fatal(err)
				}
				after := Now()
				time.Sleep(2 * time.Millisecond) // a reader that is late
				s, err := c.NextSpan()
				if err != nil {
					t.Fatal(err)
				}
				if s.Flags != flags {
					t.Errorf("%s: flags %b, want %b", when, s.Flags, flags)
				}
				if s.At < before.Add(-stepNoise) || s.At > after.Add(stepNoise) {
					t.Errorf("%s: %v after its write began, %v after it ended", when, s.At.Sub(before), s.At.Sub(after))
				}
			}
			exchange("before", 0)
			c.tie.offset.Add(-int64(step))
			tie := c.tie
			if tc.clock == ClockPacket {
				tie = d.packets.(*Packets).tie
				tie.offset.Add(-int64(step))
			}
			exchange("right after", AroundStep)
			if seen := tie.step.Load(); Now() < seen.seen.Add(step.Abs()/2) { // not on a machine that stood still
				exchange("soon after", AroundStep)
			}
			time.Sleep(2 * step.Abs())
			exchange("long after", 0)
			if c.Clock() != tc.clock || c.Uncovered() != 0 {
				t.Errorf("clock %v, %d runs not covered", c.Clock(), c.Uncovered())
			}
		})
	}
}
