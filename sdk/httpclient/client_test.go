package httpclient_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestBodies(t *testing.T) {
	for name, tc := range map[string]struct {
		method  string
		parts   []string
		closed  bool // by the server, after the answer
		want    string
		status  int // 200 where 0
		reused  bool
		failure fault.Class
	}{
		"by length":             {parts: []string{okAnswer}, want: "ok", reused: true},
		"by length in pieces":   {parts: []string{"HTTP/1.1 200 OK\r\nContent-Le", "ngth: 4\r\n\r", "\no", "k", "ok"}, want: "okok", reused: true},
		"equal lengths":         {parts: []string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"}, want: "ok", reused: true},
		"empty":                 {parts: []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, reused: true},
		"line feeds only":       {parts: []string{"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"}, want: "ok", reused: true},
		"no reason":             {parts: []string{"HTTP/1.1 200\r\n\r\n"}, failure: 0, closed: true},
		"folded line":           {parts: []string{"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"}, want: "ok", reused: true},
		"chunked":               {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nA\r\n0123456789\r\n0\r\n\r\n"}, want: "ok0123456789", reused: true},
		"chunked, every byte":   {parts: strings.Split("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0a\r\n0123456789\r\n0\r\nT: x\r\n\r\n", ""), want: "ok0123456789", reused: true},
		"chunk extensions":      {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2 ;a=\"b\"\r\nok\r\n000\r\n\r\n"}, want: "ok", reused: true},
		"trailer":               {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\nC: d\r\n\r\n"}, want: "ok", reused: true},
		"chunked beats length":  {parts: []string{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"}, want: "ok", reused: true},
		"by close":              {parts: []string{"HTTP/1.1 200 OK\r\n\r\no", "k"}, closed: true, want: "ok"},
		"HTTP/1.0":              {parts: []string{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nok"}, closed: true, want: "ok"},
		"HTTP/1.0 keep-alive":   {parts: []string{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"}, want: "ok", reused: true},
		"connection close":      {parts: []string{"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 2\r\n\r\nok"}, want: "ok"},
		"204":                   {parts: []string{"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"}, status: 204, reused: true},
		"304":                   {parts: []string{"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"}, status: 304, reused: true},
		"HEAD":                  {method: "HEAD", parts: []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}, reused: true},
		"redirect is an answer": {parts: []string{"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nok"}, status: 302, want: "ok", reused: true},
		"error with body":       {parts: []string{"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"}, status: 500, want: "no", reused: true},
		"100 and 103 before":    {parts: []string{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", okAnswer}, want: "ok", reused: true},
		"bytes after the end":   {parts: []string{okAnswer + "HTTP/1.1 200 OK\r\n"}, want: "ok"},

		"too short":                  {parts: []string{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"}, closed: true, want: "ok", failure: fault.Truncated},
		"cut in a chunk":             {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"}, closed: true, want: "ok", failure: fault.Truncated},
		"cut before the last chunk":  {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"}, closed: true, want: "ok", failure: fault.Truncated},
		"cut in the trailer":         {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"}, closed: true, want: "ok", failure: fault.Truncated},
		"no chunk size":              {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"}, failure: fault.Protocol},
		"chunk size no number":       {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"}, failure: fault.Protocol},
		"chunk size absurd":          {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"}, failure: fault.Protocol},
		"chunk size too long":        {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\n"}, failure: fault.Protocol},
		"chunk extension endless":    {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5000)}, failure: fault.Protocol},
		"chunk longer than its size": {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n"}, want: "ok", failure: fault.Protocol},
		"chunk line feed only":       {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n"}, failure: fault.Protocol},
		"endless trailer":            {parts: []string{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 20000)}, failure: fault.Protocol},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, answering(tc.closed, time.Millisecond, tc.parts...))
			c := newClient(t, httpclient.Options{})
			call := &httpclient.Call{Method: tc.method, URL: server.URL + "/v1"}
			res := do(t, t.Context(), c, call)
			if tc.failure != fault.Unspecified {
				wantClass(t, res.Err, tc.failure)
			} else if res.Err != nil {
				t.Fatal(res.Err)
			} else if want := max(tc.status, 200); res.Status != want && tc.status != 0 || tc.status == 0 && res.Status != 200 {
				t.Errorf("status %d, want %d", res.Status, want)
			}
			if res.Body != tc.want {
				t.Errorf("body %q, want %q", res.Body, tc.want)
			}
			if tc.failure != fault.Unspecified {
				return
			}
			again := do(t, t.Context(), c, call)
			if again.Err != nil {
				t.Fatalf("the next request: %v", again.Err)
			}
			if again.X.Connect.Reused != tc.reused {
				t.Errorf("the next request reused the connection: %v, want %v", again.X.Connect.Reused, tc.reused)
			}
		})
	}
}

func TestHeads(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		closed bool
		class  fault.Class
		words  string
	}{
		"nothing":                {closed: true, class: fault.Connect, words: "without an answer"},
		"cut":                    {answer: "HTTP/1.1 200 OK\r\nContent-", closed: true, class: fault.Truncated},
		"no HTTP":                {answer: "SSH-2.0-OpenSSH_9.6\r\n", class: fault.Protocol, words: "SSH-2.0"},
		"TLS alert":              {answer: "\x15\x03\x01\x00\x02\x02\x46", class: fault.Protocol, words: "use https://"},
		"HTTP/2 settings":        {answer: "\x00\x00\x06\x04\x00\x00\x00\x00\x00", class: fault.Protocol, words: "only HTTP/2"},
		"no status":              {answer: "HTTP/1.1\r\n\r\n", class: fault.Protocol},
		"odd status":             {answer: "HTTP/1.1 20 OK\r\n\r\n", class: fault.Protocol},
		"signed status":          {answer: "HTTP/1.1 +20 OK\r\n\r\n", class: fault.Protocol},
		"line without colon":     {answer: "HTTP/1.1 200 OK\r\nfoo\r\n\r\n", class: fault.Protocol},
		"name with a space":      {answer: "HTTP/1.1 200 OK\r\nfoo : bar\r\n\r\n", class: fault.Protocol},
		"value with a NUL":       {answer: "HTTP/1.1 200 OK\r\nfoo: \x00\r\n\r\n", class: fault.Protocol},
		"begins folded":          {answer: "HTTP/1.1 200 OK\r\n foo: bar\r\n\r\n", class: fault.Protocol},
		"different lengths":      {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", class: fault.Protocol},
		"negative length":        {answer: "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", class: fault.Protocol},
		"list of lengths":        {answer: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", class: fault.Protocol},
		"unknown coding":         {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", class: fault.Protocol, words: "gzip, chunked"},
		"two codings":            {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", class: fault.Protocol},
		"compressed":             {answer: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", class: fault.Protocol, words: "compressed"},
		"another protocol":       {answer: "HTTP/1.1 101 Switching Protocols\r\n\r\n", class: fault.Protocol, words: "101"},
		"endless informationals": {answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), class: fault.Protocol},
		"too many lines":         {answer: "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 2000), class: fault.Protocol, words: "more than 1000 lines"},
		"too large":              {answer: "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 300<<10), class: fault.Protocol, words: "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, answering(tc.closed, 0, tc.answer))
			c := newClient(t, httpclient.Options{})
			res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL})
			wantClass(t, res.Err, tc.class, tc.words)
		})
	}
}

func TestRequestAsSent(t *testing.T) {
	requests := make(chan []byte, 1)
	server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
		var all bytes.Buffer
		if _, _, err := takeRequest(bufio.NewReader(io.TeeReader(in, &all))); err != nil {
			return
		}
		requests <- all.Bytes()
		io.WriteString(conn, okAnswer)
	})
	host := strings.TrimPrefix(server.URL, "http://")
	for name, tc := range map[string]struct {
		options httpclient.Options
		call    httpclient.Call
		want    string
	}{
		"POST": {
			call: httpclient.Call{Method: "POST", URL: server.URL + "/v1/chat?a=b%20c#frag", Body: []byte("{}"), Header: http.Header{"X-B": {"2", "3"}, "Accept": {"a"}}},
			want: "POST /v1/chat?a=b%20c HTTP/1.1\r\nHost: HOST\r\nAccept: a\r\nX-B: 2\r\nX-B: 3\r\nContent-Length: 2\r\n\r\n{}",
		},
		"GET is the default": {
			call: httpclient.Call{URL: server.URL},
			want: "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n",
		},
		"empty POST has a length": {
			call: httpclient.Call{Method: "POST", URL: server.URL},
			want: "POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\n\r\n",
		},
		"extra headers win": {
			options: httpclient.Options{HTTP: backend.HTTP{Header: []backend.HeaderField{{Name: "authorization", Value: "mine"}, {Name: "Host", Value: "other"}}}},
			call:    httpclient.Call{URL: server.URL, Header: http.Header{"Authorization": {"theirs"}, "Host": {"x"}}},
			want:    "GET / HTTP/1.1\r\nHost: other\r\nauthorization: mine\r\n\r\n",
		},
		"user information": {
			call: httpclient.Call{URL: strings.Replace(server.URL, "http://", "http://me:secret@", 1)},
			want: "GET / HTTP/1.1\r\nHost: HOST\r\nAuthorization: Basic bWU6c2VjcmV0\r\n\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, tc.options)
			tc.call.FreshConnection = true
			res := do(t, t.Context(), c, &tc.call)
			if res.Err != nil {
				t.Fatal(res.Err)
			}
			got := <-requests
			if diff := cmp.Diff(strings.ReplaceAll(tc.want, "HOST", host), string(got)); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if res.X.BytesSent != int64(len(got)) {
				t.Errorf("BytesSent %d, the server got %d", res.X.BytesSent, len(got))
			}
			if want := int64(len(okAnswer)); res.X.BytesReceived != want {
				t.Errorf("BytesReceived %d, the server sent %d", res.X.BytesReceived, want)
			}
		})
	}
}

func TestCallsThatAreRefused(t *testing.T) {
	c := newClient(t, httpclient.Options{})
	for name, call := range map[string]httpclient.Call{
		"line break in a value": {URL: "http://127.0.0.1:1", Header: http.Header{"X": {"a\r\nY: b"}}},
		"line break in a name":  {URL: "http://127.0.0.1:1", Header: http.Header{"X: a\r\nY": {"b"}}},
		"framing header":        {URL: "http://127.0.0.1:1", Header: http.Header{"Transfer-Encoding": {"chunked"}}},
		"method":                {URL: "http://127.0.0.1:1", Method: "GET / HTTP/1.1\r\n"},
		"no scheme":             {URL: "127.0.0.1:8000"},
		"other scheme":          {URL: "ftp://127.0.0.1:8000"},
		"no host":               {URL: "http:///v1"},
		"control character":     {URL: "http://127.0.0.1:1/a\nb"},
		"empty":                 {},
	} {
		t.Run(name, func(t *testing.T) {
			wantClass(t, do(t, t.Context(), c, &call).Err, fault.InvalidRequest)
		})
	}
	t.Run("no secret in the error", func(t *testing.T) {
		res := do(t, t.Context(), c, &httpclient.Call{URL: "http://me:hunter2@127.0.0.1:x/"})
		wantClass(t, res.Err, fault.InvalidRequest)
		if strings.Contains(res.Err.Error(), "hunter2") {
			t.Error(res.Err)
		}
	})
}

func TestOptionsThatAreRefused(t *testing.T) {
	empty := t.TempDir() + "/empty.pem"
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		options httpclient.Options
		want    string
	}{
		"HTTP/2":          {httpclient.Options{HTTP: backend.HTTP{Version: "2"}}, "HTTP version 2 is not available"},
		"HTTP/3":          {httpclient.Options{HTTP: backend.HTTP{Version: "3"}}, `unknown HTTP version "3"`},
		"CA file missing": {httpclient.Options{TLS: backend.TLS{CAFile: "/no/such/file"}}, "/no/such/file"},
		"CA file empty":   {httpclient.Options{TLS: backend.TLS{CAFile: empty}}, "no certificate in it"},
		"key missing":     {httpclient.Options{TLS: backend.TLS{ClientCertFile: empty}}, "give both"},
		"bad pair":        {httpclient.Options{TLS: backend.TLS{ClientCertFile: empty, ClientKeyFile: empty}}, "client certificate"},
		"proxy scheme":    {httpclient.Options{HTTP: backend.HTTP{Proxy: "socks5://127.0.0.1:1"}}, "only http://"},
		"proxy no URL":    {httpclient.Options{HTTP: backend.HTTP{Proxy: "http://a b"}}, "proxy"},
		"header":          {httpclient.Options{HTTP: backend.HTTP{Header: []backend.HeaderField{{Name: "X", Value: "a\nb"}}}}, "header X"},
		"ports":           {httpclient.Options{LocalPortFirst: 9, LocalPortLast: 8}, "no range"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := httpclient.New(tc.options)
			if err == nil {
				c.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q does not say %q", err, tc.want)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	const short = 60 * time.Millisecond
	silent := func(conn *net.TCPConn, in *bufio.Reader) {
		takeRequest(in)
		io.Copy(io.Discard, in)
	}
	stalls := func(conn *net.TCPConn, in *bufio.Reader) {
		takeRequest(in)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
		io.Copy(io.Discard, in)
	}
	drips := func(conn *net.TCPConn, in *bufio.Reader) {
		takeRequest(in)
		io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
		for {
			if _, err := io.WriteString(conn, "."); err != nil {
				return
			}
			time.Sleep(short / 4)
		}
	}
	deaf := func(conn *net.TCPConn, in *bufio.Reader) { time.Sleep(10 * short) }
	for name, tc := range map[string]struct {
		serve  func(*net.TCPConn, *bufio.Reader)
		limits backend.Limits
		call   httpclient.Call
		class  fault.Class
	}{
		"headers":                  {serve: silent, limits: backend.Limits{ResponseHeader: short}, class: fault.TimeoutHeaders},
		"idle":                     {serve: stalls, limits: backend.Limits{Idle: short}, class: fault.TimeoutIdle},
		"total in the head":        {serve: silent, limits: backend.Limits{Total: short}, class: fault.TimeoutTotal},
		"total in the body":        {serve: drips, limits: backend.Limits{Total: 3 * short, Idle: short}, class: fault.TimeoutTotal},
		"the call's own total":     {serve: drips, limits: backend.Limits{Total: time.Hour}, call: httpclient.Call{Timeout: 2 * short}, class: fault.TimeoutTotal},
		"a body that is not taken": {serve: deaf, limits: backend.Limits{Idle: short}, call: httpclient.Call{Method: "POST", Body: make([]byte, 32<<20)}, class: fault.TimeoutIdle},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, tc.serve)
			c := newClient(t, httpclient.Options{Limits: tc.limits})
			tc.call.URL = server.URL
			start := time.Now()
			res := do(t, t.Context(), c, &tc.call)
			wantClass(t, res.Err, tc.class)
			if took := time.Since(start); took < short {
				t.Errorf("it struck after %v, before its time", took)
			}
		})
	}
	t.Run("a slow but steady body passes the idle limit", func(t *testing.T) {
		parts := append([]string{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"}, strings.Split("steadily", "")...)
		server := newRawServer(t, answering(false, short/2, parts...))
		c := newClient(t, httpclient.Options{Limits: backend.Limits{Idle: 2 * short}})
		if res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL}); res.Err != nil || res.Body != "steadily" {
			t.Errorf("%q, %v", res.Body, res.Err)
		}
	})
}

func TestConnectLimit(t *testing.T) {
	address := fullListener(t)
	c := newClient(t, httpclient.Options{Limits: backend.Limits{Connect: 80 * time.Millisecond}})
	res := do(t, t.Context(), c, &httpclient.Call{URL: "http://" + address})
	wantClass(t, res.Err, fault.TimeoutConnect, "80ms")
}

func TestConnectFailures(t *testing.T) {
	c := newClient(t, httpclient.Options{})
	wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: "http://127.0.0.1:1"}).Err, fault.Connect, "refused", "is the server running")
	wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: "http://no-such-host.invalid/"}).Err, fault.DNS, "no-such-host.invalid")
}

func TestResets(t *testing.T) {
	reset := func(before string) func(*net.TCPConn, *bufio.Reader) {
		return func(conn *net.TCPConn, in *bufio.Reader) {
			takeRequest(in)
			io.WriteString(conn, before)
			time.Sleep(10 * time.Millisecond)
			conn.SetLinger(0)
		}
	}
	for name, tc := range map[string]struct {
		before string
		class  fault.Class
	}{
		"instead of an answer": {"", fault.Connect},
		"in the head":          {"HTTP/1.1 200 OK\r\n", fault.Truncated},
		"in the body":          {"HTTP/1.1 200 OK\r\n\r\nok", fault.Truncated},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, reset(tc.before))
			c := newClient(t, httpclient.Options{})
			wantClass(t, do(t, t.Context(), c, &httpclient.Call{URL: server.URL}).Err, tc.class)
		})
	}
}

func TestCancel(t *testing.T) {
	block := func(before string) func(*net.TCPConn, *bufio.Reader) {
		return func(conn *net.TCPConn, in *bufio.Reader) {
			if before == "deaf" {
				time.Sleep(300 * time.Millisecond)
				return
			}
			takeRequest(in)
			io.WriteString(conn, before)
			io.Copy(io.Discard, in)
		}
	}
	for name, tc := range map[string]struct {
		before string
		call   httpclient.Call
		dial   string
	}{
		"while connecting":    {dial: fullListener(t)},
		"before it is sent":   {call: httpclient.Call{StartAt: stamp.Now().Add(time.Hour)}},
		"while it is sent":    {before: "deaf", call: httpclient.Call{Method: "POST", Body: make([]byte, 32<<20)}},
		"waiting for a head":  {},
		"in the head":         {before: "HTTP/1.1 200 OK\r\n"},
		"in the body":         {before: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"},
		"in a chunk's header": {before: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, block(tc.before))
			c := newClient(t, httpclient.Options{})
			tc.call.URL = server.URL
			if tc.dial != "" {
				tc.call.URL = "http://" + tc.dial
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			start := time.Now()
			time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("enough")) })
			res := do(t, ctx, c, &tc.call)
			wantClass(t, res.Err, fault.Cancelled, "enough")
			if took := time.Since(start); took < 50*time.Millisecond || took > 2*time.Second {
				t.Errorf("returned after %v, cancelled after 50 ms", took)
			}
		})
	}
	t.Run("before it begins", func(t *testing.T) {
		c := newClient(t, httpclient.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantClass(t, do(t, ctx, c, &httpclient.Call{URL: "http://127.0.0.1:1"}).Err, fault.Cancelled)
	})
	t.Run("a deadline is a timeout", func(t *testing.T) {
		server := newRawServer(t, block(""))
		c := newClient(t, httpclient.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		wantClass(t, do(t, ctx, c, &httpclient.Call{URL: server.URL}).Err, fault.TimeoutTotal)
	})
}

func TestKeepAlive(t *testing.T) {
	server := newRawServer(t, answering(false, 0, okAnswer))
	c := newClient(t, httpclient.Options{})
	call := func(call httpclient.Call) stamp.Connect {
		t.Helper()
		call.URL = server.URL
		res := do(t, t.Context(), c, &call)
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		if !res.X.Connect.Reused && res.X.Connect.TCP <= 0 {
			t.Errorf("a new connection took no time: %+v", res.X.Connect)
		}
		return res.X.Connect
	}
	if call(httpclient.Call{}).Reused {
		t.Error("the first request reused a connection")
	}
	for range 3 {
		if got := call(httpclient.Call{}); got != (stamp.Connect{Reused: true}) {
			t.Errorf("the next ones: %+v", got)
		}
	}
	if call(httpclient.Call{ConnectionKey: "a"}).Reused || !call(httpclient.Call{ConnectionKey: "a"}).Reused {
		t.Error("a key has a connection of its own, and keeps it")
	}
	if call(httpclient.Call{FreshConnection: true}).Reused || call(httpclient.Call{FreshConnection: true, ConnectionKey: "a"}).Reused {
		t.Error("a fresh connection was an old one")
	}
	if !call(httpclient.Call{ConnectionKey: "a"}).Reused {
		t.Error("after a fresh one, the key has no connection")
	}
	if got, want := server.connections.Load(), int32(4); got != want {
		t.Errorf("%d connections, want %d", got, want)
	}
}

func TestBodyNotReadToItsEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		spans  int
		reused bool
	}{
		"the rest is at hand": {answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", spans: 1, reused: true},
		"nothing was read":    {answer: okAnswer, spans: 0, reused: true},
		"more is to come":     {answer: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", spans: 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, answering(false, 0, tc.answer))
			c := newClient(t, httpclient.Options{})
			for i := range 2 {
				var x stamp.Exchange
				answer, fail := c.Do(t.Context(), &httpclient.Call{URL: server.URL}, &x)
				if fail != nil {
					t.Fatal(fail)
				}
				for range tc.spans {
					if _, err := answer.Body.NextSpan(); err != nil {
						t.Fatal(err)
					}
				}
				answer.Body.Close()
				answer.Body.Close()
				if _, err := answer.Body.NextSpan(); err == nil {
					t.Error("a closed body can be read")
				}
				if i == 1 && x.Connect.Reused != tc.reused {
					t.Errorf("reused: %v", x.Connect.Reused)
				}
				if x.ReadEnd == 0 || x.LastByte == 0 {
					t.Errorf("the exchange is not complete: %+v", x)
				}
			}
		})
	}
}

