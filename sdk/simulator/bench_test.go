package simulator

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// discard is a connection to nowhere.
type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkToken is the server's own work for one token, without the kernel's.
func BenchmarkToken(b *testing.B) {
	s := start(b, Config{})
	x := &exchange{server: s, record: &Record{}, gone: make(chan struct{})}
	x.wire = &h1Wire{conn: discard{}, record: x.record, chunked: true}
	a := newAnswer(x, &generation{chat: true, model: "m", n: 1}, []int{1 << 30}, []string{"length"})
	a.out = &deliverer{x: x, fault: a.fault}
	a.renderer.Head(a)
	x.record.Events, x.record.Writes = make([]Event, 0, b.N+2), make([]Write, 0, b.N+2)
	b.ReportAllocs()
	for k := 1; b.Loop(); k++ {
		if len(x.record.Events) == cap(x.record.Events) {
			x.record.Events, x.record.Writes, x.settled = x.record.Events[:0], x.record.Writes[:0], 0
		}
		if err := a.token(0, k, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStreams sends tokens over loopback to clients that only read: the
// most that one machine can emit, its clients included. An operation is a token.
func BenchmarkStreams(b *testing.B) {
	for _, streams := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			s := start(b, Config{JournalSize: 1})
			const tokens = 200
			conns := make([]net.Conn, streams)
			for i := range conns {
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				conns[i] = conn
			}
			body := fmt.Sprintf(`{"prompt":"a","max_tokens":%d,"stream":true}`, tokens)
			request := fmt.Sprintf("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			b.ReportAllocs()
			b.ResetTimer()
			var left sync.WaitGroup
			began := time.Now()
			share := b.N/tokens/streams + 1
			for _, conn := range conns {
				left.Go(func() {
					buf := make([]byte, 64<<10)
					for range share {
						if _, err := io.WriteString(conn, request); err != nil {
							b.Error(err)
							return
						}
						for end := false; !end; {
							n, err := conn.Read(buf)
							if err != nil {
								b.Error(err)
								return
							}
							end = strings.HasSuffix(string(buf[:n]), "0\r\n\r\n")
						}
					}
				})
			}
			left.Wait()
			b.ReportMetric(float64(share*tokens*streams)/time.Since(began).Seconds(), "tokens/s")
		})
	}
}

// BenchmarkLockstep holds the load of so many streams at 50 tokens/s for about a
// second and shows how late the tokens leave.
func BenchmarkLockstep(b *testing.B) {
	for _, streams := range []int{64, 512, 2048} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			for b.Loop() {
				s := start(b, Config{StepTime: 20 * time.Millisecond})
				var left sync.WaitGroup
				for i := range streams {
					left.Go(func() {
						conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
						if err != nil {
							b.Error(err)
							return
						}
						defer conn.Close()
						body := `{"prompt":"a","max_tokens":50,"stream":true}`
						if _, err := fmt.Fprintf(conn, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: %d\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body); err != nil {
							b.Error(err)
						}
						if _, err := io.Copy(io.Discard, conn); err != nil {
							b.Error(err)
						}
					})
				}
				left.Wait()
				var late []time.Duration
				for i := range streams {
					r := truth(b, s, fmt.Sprint(i))
					for k, e := range r.Events[1 : len(r.Events)-2] {
						before, _ := r.Interval(e)
						late = append(late, before.Sub(r.Prefilled.Add(time.Duration(k)*20*time.Millisecond)))
					}
				}
				b.ReportMetric(quantile(late, 0.5), "p50-late-µs")
				b.ReportMetric(quantile(late, 0.99), "p99-late-µs")
			}
		})
	}
}
