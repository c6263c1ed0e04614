package httpclient_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/sse"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const streamHead = "HTTP/1.1 200 OK\r\ndate: Mon, 01 Jan 2026 00:00:00 GMT\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"

const tokenEvent = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}]}` + "\n\n"

// skipRequest reads a request of known size without parsing it, so that the
// server adds little to what is measured.
func skipRequest(in *bufio.Reader) error {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) == 2 {
			_, err := in.Discard(length)
			return err
		}
		if rest, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			length = 0
			for _, d := range strings.TrimSpace(rest) {
				length = length*10 + int(d-'0')
			}
		}
	}
}

// BenchmarkStream is one request with 50 events, the server and its writes
// included: each event is a write of its own, or all come with one write.
func BenchmarkStream(b *testing.B) {
	event := []byte(chunk(tokenEvent))
	for name, each := range map[string]bool{"a write each": true, "one write": false} {
		for _, clock := range []backend.ClockChoice{backend.ClockUser, backend.ClockSocket, backend.ClockPacket} {
			b.Run(name+"/"+string(clock), func(b *testing.B) {
				wants(b, clock)
				all := []byte(streamHead + strings.Repeat(string(event), 50) + "0\r\n\r\n")
				server := newRawServer(b, func(conn *net.TCPConn, in *bufio.Reader) {
					for {
						if err := skipRequest(in); err != nil {
							return
						}
						if !each {
							conn.Write(all)
							continue
						}
						io.WriteString(conn, streamHead)
						for range 50 {
							conn.Write(event)
						}
						io.WriteString(conn, "0\r\n\r\n")
					}
				})
				c := newClient(b, httpclient.Options{Clock: clock})
				call := post(server.URL+"/v1/chat/completions", strings.Repeat("x", 700))
				b.ReportAllocs()
				for b.Loop() {
					var x stamp.Exchange
					answer, fail := c.Do(b.Context(), call, &x)
					if fail != nil {
						b.Fatal(fail)
					}
					events := sse.NewReader(answer.Body, 0)
					for {
						if _, err := events.Next(); errors.Is(err, io.EOF) {
							break
						} else if err != nil {
							b.Fatal(err)
						}
					}
					answer.Body.Close()
				}
			})
		}
	}
}

// BenchmarkRequest is the smallest request and answer.
func BenchmarkRequest(b *testing.B) {
	for _, clock := range []backend.ClockChoice{backend.ClockUser, backend.ClockSocket, backend.ClockPacket} {
		b.Run(string(clock), func(b *testing.B) {
			wants(b, clock)
			server := newRawServer(b, func(conn *net.TCPConn, in *bufio.Reader) {
				for skipRequest(in) == nil {
					io.WriteString(conn, okAnswer)
				}
			})
			c := newClient(b, httpclient.Options{Clock: clock})
			call := post(server.URL, "{}")
			b.ReportAllocs()
			for b.Loop() {
				if res := do(b, b.Context(), c, call); res.Err != nil {
					b.Fatal(res.Err)
				}
			}
		})
	}
}
