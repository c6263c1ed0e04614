package openaiwire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Limits of what is read of a body in one piece.
const (
	errorBytesMax  = 1 << 20
	answerBytesMax = 256 << 20
)

// checkHead turns an answer that is no success into its failure.
func (c *Client) checkHead(reply *httpclient.Answer) *fault.Error {
	if encoding := reply.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		failure := fault.New(fault.Protocol, "the server compressed its answer (%s) although it was asked not to", encoding)
		failure.HTTPStatus = reply.Status
		return withHeaders(failure, reply.Header)
	}
	if reply.Status >= 200 && reply.Status < 300 {
		return nil
	}
	return statusFailure(reply)
}

// statusFailure reads an error answer.
func statusFailure(reply *httpclient.Answer) *fault.Error {
	body, err := reply.Body.ReadAll(errorBytesMax)
	return withHeaders(statusFault(reply.Status, reply.Header, body, err), reply.Header)
}

// statusFault is the failure of a status and a body. Where the body could not
// be read, the status still says what happened.
func statusFault(status int, header http.Header, body []byte, unread error) *fault.Error {
	report := readErrorReport(body)
	if unread != nil && report.Message == "" {
		report.Message = fmt.Sprintf("%s (its body could not be read: %v)", http.StatusText(status), unread)
	}
	failure := newFailure(status, report)
	if status >= 300 && status < 400 {
		failure.Message = fmt.Sprintf("the server redirects to %q", header.Get("Location"))
		failure.Hint = "redirects are not followed, as they would turn POST into GET: give that address as --api-base"
	}
	return failure
}

// lingerMax is how long the end of a body may take after [DONE]. Reading it
// keeps the connection for the next request; nothing of value comes any more.
const lingerMax = time.Second

// readGeneration reads the answer to a chat or a completion, as a stream or
// whole, by what the server says it is.
func (c *Client) readGeneration(reply *httpclient.Answer, asked bool, rec *backend.Recorder, exchange *stamp.Exchange, cancel context.CancelFunc) *fault.Error {
	a := c.answers.Get().(*answer)
	a.begin(rec)
	defer func() {
		a.rec = nil
		c.answers.Put(a)
	}()
	if !isStream(reply.Header, asked) {
		body, err := reply.Body.ReadAll(answerBytesMax)
		if err != nil {
			return jsonhttp.TransportFault(err)
		}
		at := stamp.Arrival{At: exchange.LastByte, Read: exchange.ReadEnd}
		return a.end(a.readWhole(body, at))
	}
	failure := a.readStream(reply.Body)
	if a.done && failure == nil {
		timer := time.AfterFunc(lingerMax, cancel)
		for {
			if _, err := reply.Body.NextSpan(); err != nil {
				break // the answer is complete, however its connection ends
			}
		}
		timer.Stop()
	}
	return a.end(failure)
}

// isStream tells whether a body is an event stream: by its type, and by what
// was asked for where the type does not say.
func isStream(header http.Header, asked bool) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err == nil {
		switch {
		case kind == "text/event-stream":
			return true
		case kind == "application/json", strings.HasSuffix(kind, "+json"), kind == "text/html":
			return false
		}
	}
	return asked
}

// readList reads the answer to embeddings, rerank and images.
func readList(reply *httpclient.Answer, kind backend.Kind, rec *backend.Recorder) *fault.Error {
	body, err := reply.Body.ReadAll(answerBytesMax)
	if err != nil {
		return jsonhttp.TransportFault(err)
	}
	answer, err := parseList(body)
	if err != nil {
		return jsonhttp.NotProtocol(body)
	}
	return answer.record(rec, kind, body)
}

// readSpeech reads audio as it comes.
func readSpeech(reply *httpclient.Answer, rec *backend.Recorder) *fault.Error {
	if kind, _, err := mime.ParseMediaType(reply.Header.Get("Content-Type")); err == nil && (kind == "application/json" || kind == "text/html") {
		body, err := reply.Body.ReadAll(errorBytesMax)
		if err != nil {
			return jsonhttp.TransportFault(err)
		}
		var top object
		decodeInto(json.RawMessage(body), &top)
		if failed := failureOf(top, body); failed != nil {
			return newFailure(0, readErrorReport(failed))
		}
		return fault.New(fault.Protocol, "the answer is no audio: %s", jsonhttp.Excerpt(body))
	}
	var size int64
	speech := newSound(reply.Header.Get("Content-Type"))
	for {
		span, err := reply.Body.NextSpan()
		if err == nil {
			size += int64(len(span.Bytes))
			speech.add(span.Bytes)
			rec.Event(backend.Audio, 0, span.Arrival, 0, backend.EventText{})
			continue
		}
		rec.Media(backend.Media{Bytes: size, Count: 1, Duration: speech.lasts()})
		if !errors.Is(err, io.EOF) {
			return jsonhttp.TransportFault(err)
		}
		if size == 0 {
			return fault.New(fault.Protocol, "the server answered 200 with no audio")
		}
		return nil
	}
}
