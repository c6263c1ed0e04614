package httpclient_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rawServer speaks bytes: each connection is handed to serve, which is done
// with it when it returns.
type rawServer struct {
	URL         string
	connections atomic.Int32
}

func newRawServer(t testing.TB, serve func(conn *net.TCPConn, in *bufio.Reader)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{URL: "http://" + listener.Addr().String()}
	var group sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			group.Go(func() {
				defer conn.Close()
				serve(conn.(*net.TCPConn), bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return s
}

// takeRequest reads one request with its body.
func takeRequest(in *bufio.Reader) (*http.Request, []byte, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

// answering serves every request with the given parts, with a pause between
// them, and closes the connection after the first where once is set.
func answering(once bool, pause time.Duration, parts ...string) func(*net.TCPConn, *bufio.Reader) {
	return func(conn *net.TCPConn, in *bufio.Reader) {
		for {
			if _, _, err := takeRequest(in); err != nil {
				return
			}
			for i, part := range parts {
				if i > 0 {
					time.Sleep(pause)
				}
				if _, err := io.WriteString(conn, part); err != nil {
					return
				}
			}
			if once {
				return
			}
		}
	}
}

func newClient(t testing.TB, o httpclient.Options) *httpclient.Client {
	t.Helper()
	c, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// result is one exchange, read to its end.
type result struct {
	Status int
	Header http.Header
	Body   string
	X      stamp.Exchange
	Err    *fault.Error
}

func do(t testing.TB, ctx context.Context, c *httpclient.Client, call *httpclient.Call) result {
	t.Helper()
	var res result
	answer, fail := c.Do(ctx, call, &res.X)
	if fail != nil {
		res.Err = fail
		return res
	}
	defer answer.Body.Close()
	res.Status, res.Header = answer.Status, answer.Header
	body, err := answer.Body.ReadAll(0)
	res.Body = string(body)
	if err != nil && !errors.As(err, &res.Err) {
		t.Errorf("the body failed with %T %v, want a *fault.Error", err, err)
	}
	return res
}

func post(url, body string) *httpclient.Call {
	return &httpclient.Call{Method: "POST", URL: url, Body: []byte(body), Header: http.Header{"Content-Type": {"application/json"}}}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// eachClock runs a test with each clock that works here.
func eachClock(t *testing.T, test func(t *testing.T, clock backend.ClockChoice)) {
	for _, clock := range []backend.ClockChoice{backend.ClockUser, backend.ClockSocket, backend.ClockPacket} {
		t.Run(string(clock), func(t *testing.T) {
			wants(t, clock)
			test(t, clock)
		})
	}
}

// wants skips a test, loudly, where a clock does not work; in CI on Linux that is
// a failure.
func wants(t testing.TB, clock backend.ClockChoice) {
	t.Helper()
	_, err := stamp.Select(string(clock))
	switch {
	case err == nil:
	case os.Getenv("CI") == "true" && runtime.GOOS == "linux":
		t.Fatalf("the clock %v is not tested: %v", clock, err)
	default:
		t.Skipf("THE CLOCK %v IS NOT TESTED: %v", clock, err)
	}
}

func wantClass(t *testing.T, got *fault.Error, class fault.Class, words ...string) {
	t.Helper()
	if got == nil {
		t.Fatalf("no failure, want class %v", class)
	}
	if got.Class != class {
		t.Errorf("class %v, want %v: %v", got.Class, class, got)
	}
	for _, w := range words {
		if !strings.Contains(got.Error(), w) {
			t.Errorf("%q does not say %q", got.Error(), w)
		}
	}
	if strings.ContainsAny(got.Error(), "\n\r") {
		t.Errorf("not one line: %q", got.Error())
	}
}
