package stamp

import (
	"context"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestNotPollableIsRecognized makes Go's poller see EPOLLERR and nothing else,
// with a pipe that nobody reads any more.
func TestNotPollableIsRecognized(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Write(func(fd uintptr) bool { // a full pipe is not writable
		for {
			if _, err := syscall.Write(int(fd), make([]byte, 4096)); err != nil {
				return true
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if err := raw.Read(func(uintptr) bool { return false }); !notPollable(err) {
		t.Errorf("the poller says %q", err)
	}
}

// refusing is a connection that Go's poller refuses for a while.
type refusing struct {
	syscall.RawConn
	left int
}

func (r *refusing) Read(f func(uintptr) bool) error {
	if r.left--; r.left >= 0 {
		return &net.OpError{Op: "raw-read", Err: errNotPollable{}}
	}
	return r.RawConn.Read(f)
}

type errNotPollable struct{}

func (errNotPollable) Error() string { return "not pollable" }

func TestReadsGoOnWhereThePollerRefuses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		for range 2 {
			time.Sleep(10 * time.Millisecond)
			io.WriteString(conn, "token")
		}
	}()
	d, err := NewDialer(Options{Clock: ClockUser})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, _, err := d.Dial(context.Background(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, refusals := range map[string]int{"until the bytes come": 1 << 30, "for a few times": 3} {
		c.host.raw = &refusing{RawConn: c.host.raw, left: refusals}
		if s, err := c.NextSpan(); err != nil || string(s.Bytes) != "token" {
			t.Errorf("%s: %q, %v", name, s.Bytes, err)
		}
		c.host.raw = c.host.raw.(*refusing).RawConn
	}
}
