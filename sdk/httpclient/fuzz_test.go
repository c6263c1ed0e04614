package httpclient

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// cut hands out bytes in spans of one size.
type cut struct {
	rest []byte
	size int
}

func (c *cut) NextSpan() (stamp.Span, error) {
	if len(c.rest) == 0 {
		return stamp.Span{}, io.EOF
	}
	n := min(c.size, len(c.rest))
	span := stamp.Span{Bytes: c.rest[:n:n], Arrival: stamp.Arrival{At: 1, Read: 2}}
	c.rest = c.rest[n:]
	return span, nil
}

// readAnswer reads an answer without a connection below.
func readAnswer(text []byte, size int, method string) (head, []byte, error) {
	cn := &conn{source: &cut{rest: text, size: size}}
	h, _, err := cn.readHead()
	if err != nil {
		return h, nil, err
	}
	r := &request{client: &Client{}, ctx: context.Background(), call: &Call{Method: method}, x: &stamp.Exchange{}, conn: cn}
	b := &Body{r: r, finished: true}
	b.frame(h)
	var all []byte
	for {
		span, err := b.NextSpan()
		if errors.Is(err, io.EOF) {
			return h, all, nil
		}
		if err != nil {
			return h, all, err
		}
		all = append(all, span.Bytes...)
	}
}

// FuzzAnswer holds the reader against net/http's: what both accept means the
// same to both, and what net/http accepts is refused only for the reasons
// listed here. Where the bytes are cut changes nothing.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 404 Not Found\nX: a\n b\nX: c\n\nhello",
		"HTTP/1.1 204 No Content\r\nConnection: close, x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nA;b=c\r\n0123456789\r\n0\r\n\r\n",
	} {
		f.Add([]byte(seed), uint8(3), false)
		f.Add([]byte(seed), uint8(255), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, size uint8, isHead bool) {
		method := http.MethodGet
		if isHead {
			method = http.MethodHead
		}
		h, body, err := readAnswer(bytes.Clone(text), len(text)+1, method)
		hCut, bodyCut, errCut := readAnswer(bytes.Clone(text), int(size)+1, method)
		if (err == nil) != (errCut == nil) || err == nil && (!cmp.Equal(h.header, hCut.header) || !bytes.Equal(body, bodyCut)) {
			t.Errorf("whole: %v %q %v\ncut: %v %q %v", h.header, body, err, hCut.header, bodyCut, errCut)
		}
		if err != nil {
			return
		}
		theirs, theirErr := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(text), 64<<10), &http.Request{Method: method})
		if theirErr != nil {
			return
		}
		theirBody, theirErr := io.ReadAll(theirs.Body)
		if theirErr != nil {
			return
		}
		if h.status != theirs.StatusCode || h.minor != theirs.ProtoMinor {
			t.Errorf("status %d of HTTP/1.%d, theirs %d of HTTP/1.%d", h.status, h.minor, theirs.StatusCode, theirs.ProtoMinor)
		}
		if h.status >= 200 && !bytes.Equal(body, theirBody) {
			t.Errorf("body %q, theirs %q", body, theirBody)
		}
		if h.status >= 200 && h.persistent == theirs.Close && h.minor == 1 && theirs.ContentLength >= 0 {
			t.Errorf("persistent %v, theirs closes %v", h.persistent, theirs.Close)
		}
		for name, values := range theirs.Header {
			if got := h.header[name]; !cmp.Equal(got, values) && name != "Content-Length" && !folded(text) {
				t.Errorf("header %s: %q, theirs %q", name, got, values)
			}
		}
	})
}

// folded tells whether any line of the head may be a continued one, where
// spaces are joined in a slightly different way.
func folded(text []byte) bool {
	return bytes.Contains(text, []byte("\n ")) || bytes.Contains(text, []byte("\n\t"))
}

func TestReaderAgreesWithNetHTTP(t *testing.T) {
	for name, text := range map[string]string{
		"empty":           "",
		"only a line end": "\r\n",
		"nothing after":   "HTTP/1.1 200 OK\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAnswer([]byte(text), 1, http.MethodGet)
			_, theirs := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
			if err == nil || theirs == nil {
				t.Errorf("accepted: %v, theirs %v", err, theirs)
			}
			var broken *protocolError
			if !errors.As(err, &broken) && !errors.Is(err, errNoAnswer) && !errors.Is(err, errCutHead) {
				t.Errorf("unexpected error %v", err)
			}
		})
	}
}
