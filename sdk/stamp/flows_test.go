package stamp

import (
	"net/netip"
	"testing"
	"time"
)

func netipOf(last byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(address(last)), port)
}

// begins lets a table see the SYN of a connection and its answer, as far as told.
func begins(f *flows, port uint16, first uint32, syn, answer bool, at Nanos) {
	if syn {
		f.take(&segment{src: address(1), dst: address(2), srcPort: port, dstPort: 80, seq: first, flags: flagSYN}, true, at, 0)
	}
	if answer {
		f.take(&segment{src: address(2), dst: address(1), srcPort: 80, dstPort: port, seq: 10 * first, ack: first + 1, flags: flagSYN | flagACK}, false, at, 0)
	}
}

func claims(f *flows, port uint16) *flow {
	return f.claim(Flow{Local: netipOf(1, port), Peer: netipOf(2, 80)})
}

func TestFlowsAreClaimedOnceTheirBeginningWasSeen(t *testing.T) {
	f := newFlows(100, 199)
	for name, tc := range map[string]struct {
		port        uint16
		syn, answer bool
		want        bool
	}{
		"whole":               {port: 100, syn: true, answer: true, want: true},
		"the answer only":     {port: 110, answer: true, want: true},
		"the SYN only":        {port: 120, syn: true},
		"neither":             {port: 130},
		"the last port":       {port: 199, syn: true, answer: true, want: true},
		"beyond the ports":    {port: 200, syn: true, answer: true},
		"in front of them":    {port: 99, syn: true, answer: true},
		"a port of our own 0": {port: 0, syn: true, answer: true},
	} {
		t.Run(name, func(t *testing.T) {
			begins(f, tc.port, 5, tc.syn, tc.answer, ms)
			if got := claims(f, tc.port); (got != nil) != tc.want {
				t.Fatalf("claimed: %v", got)
			}
			if claims(f, tc.port) != nil {
				t.Error("claimed twice")
			}
			if other := f.claim(Flow{Local: netipOf(1, tc.port), Peer: netipOf(3, 80)}); other != nil {
				t.Error("claimed for another peer")
			}
		})
	}
}

func TestUnclaimedFlowsAreForgotten(t *testing.T) {
	f := newFlows(1, 65535)
	for port := range unclaimedMax + 10 {
		begins(f, uint16(port+1), 5, true, true, ms)
	}
	if f.unclaimed != unclaimedMax {
		t.Errorf("%d connections are remembered that nobody claims", f.unclaimed)
	}
	kept := claims(f, 7)
	f.expire(ms.Add(unclaimedFor))
	if f.unclaimed != unclaimedMax-1 {
		t.Errorf("%d remembered before their time was over", f.unclaimed)
	}
	f.expire(ms.Add(unclaimedFor + time.Nanosecond))
	if f.unclaimed != 0 || claims(f, 8) != nil {
		t.Errorf("%d remembered", f.unclaimed)
	}
	if find(f.byPort[6], &kept.local, &kept.peer, 80) != kept {
		t.Error("a claimed connection was forgotten")
	}
	begins(f, 9, 5, true, true, ms)
	if claims(f, 9) == nil {
		t.Error("there is no room for further connections")
	}
}

func TestAPortIsUsedAgain(t *testing.T) {
	f := newFlows(100, 100)
	begins(f, 100, 5, true, true, ms)
	first := claims(f, 100)
	begins(f, 100, 5, true, false, ms) // the same SYN, sent again
	if find(f.byPort[0], &first.local, &first.peer, 80) != first {
		t.Fatal("a SYN that was sent again ends the connection")
	}
	begins(f, 100, 6000, true, true, 2*ms)
	second := claims(f, 100)
	if second == nil || second == first || second.inBase != 60_001 {
		t.Fatalf("claimed %+v", second)
	}
	f.drop(first) // its owner closes late
	if find(f.byPort[0], &second.local, &second.peer, 80) != second || f.unclaimed != 0 {
		t.Error("the end of the first connection ended the second")
	}
	f.drop(second)
	f.drop(second)
	if f.byPort[0] != nil || f.unclaimed != 0 {
		t.Errorf("something is left: %+v", f)
	}
}
