package httpclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Bounds of an answer's head: far above what servers send, far below what
// would hurt.
const (
	headBytesMax       = 256 << 10
	headLinesMax       = 1000
	informationalMax   = 16 // answers 1xx before the one that counts
	shownBytesOfAnswer = 40 // of one that is no HTTP, in the error
)

// head is the parsed head of an answer.
type head struct {
	status     int
	minor      int // of the version HTTP/1.x
	header     http.Header
	size       int // bytes
	persistent bool
	chunked    bool
	length     int64 // of the body; −1: not said
}

// protocolError is an answer that breaks the rules of HTTP.
type protocolError struct{ what, hint string }

func (e *protocolError) Error() string { return e.what }

func malformed(format string, args ...any) error {
	return &protocolError{what: fmt.Sprintf(format, args...)}
}

// errNoAnswer and errCutHead: the connection ended before the answer's head did.
var (
	errNoAnswer = errors.New("the server closed the connection without an answer")
	errCutHead  = errors.New("the answer ended within its head")
)

// readHead reads the head of the next answer and returns the arrival of its
// last byte.
func (c *conn) readHead() (head, stamp.Arrival, error) {
	c.in = c.in[:0]
	line, lines := 0, 0 // start and number of the line in hand
	for {
		if err := c.receive(); err != nil {
			// crypto/tls says ErrUnexpectedEOF where the peer did not say goodbye.
			switch over := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); {
			case len(c.in) > 0 && (over || isReset(err)):
				err = errCutHead
			case over:
				err = errNoAnswer
			}
			return head{}, stamp.Arrival{}, err
		}
		b := c.rest.Bytes
		for len(b) > 0 {
			n := bytes.IndexByte(b, '\n') + 1
			ended := n > 0
			if !ended {
				n = len(b)
			}
			if len(c.in)+n > headBytesMax {
				return head{}, stamp.Arrival{}, malformed("the answer's head is larger than %d bytes", headBytesMax)
			}
			c.in = append(c.in, b[:n]...)
			b = b[n:]
			if lines == 0 {
				if err := plausible(c.in); err != nil {
					return head{}, stamp.Arrival{}, err
				}
			}
			if !ended {
				break
			}
			if text := c.in[line:]; len(text) == 1 || len(text) == 2 && text[0] == '\r' {
				c.rest.Bytes = b
				h, err := parseHead(string(c.in), lines)
				return h, c.rest.Arrival, err
			}
			line = len(c.in)
			if lines++; lines > headLinesMax {
				return head{}, stamp.Arrival{}, malformed("the answer's head has more than %d lines", headLinesMax)
			}
		}
		c.rest.Bytes = nil
	}
}

// plausible refuses what is no HTTP as soon as that shows, instead of waiting
// for an end of a line that may never come.
func plausible(b []byte) error {
	const version = "HTTP/1."
	if n := min(len(b), len(version)); string(b[:n]) == version[:n] {
		return nil
	}
	shown := b[:min(len(b), shownBytesOfAnswer)]
	e := &protocolError{what: fmt.Sprintf("the answer is no HTTP/1.1: it begins with %q", shown)}
	switch {
	case len(b) > 1 && b[0] == 0x15 && b[1] == 3: // a TLS alert
		e.hint = "the server speaks TLS: use https://"
	case bytes.HasPrefix(b, []byte("HTTP/2")) || len(b) > 3 && b[3] == 4: // a SETTINGS frame
		e.hint = "the server speaks only HTTP/2, which this version does not"
	}
	return e
}

// parseHead parses a complete head: status line, lines, and the empty line.
func parseHead(text string, lines int) (h head, err error) {
	h.size = len(text)
	statusLine, rest := cutLine(text)
	if err := h.parseStatus(statusLine); err != nil {
		return h, err
	}
	h.header = make(http.Header, lines)
	values := make([]string, 0, lines)
	var last string // the name that a continued line belongs to
	for {
		line, more := cutLine(rest)
		rest = more
		if line == "" {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			// Obsolete line folding (RFC 9112, § 5.2): one space instead.
			if last == "" {
				return h, malformed("the answer's head begins with a continued line")
			}
			v := h.header[last]
			v[len(v)-1] = strings.TrimRight(v[len(v)-1]+" "+strings.Trim(line, " \t"), " ")
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return h, malformed("malformed header line %q", line[:min(len(line), shownBytesOfAnswer)])
		}
		last = textproto.CanonicalMIMEHeaderKey(name)
		if old, ok := h.header[last]; ok {
			h.header[last] = append(old, value)
			continue
		}
		values = append(values, value)
		n := len(values)
		h.header[last] = values[n-1 : n : n]
	}
	return h, h.frame()
}

// cutLine cuts at a line feed, and drops a carriage return before it.
func cutLine(text string) (line, rest string) {
	line, rest, _ = strings.Cut(text, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// parseStatus reads "HTTP/1.1 200 OK" (RFC 9112, § 4).
func (h *head) parseStatus(line string) error {
	version, rest, ok := strings.Cut(line, " ")
	if !ok || len(version) != len("HTTP/1.1") || version[7] != '0' && version[7] != '1' {
		return malformed("malformed status line %q", line[:min(len(line), shownBytesOfAnswer)])
	}
	h.minor = int(version[7] - '0')
	code, _, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	status, err := strconv.ParseUint(code, 10, 16)
	if err != nil || len(code) != 3 {
		return malformed("malformed status %q", code[:min(len(code), shownBytesOfAnswer)])
	}
	h.status = int(status)
	return nil
}

// frame finds out how the body is delimited (RFC 9112, § 6.3).
func (h *head) frame() error {
	h.length = -1
	connection := h.header["Connection"]
	h.persistent = h.minor == 1
	for _, v := range connection {
		if hasToken(v, "close") {
			h.persistent = false
			break
		}
		if hasToken(v, "keep-alive") {
			h.persistent = true
		}
	}
	// Of HTTP/1.0 a coding cannot be trusted to be there (RFC 9112, § 6.1).
	if coding := h.header["Transfer-Encoding"]; len(coding) > 0 && h.minor == 1 {
		if len(coding) > 1 || !strings.EqualFold(coding[0], "chunked") {
			return malformed("the answer has the transfer coding %.40q, only chunked is known", strings.Join(coding, ", "))
		}
		h.chunked = true
	}
	for i, text := range h.header["Content-Length"] {
		if i > 0 && text != h.header["Content-Length"][0] {
			return malformed("the answer has different lengths: %.40q", h.header["Content-Length"])
		}
	}
	if text := h.header["Content-Length"]; len(text) > 0 && !h.chunked && !h.bodiless() {
		n, err := strconv.ParseUint(text[0], 10, 63)
		if err != nil {
			return malformed("the answer has the length %.40q", text[0])
		}
		h.length = int64(n)
	}
	return nil
}

// bodiless tells whether the status alone rules out a body.
func (h *head) bodiless() bool {
	return h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified
}
