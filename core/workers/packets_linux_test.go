package workers_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/genai-bench/genai-bench/core/workers"
	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func clockHere(c backend.Config) stamp.Clock {
	s, err := stamp.Select(string(c.Clock))
	if err != nil {
		return stamp.ClockUnspecified
	}
	return s.Clock
}

// dialAs connects on a thread that has given up every capability. The thread
// ends with it.
func dialAs(ctx context.Context, address string, c backend.Config) report {
	done := make(chan report, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		r := report{Clock: "unspecified", TxClock: "unspecified", First: c.LocalPortFirst, Last: c.LocalPortLast}
		if err := dialBare(ctx, address, &r); err != nil {
			r.Err = err.Error()
		}
		done <- r
	}()
	return <-done
}

func dialBare(ctx context.Context, address string, r *report) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	_, err := stamp.OpenPacketSocket(r.First, r.Last)
	r.Refused = errors.Is(err, stamp.ErrNoCapture)
	d, err := stamp.NewDialer(stamp.Options{Clock: stamp.ClockPacket, LocalPortFirst: r.First, LocalPortLast: r.Last})
	if err != nil {
		return err
	}
	defer d.Close()
	conn, _, err := d.Dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	r.LocalPort = conn.LocalAddr().(*net.TCPAddr).Port
	conn.Track(true)
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	if _, err := conn.NextSpan(); err != nil {
		return err
	}
	if conn.Uncovered() == 0 {
		r.Clock = conn.Clock().String()
	}
	_, tx := conn.Left()
	r.TxClock = tx.String()
	return nil
}

// mayCapture skips where this process has not the privilege; in CI that is a
// failure.
func mayCapture(t *testing.T) {
	t.Helper()
	first, last, err := stamp.LocalPorts()
	if err == nil {
		err = stamp.LocalPortRanges()
	}
	var socket *os.File
	if err == nil {
		socket, err = stamp.OpenPacketSocket(first, last)
	}
	switch {
	case err == nil:
		_ = socket.Close()
	case os.Getenv("CI") == "true":
		t.Fatalf("the clock packet is not tested: %v", err)
	default:
		t.Skipf("THE CLOCK PACKET IS NOT TESTED: %v", err)
	}
}

// TestWorkersSeeTheirOwnPacketsWithoutPrivilege: core opens the sockets, and
// each process, that which comes after a crash too, uses its own on a thread
// without any capability.
func TestWorkersSeeTheirOwnPacketsWithoutPrivilege(t *testing.T) {
	mayCapture(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.CopyN(conn, conn, 5)
			}()
		}
	}()
	c := collect(t)
	l := &launcher{}
	p, opened, err := workers.Open(t.Context(), workers.Options{
		Launch: l.launch, Component: "scripted", Count: 2, Logger: hclog.NewNullLogger(), Outcome: c.outcome,
	})
	if err != nil || opened.Failed() {
		t.Fatal(err, opened.Problems)
	}
	defer p.Close()
	if opened.Clock != stamp.ClockPacket || opened.ClockNote != "" {
		t.Errorf("auto chose the clock %v, note %q", opened.Clock, opened.ClockNote)
	}
	start(t, p, "dial "+listener.Addr().String(), 1, 2)
	c.wait(2)
	l.crash(t)
	for end := time.Now().Add(10 * time.Second); p.Crashes() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the end of a process is not noticed")
		}
	}
	start(t, p, "dial "+listener.Addr().String(), 3, 4) // one has a successor
	ranges := map[uint16]int{}
	for seq, o := range c.wait(2) {
		r, err := parseReport(o.Choices[0].FinishRaw)
		if err != nil {
			t.Fatalf("request %d: %q: %v", seq, o.Choices[0].FinishRaw, err)
		}
		if r.Err != "" || r.Clock != "packet" || r.TxClock != "packet" || !r.Refused {
			t.Errorf("request %d: %+v", seq, r)
		}
		if r.LocalPort < int(r.First) || r.LocalPort > int(r.Last) {
			t.Errorf("request %d: %+v", seq, r)
		}
		ranges[r.First]++
	}
	if len(ranges) != 2 {
		t.Errorf("requests by the first port of their worker's range: %v, want two of each", ranges)
	}
}

// TestPacketClockWithoutPrivilege: who asks for it is told what is missing, who
// does not is told how to get it.
func TestPacketClockWithoutPrivilege(t *testing.T) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // never unlocked: the thread ends with its capabilities
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		options := workers.Options{
			Launch: (&launcher{}).launch, Component: "scripted", Logger: hclog.NewNullLogger(),
			Config: backend.Config{Clock: backend.ClockPacket}, Outcome: func(int, *backend.Outcome) {},
		}
		p, opened, err := workers.Open(t.Context(), options)
		if p != nil || err != nil || len(opened.Problems) != 1 {
			t.Errorf("pool %v, opened %+v, err %v", p, opened, err)
			return
		}
		if q := opened.Problems[0]; q.Option != "clock" || q.Severity != option.Error || !strings.Contains(q.Hint, "sudo setcap cap_net_raw+p /") {
			t.Errorf("problem %+v", q)
		}
		options.Config.Clock = backend.ClockAuto
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		p, opened, err = workers.Open(ctx, options)
		if err != nil {
			t.Error(err)
			return
		}
		defer p.Close()
		if opened.Clock != stamp.ClockSocket || !strings.Contains(opened.ClockNote, "sudo setcap cap_net_raw+p /") {
			t.Errorf("clock %v, note %q", opened.Clock, opened.ClockNote)
		}
	}()
	<-over
}
