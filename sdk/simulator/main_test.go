package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a server; the zero Config is infinitely fast.
func start(t testing.TB, config Config) *Server {
	t.Helper()
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	streamBody = `{"model":"m","messages":[{"role":"user","content":"hello there, server"}],"max_tokens":8,"stream":true,"stream_options":{"include_usage":true}}`
	wholeBody  = `{"model":"m","messages":[{"role":"user","content":"hello there, server"}],"max_tokens":8}`
)

func client(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type reply struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return v
}

// dig walks through maps by name and arrays by index.
func dig(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no object at %q of %v: %v", step, path, v)
			}
			v = m[step]
		case int:
			a, ok := v.([]any)
			if !ok || step >= len(a) {
				t.Fatalf("no element %d of %v: %v", step, path, v)
			}
			v = a[step]
		}
	}
	return v
}

func post(t testing.TB, c *http.Client, s *Server, path, id, fault, body string) (reply, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-Id", id)
	if fault != "" {
		r.Header.Set("X-Simulate", fault)
	}
	response, err := c.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(b), err}, nil
}

// events returns the data of all events in a body, with any line ends.
func events(body string) []string {
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	var found []string
	for _, block := range strings.Split(body, "\n\n") {
		if data, ok := strings.CutPrefix(block, "data: "); ok {
			found = append(found, data)
		}
	}
	return found
}

// textOf joins a field of all deltas of choice 0.
func textOf(t *testing.T, body, field string) string {
	t.Helper()
	var all strings.Builder
	for _, e := range events(body) {
		if e == "[DONE]" {
			continue
		}
		var chunk struct {
			Choices []struct {
				Index int
				Delta map[string]any
				Text  string
			}
		}
		if err := json.Unmarshal([]byte(e), &chunk); err != nil {
			t.Fatalf("event %q: %v", e, err)
		}
		for _, c := range chunk.Choices {
			if c.Index == 0 {
				text, _ := c.Delta[field].(string)
				all.WriteString(text + c.Text)
			}
		}
	}
	return all.String()
}

func truth(t testing.TB, s *Server, id string) *Record {
	t.Helper()
	records, err := s.Await(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 1 {
		t.Fatalf("%d records of %q, want 1", len(records), id)
	}
	return records[0]
}

// arrivals sends a request over a connection of its own and returns what came,
// with the moment right after each read.
type arrival struct {
	at  stamp.Nanos
	end int // of all bytes so far
}

func rawPost(t testing.TB, s *Server, id, fault, body string) (all []byte, got []arrival) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Request-Id", id)
	r.Header.Set("X-Simulate", fault)
	r.Close = true
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		all = append(all, buf[:n]...)
		if n > 0 {
			got = append(got, arrival{stamp.Now(), len(all)})
		}
		if err != nil {
			return all, got
		}
	}
}

// bodyEnds maps each offset of the decoded body to the offset in the raw answer
// at which that byte ended.
func bodyEnds(t testing.TB, raw []byte) []int {
	t.Helper()
	head := bytes.Index(raw, []byte("\r\n\r\n"))
	if head < 0 {
		t.Fatalf("no head in %q", raw)
	}
	pos := head + 4
	var ends []int
	for {
		line, err := bufio.NewReader(bytes.NewReader(raw[pos:])).ReadString('\n')
		if err != nil {
			t.Fatalf("chunk head at %d: %v", pos, err)
		}
		size := 0
		for _, c := range strings.TrimSpace(line) {
			size = size*16 + strings.IndexRune("0123456789abcdef", c)
		}
		pos += len(line)
		if size == 0 {
			return ends
		}
		for range size {
			pos++
			ends = append(ends, pos)
		}
		pos += 2
	}
}

// quantile is in microseconds.
func quantile(d []time.Duration, q float64) float64 {
	slices.Sort(d)
	return float64(d[int(q*float64(len(d)-1))]) / 1e3
}
