package jsonhttp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

// TransportFault is the failure of a body that could not be read.
func TransportFault(err error) *fault.Error {
	var failure *fault.Error
	if errors.As(err, &failure) {
		return failure
	}
	return fault.New(fault.Protocol, "reading the answer: %v", err)
}

// NotProtocol is the failure of an answer with a status of success whose body is
// no JSON object.
func NotProtocol(body []byte) *fault.Error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return fault.New(fault.Protocol, "the server answered 200 with an empty body")
	}
	if message := PlainMessage(body); strings.HasPrefix(message, "a web page") {
		failure := fault.New(fault.Protocol, "the server answered with %s", message)
		failure.Hint = "check --api-base"
		return failure
	}
	return fault.New(fault.Protocol, "the answer is no JSON object: %s", Excerpt(body))
}

// Excerpt quotes the start of what a server sent.
func Excerpt(data []byte) string {
	const bytesMax = 200
	dots := ""
	if len(data) > bytesMax {
		cut := bytesMax
		for cut > 0 && !utf8.RuneStart(data[cut]) {
			cut--
		}
		data, dots = data[:cut], "…"
	}
	return fmt.Sprintf("%q%s", data, dots)
}

// PlainMessage is the message of a body that is not JSON: of an HTML page its
// title.
func PlainMessage(body []byte) string {
	if len(body) == 0 || body[0] != '<' {
		return string(body)
	}
	lower := bytes.ToLower(body)
	if start := bytes.Index(lower, []byte("<title>")); start >= 0 {
		start += len("<title>")
		if end := bytes.Index(lower[start:], []byte("</title>")); end >= 0 && start+end <= len(body) {
			return "a web page titled " + strconv.Quote(string(bytes.TrimSpace(body[start:start+end])))
		}
	}
	return "a web page"
}