func TestStaleConnections(t *testing.T) {
	t.Run("closed while idle", func(t *testing.T) {
		server := newRawServer(t, answering(true, 0, okAnswer))
		c := newClient(t, httpclient.Options{})
		for range 5 {
			if res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL}); res.Err != nil || res.X.Connect.Reused {
				t.Fatalf("reused %v: %v", res.X.Connect.Reused, res.Err)
			}
			time.Sleep(10 * time.Millisecond) // the server's FIN arrives
		}
	})
	t.Run("bytes while idle", func(t *testing.T) {
		server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
			takeRequest(in)
			io.WriteString(conn, okAnswer)
			time.Sleep(5 * time.Millisecond)
			io.WriteString(conn, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
			io.Copy(io.Discard, in)
		})
		c := newClient(t, httpclient.Options{})
		for range 3 {
			if res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL}); res.Err != nil || res.Status != 200 {
				t.Fatalf("status %d: %v", res.Status, res.Err)
			}
			time.Sleep(30 * time.Millisecond)
		}
	})
	t.Run("closed while the request waits for its moment", func(t *testing.T) {
		server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
			takeRequest(in)
			io.WriteString(conn, okAnswer)
			time.Sleep(30 * time.Millisecond)
		})
		c := newClient(t, httpclient.Options{})
		do(t, t.Context(), c, &httpclient.Call{URL: server.URL})
		at := stamp.Now().Add(100 * time.Millisecond)
		res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL, StartAt: at})
		if res.Err != nil || res.X.Connect.Reused || res.X.SendStart < at {
			t.Errorf("%+v: %v", res.X, res.Err)
		}
	})
	t.Run("closed as the request is sent", func(t *testing.T) {
		var requests atomic.Int32
		server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
			takeRequest(in)
			requests.Add(1)
			io.WriteString(conn, okAnswer)
			takeRequest(in)
			requests.Add(1)
		})
		c := newClient(t, httpclient.Options{})
		do(t, t.Context(), c, &httpclient.Call{URL: server.URL})
		res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL})
		wantClass(t, res.Err, fault.Connect, "kept-alive", "never sent twice")
		if n := requests.Load(); n != 2 {
			t.Errorf("the server got %d requests of 2", n)
		}
	})
}

