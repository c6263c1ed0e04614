package httpclient_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// write is one write of a server: what, and how long it waits before.
type write struct {
	pause time.Duration
	text  string
}

// moments are the server's own times around each write.
type moments struct{ began, ended stamp.Nanos }

func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// TestEventsCarryTheArrivalOfTheirLastByte joins the stamps of events with the
// server's own times of writing.
func TestEventsCarryTheArrivalOfTheirLastByte(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	const pause = 15 * time.Millisecond
	for name, tc := range map[string]struct {
		writes []write
		// completes[i] is the write that completes event i.
		completes []int
		late      time.Duration // of the reader, before each event
		bundled   []bool        // events that must be flagged; nil: none may be
		socket    bool          // holds for the socket clock only
	}{
		"an event a chunk": {
			writes:    []write{{0, head}, {pause, chunk("data: a\n\n")}, {pause, chunk("data: b\n\n")}, {pause, "0\r\n\r\n"}},
			completes: []int{1, 2},
		},
		"the next chunk's head comes along": {
			writes:    []write{{0, head}, {pause, chunk("data: a\n\n") + "9\r\n"}, {pause, "data: b\n\n\r\n"}, {pause, "0\r\n\r\n"}},
			completes: []int{1, 2},
		},
		"the end of the chunk comes late": {
			writes:    []write{{0, head}, {pause, "9\r\ndata: a\n\n"}, {pause, "\r\n9\r\ndata: b\n\n"}, {pause, "\r\n0\r\n\r\n"}},
			completes: []int{1, 2},
		},
		"several events trickle in one chunk": {
			writes:    []write{{0, head}, {pause, "1b\r\ndata: a\n\n"}, {pause, "data: b\n\n"}, {pause, "data: c\n\n"}, {pause, "\r\n0\r\n\r\n"}},
			completes: []int{1, 2, 3},
		},
		"an event over several chunks": {
			writes:    []write{{0, head}, {pause, chunk("data")}, {pause, chunk(": \xE2\x82")}, {pause, chunk("\xAC\n")}, {pause, chunk("\n")}, {pause, "0\r\n\r\n"}},
			completes: []int{4},
		},
		"an event with the head": {
			writes:    []write{{0, head + chunk("data: a\n\n")}, {pause, chunk("data: b\n\n")}, {pause, "0\r\n\r\n"}},
			completes: []int{0, 1},
		},
		"two events in a segment": {
			writes:    []write{{0, head}, {pause, chunk("data: a\n\ndata: b\n\n")}, {pause, "0\r\n\r\n"}},
			completes: []int{1, 1},
		},
		"a reader 50 ms late": {
			writes:    []write{{0, head}, {pause, chunk("data: a\n\n")}, {70 * time.Millisecond, chunk("data: b\n\n")}, {70 * time.Millisecond, "0\r\n\r\n"}},
			completes: []int{1, 2}, late: 50 * time.Millisecond, socket: true,
		},
		"a late reader's bundle": {
			writes:    []write{{0, head}, {10 * time.Millisecond, chunk("data: a\n\n")}, {10 * time.Millisecond, chunk("data: b\n\n")}, {10 * time.Millisecond, chunk("data: c\n\n")}, {100 * time.Millisecond, "0\r\n\r\n"}},
			completes: []int{3, 3, 3}, late: 60 * time.Millisecond, bundled: []bool{true, true, true}, socket: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
				if tc.socket && clock != backend.ClockSocket {
					t.Skip("the user clock is the reader's")
				}
				var mu sync.Mutex
				var written []moments
				server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
					if _, _, err := takeRequest(in); err != nil {
						return
					}
					for _, w := range tc.writes {
						time.Sleep(w.pause)
						began := stamp.Now()
						io.WriteString(conn, w.text)
						mu.Lock()
						written = append(written, moments{began, stamp.Now()})
						mu.Unlock()
					}
				})
				c := newClient(t, httpclient.Options{Clock: clock})
				var x stamp.Exchange
				answer, fail := c.Do(t.Context(), &httpclient.Call{URL: server.URL}, &x)
				if fail != nil {
					t.Fatal(fail)
				}
				defer answer.Body.Close()
				events := sse.NewReader(answer.Body, 0)
				arrived := make([]stamp.Arrival, 0, len(tc.completes))
				for range tc.completes {
					if len(arrived) == 0 || tc.bundled == nil {
						time.Sleep(tc.late)
					}
					event, err := events.Next()
					if err != nil {
						t.Fatal(err)
					}
					arrived = append(arrived, event.Arrival)
				}
				if _, err := events.Next(); !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				mu.Lock()
				defer mu.Unlock()
				for i, at := range arrived {
					w := written[tc.completes[i]]
					next := at.Read
					if tc.socket {
						next = w.ended // loopback delivers within the write
					}
					if at.At < w.began || at.At > next {
						t.Errorf("event %d arrived %v after its write began and %v after it ended (flags %b)", i, at.At.Sub(w.began), at.At.Sub(w.ended), at.Flags)
					}
					bundled := at.Flags&stamp.Bundled != 0
					if want := tc.bundled != nil && tc.bundled[i]; clock == backend.ClockSocket && bundled != want {
						t.Errorf("event %d bundled %v, want %v", i, bundled, want)
					}
				}
				last := written[len(written)-1]
				if x.LastByte < last.began || x.ReadEnd < x.LastByte || x.Headers < written[0].began || x.Headers > written[1].began && tc.late == 0 {
					t.Errorf("the exchange's times: head %v after its write, last byte %v after its", x.Headers.Sub(written[0].began), x.LastByte.Sub(last.began))
				}
			})
		})
	}
}

