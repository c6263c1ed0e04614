package backendtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// Recorded is one case of the traffic of the Python tool, as the plugins'
// testdata/wire have it: what it sent, what it was answered, and what it made of
// that.
type Recorded struct {
	Backend string
	Task    backend.Task
	Command string // flags as they were typed; "" where the case was not
	Request *struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	} // nil: it sent nothing
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage // a text, or the JSON itself
		Zeros   int             `json:"body_zero_bytes"` // so many zero bytes
		Binary  []byte          `json:"body_b64"`        // an event stream of frames
	}
	Result map[string]any // its entry for the request
}

// ReadRecorded reads a case.
func ReadRecorded(t testing.TB, file string) *Recorded {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := new(Recorded)
	if err := json.Unmarshal(text, c); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return c
}

// Answer is the recorded answer as bytes on the wire; where it was chunked, each
// event of an event stream is a chunk.
func (c *Recorded) Answer() []byte {
	body := c.Response.Binary
	var text string
	switch {
	case body != nil:
	case c.Response.Zeros > 0:
		body = make([]byte, c.Response.Zeros)
	case json.Unmarshal(c.Response.Body, &text) == nil:
		body = []byte(text)
	default:
		body = c.Response.Body
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d Wire\r\n", c.Response.Status)
	for name, value := range c.Response.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if c.Response.Headers["Transfer-Encoding"] != "chunked" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		return b.Bytes()
	}
	b.WriteString("\r\n")
	for event := range bytes.SplitAfterSeq(body, []byte("\n\n")) {
		if len(event) > 0 {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(event), event)
		}
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// Flag is the value of a flag of the command; "" where it was not given.
func (c *Recorded) Flag(name string) string {
	match := regexp.MustCompile(`--` + name + ` ('([^']*)'|\S+)`).FindStringSubmatch(c.Command)
	if match == nil {
		return ""
	}
	return strings.Trim(match[1], "'")
}

// Sizes are the numbers of the command's scenario, in their order.
func (c *Recorded) Sizes(t testing.TB) []uint32 {
	t.Helper()
	var sizes []uint32
	for _, digits := range regexp.MustCompile(`\d+`).FindAllString(c.Flag("traffic-scenario"), -1) {
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, uint32(n))
	}
	return sizes
}