func TestEarlyRefusalOfALargeRequest(t *testing.T) {
	server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
		time.Sleep(30 * time.Millisecond) // and closes with the body unread: a reset
	})
	c := newClient(t, httpclient.Options{})
	res := do(t, t.Context(), c, &httpclient.Call{Method: "POST", URL: server.URL, Body: make([]byte, 32<<20)})
	if res.Err != nil || res.Status != 413 || res.Body != "big" {
		t.Errorf("status %d, body %q: %v", res.Status, res.Body, res.Err)
	}
}

func TestLargeBodies(t *testing.T) {
	server := newRawServer(t, func(conn *net.TCPConn, in *bufio.Reader) {
		for {
			_, body, err := takeRequest(in)
			if err != nil {
				return
			}
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(body))
			conn.Write(body)
		}
	})
	c := newClient(t, httpclient.Options{Limits: backend.Limits{Idle: 10 * time.Second}})
	for _, size := range []int{1, 16 << 10, 16<<10 + 1, 256 << 10, 1<<20 + 3} {
		body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
		res := do(t, t.Context(), c, &httpclient.Call{Method: "POST", URL: server.URL, Body: body})
		if res.Err != nil || res.Body != string(body) {
			t.Errorf("%d bytes came back as %d: %v", size, len(res.Body), res.Err)
		}
		if x := res.X; x.Handed < x.SendStart || x.Headers < x.Handed || x.LastByte < x.Headers || x.ReadEnd < x.LastByte {
			t.Errorf("%d bytes: times out of order: %+v", size, x)
		}
	}
	res := do(t, t.Context(), c, &httpclient.Call{Method: "POST", URL: server.URL, Body: make([]byte, 1000)})
	if !res.X.Connect.Reused {
		t.Error("not kept alive")
	}
}