// TestBytesAreNeverHeldBack: what has arrived is handed out before anything
// else comes.
func TestBytesAreNeverHeldBack(t *testing.T) {
	for name, text := range map[string]string{
		"the chunk's end is missing":            "5\r\nhello",
		"the next chunk's size has begun":       "5\r\nhello\r\n1",
		"the next chunk's size is there":        "5\r\nhello\r\n5\r\n",
		"the chunk is not complete":             "a\r\nhello",
		"the last chunk is there, without end":  "5\r\nhello\r\n0\r\n",
		"the end of the chunk's end is missing": "5\r\nhello\r",
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
				takeRequest(in)
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+text)
				<-release
			})
			c := newClient(t, httpclient.Options{Limits: backend.Limits{Total: 10 * time.Second}})
			var x stamp.Exchange
			answer, fail := c.Do(t.Context(), &httpclient.Call{URL: server.URL}, &x)
			if fail != nil {
				t.Fatal(fail)
			}
			span, err := answer.Body.NextSpan()
			if err != nil || string(span.Bytes) != "hello" {
				t.Errorf("%q, %v", span.Bytes, err)
			}
			close(release)
			answer.Body.Close()
		})
	}
}

func TestExchangeOfASimpleRequest(t *testing.T) {
	eachClock(t, func(t *testing.T, clock backend.ClockChoice) {
		server := newRawServer(t, answering(false, 0, okAnswer))
		c := newClient(t, httpclient.Options{Clock: clock})
		used, _ := c.Clock()
		for range 3 {
			res := do(t, t.Context(), c, post(server.URL, strings.Repeat("x", 2000)))
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			x := res.X
			if x.Clock != used || x.Handed < x.SendStart || x.Headers < x.Handed || x.LastByte < x.Headers || x.ReadEnd < x.LastByte {
				t.Errorf("times out of order: %+v", x)
			}
			if clock != backend.ClockUser && (x.TxClock.String() != string(clock) || x.Left < x.Handed || x.Left > x.Headers) {
				t.Errorf("left %v after handed, by %v", x.Left.Sub(x.Handed), x.TxClock)
			}
			if x.Peer != strings.TrimPrefix(server.URL, "http://") {
				t.Errorf("peer %q", x.Peer)
			}
		}
	})
}
