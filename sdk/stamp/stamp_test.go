package stamp_test

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

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns a stamped connection and the server's end of it.
func pair(t testing.TB, clock stamp.Clock, address string) (*stamp.Conn, *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		if strings.Contains(address, "::1") && os.Getenv("CI") == "" {
			t.Skipf("no IPv6 on this machine: %v", err)
		}
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- conn
	}()
	d, err := stamp.NewDialer(stamp.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	c, _, err := d.Dial(context.Background(), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server := (<-accepted).(*net.TCPConn)
	t.Cleanup(func() { c.Close(); server.Close() })
	return c, server
}

// clocks runs a test with each clock that works here.
func clocks(t *testing.T, test func(t *testing.T, clock stamp.Clock)) {
	for _, clock := range []stamp.Clock{stamp.ClockUser, stamp.ClockSocket, stamp.ClockPacket} {
		t.Run(clock.String(), func(t *testing.T) {
			wants(t, clock)
			test(t, clock)
		})
	}
}

// wants skips a test, loudly, where a clock does not work; in CI on Linux that is
// a failure.
func wants(t testing.TB, clock stamp.Clock) {
	t.Helper()
	_, err := stamp.Select(clock.String())
	switch {
	case err == nil:
	case os.Getenv("CI") == "true" && runtime.GOOS == "linux":
		t.Fatalf("the clock %v is not tested: %v", clock, err)
	default:
		t.Skipf("THE CLOCK %v IS NOT TESTED: %v", clock, err)
	}
}

func TestNowIsMonotonicAndConverts(t *testing.T) {
	before := stamp.Now()
	at := time.Now()
	after := stamp.Now()
	if of := stamp.Of(at); of < before || of > after {
		t.Errorf("Of(now) = %d is outside [%d, %d]", of, before, after)
	}
	if back := stamp.Of(before.Time()); back != before {
		t.Errorf("to time.Time and back: %d became %d", before, back)
	}
}

func TestSelect(t *testing.T) {
	for name, tc := range map[string]struct {
		wish    string
		wantErr string
	}{
		"auto":    {wish: "auto"},
		"empty":   {wish: ""},
		"user":    {wish: "user"},
		"unknown": {wish: "sundial", wantErr: `unknown clock "sundial" (use auto, packet, socket or user)`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := stamp.Select(tc.wish)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || s.Clock == stamp.ClockUnspecified {
				t.Fatalf("got %+v, %v", s, err)
			}
		})
	}
}

func TestReadIsStampedBetweenWriteAndRead(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
			t.Run(address, func(t *testing.T) {
				c, server := pair(t, clock, address)
				for i := range 20 {
					before := stamp.Now()
					if _, err := server.Write([]byte("hello")); err != nil {
						t.Fatal(err)
					}
					s, err := c.NextSpan()
					after := stamp.Now()
					if err != nil || string(s.Bytes) != "hello" {
						t.Fatalf("got %q, %v", s.Bytes, err)
					}
					if s.At < before || s.At > s.Read || s.Read > after {
						t.Errorf("read %d: want %d ≤ At %d ≤ Read %d ≤ %d", i, before, s.At, s.Read, after)
					}
					if s.Flags != 0 {
						t.Errorf("read %d has flags %b", i, s.Flags)
					}
				}
			})
		}
	})
}

func TestReadNeverCrossesArrivals(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		c, server := pair(t, clock, "127.0.0.1:0")
		var got []byte
		p := make([]byte, 3)
		for _, text := range []string{"abcde", "fgh"} {
			if _, err := io.WriteString(server, text); err != nil {
				t.Fatal(err)
			}
			var first stamp.Arrival
			for n := 0; n < len(text); {
				k, err := c.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					first = c.Last()
				} else if c.Last() != first {
					t.Errorf("one arrival became two: %v and %v", first, c.Last())
				}
				got = append(got, p[:k]...)
				n += k
			}
		}
		if string(got) != "abcdefgh" {
			t.Errorf("got %q", got)
		}
		server.Close()
		if _, err := c.Read(p); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v, want io.EOF", err)
		}
	})
}