func TestReadAllLimit(t *testing.T) {
	server := newRawServer(t, answering(false, 0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"))
	c := newClient(t, httpclient.Options{})
	for limit, wantErr := range map[int64]bool{9: true, 10: false, 0: false} {
		var x stamp.Exchange
		answer, fail := c.Do(t.Context(), &httpclient.Call{URL: server.URL}, &x)
		if fail != nil {
			t.Fatal(fail)
		}
		_, err := answer.Body.ReadAll(limit)
		if (err != nil) != wantErr {
			t.Errorf("limit %d: %v", limit, err)
		}
		answer.Body.Close()
	}
}

func TestStartAt(t *testing.T) {
	server := newRawServer(t, answering(false, 0, okAnswer))
	c := newClient(t, httpclient.Options{})
	for range 5 {
		at := stamp.Now().Add(30 * time.Millisecond)
		res := do(t, t.Context(), c, &httpclient.Call{URL: server.URL, StartAt: at, FreshConnection: true})
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		if res.X.SendStart < at {
			t.Errorf("sent %v too early", at.Sub(res.X.SendStart))
		}
	}
	late := do(t, t.Context(), c, &httpclient.Call{URL: server.URL, StartAt: stamp.Now().Add(-time.Second)})
	if late.Err != nil {
		t.Error(late.Err)
	}
}

func TestLocalhost(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	defer web.Close()
	c := newClient(t, httpclient.Options{})
	address := "localhost:" + web.URL[strings.LastIndex(web.URL, ":")+1:]
	res := do(t, t.Context(), c, &httpclient.Call{URL: "http://" + address})
	if res.Err != nil || res.Body != address {
		t.Errorf("%q: %v", res.Body, res.Err)
	}
	if !strings.HasPrefix(res.X.Peer, "127.0.0.1:") {
		t.Errorf("peer %q", res.X.Peer)
	}
}