func TestLargeStreamArrivesWhole(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		c, server := pair(t, clock, "127.0.0.1:0")
		const size = 3<<20 + 17
		go func() {
			b := make([]byte, size)
			for i := range b {
				b[i] = byte(i * 7)
			}
			server.Write(b)
			server.Close()
		}()
		n := 0
		last, flags := stamp.Nanos(0), stamp.Flags(0)
		for {
			s, err := c.NextSpan()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range s.Bytes {
				if x != byte(n*7) {
					t.Fatalf("byte %d is wrong", n)
				}
				n++
			}
			if s.At < last {
				t.Errorf("arrivals go back by %v (flags %b, then %b)", last.Sub(s.At), flags, s.Flags)
			}
			last, flags = s.At, s.Flags
		}
		if n != size {
			t.Errorf("%d bytes of %d", n, size)
		}
	})
}

func TestSendWritesBothBuffers(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		for name, sizes := range map[string][2]int{
			"small": {10, 5}, "first only": {10, 0}, "second only": {0, 10},
			"one byte": {1, 0}, "larger than the send buffer": {100, 8 << 20}, "both large": {3 << 20, 3 << 20},
		} {
			t.Run(name, func(t *testing.T) {
				c, server := pair(t, clock, "127.0.0.1:0")
				a, b := make([]byte, sizes[0]), make([]byte, sizes[1])
				for i := range a {
					a[i] = byte(i)
				}
				for i := range b {
					b[i] = byte(i * 3)
				}
				read := make(chan []byte)
				go func() {
					all, _ := io.ReadAll(server)
					read <- all
				}()
				c.Track(true)
				before := stamp.Now()
				if err := c.Send(a, b); err != nil {
					t.Fatal(err)
				}
				if c.Sent() < before {
					t.Error("sent before it was sent")
				}
				left, by := c.Left()
				for patience := time.Now().Add(10 * time.Second); clock == stamp.ClockSocket && left == 0 && time.Now().Before(patience); {
					time.Sleep(time.Millisecond) // a large message drains meanwhile
					left, by = c.Left()
				}
				c.Close()
				got := <-read
				if string(got) != string(a)+string(b) {
					t.Errorf("got %d bytes, not those sent (%d + %d)", len(got), len(a), len(b))
				}
				if clock == stamp.ClockSocket {
					if by != stamp.ClockSocket || left < c.Sent() || left > stamp.Now() {
						t.Errorf("left at %d by clock %v; sent at %d", left, by, c.Sent())
					}
				}
			})
		}
	})
}

func TestDeadlineEndsARead(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		c, _ := pair(t, clock, "127.0.0.1:0")
		c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := c.NextSpan(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloseEndsARead(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		c, _ := pair(t, clock, "127.0.0.1:0")
		time.AfterFunc(20*time.Millisecond, func() { c.Close() })
		if _, err := c.NextSpan(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestQuiet(t *testing.T) {
	clocks(t, func(t *testing.T, clock stamp.Clock) {
		c, server := pair(t, clock, "127.0.0.1:0")
		if err := c.Quiet(); err != nil {
			t.Errorf("a connection at rest: %v", err)
		}
		io.WriteString(server, "x")
		time.Sleep(20 * time.Millisecond)
		if err := c.Quiet(); err == nil {
			t.Error("unread bytes were not noticed")
		}
		if s, err := c.NextSpan(); err != nil || string(s.Bytes) != "x" {
			t.Fatalf("the check took bytes away: %q %v", s.Bytes, err)
		}
		server.Close()
		time.Sleep(20 * time.Millisecond)
		if err := c.Quiet(); err == nil {
			t.Error("the peer's close was not noticed")
		}
	})
}

func TestDialFailures(t *testing.T) {
	d, err := stamp.NewDialer(stamp.Options{Clock: stamp.ClockUser})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, _, err := d.Dial(context.Background(), "127.0.0.1:1"); err == nil {
		t.Error("a dial to a closed port worked")
	}
	var dns *net.DNSError
	if _, _, err := d.Dial(context.Background(), "no-such-host.invalid:80"); !errors.As(err, &dns) {
		t.Errorf("unknown host: %v", err)
	}
	for name, o := range map[string]stamp.Options{
		"ports backwards": {Clock: stamp.ClockUser, LocalPortFirst: 2000, LocalPortLast: 1000},
	} {
		if _, err := stamp.NewDialer(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFlagsHaveNames(t *testing.T) {
	for want, flags := range map[string]stamp.Flags{
		"":                      0,
		"bundled":               stamp.Bundled,
		"waited,ambiguous":      stamp.Waited | stamp.Ambiguous,
		"coalesced,around-step": stamp.Coalesced | stamp.AroundStep,
		"fell-back":             stamp.FellBack,
	} {
		if got := flags.String(); got != want {
			t.Errorf("%#x is %q, want %q", uint16(flags), got, want)
		}
	}
}
