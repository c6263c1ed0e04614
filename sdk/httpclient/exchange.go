package httpclient

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

const (
	// smallRequest fits into any send buffer that is empty.
	smallRequest = 16 << 10
	// pieceBytes is how much of a large body is written under one deadline.
	pieceBytes = 256 << 10
	// lateAnswer is how long an answer is waited for after the server would not
	// take the whole request: it has been sent before, or never.
	lateAnswer = time.Second
)

// send writes the request, once. Where it fails part of it may have been sent.
func (r *request) send() error {
	c, body := r.conn, r.call.Body
	size := len(c.out) + len(body)
	limits := r.client.limits
	if c.secure != nil && size <= recordMax {
		c.out = append(c.out, body...) // one record instead of two
		body = nil
	}
	r.sent = time.Now()
	r.x.SendStart = stamp.Of(r.sent)
	if r.total > 0 {
		r.deadline = r.sent.Add(r.total)
	}
	var err error
	c.raw.Begin()
	if size <= smallRequest {
		c.endBy(earliest(r.deadline, after(r.sent, limits.ResponseHeader)))
		c.raw.Track(true)
		err = c.write(c.out, body)
	} else {
		err = r.sendPieces(body)
	}
	c.raw.Track(false)
	r.x.Handed = max(c.raw.Sent(), r.x.SendStart)
	if err != nil {
		return err
	}
	r.x.BytesSent = int64(size)
	return nil
}

// sendPieces writes a large request. The idle limit holds for each piece: a
// server that stopped reading is one that stands still.
func (r *request) sendPieces(body []byte) error {
	c := r.conn
	piece := pieceBytes
	if c.secure != nil {
		piece = recordMax
	}
	first := c.out
	for {
		n := min(piece, len(body))
		c.writeBy(earliest(r.deadline, after(time.Now(), r.client.limits.Idle)))
		c.raw.Track(n == len(body))
		if err := c.write(first, body[:n]); err != nil {
			return err
		}
		if first != nil {
			r.observeFirst() // later it is forgotten
		}
		first, body = nil, body[n:]
		if len(body) == 0 {
			c.readBy(earliest(r.deadline, after(time.Now(), r.client.limits.ResponseHeader)))
			return nil
		}
	}
}

// observeFirst learns when the first byte of the request has left.
func (r *request) observeFirst() {
	x := r.x
	if at := r.conn.raw.FirstLeft(); at > x.SendStart && x.SendStart != 0 {
		x.SendStart = at
		x.Handed = max(x.Handed, at)
	}
}

// answer reads the head of the answer.
func (r *request) answer(sendErr error) (*Answer, *fault.Error) {
	c := r.conn
	if sendErr != nil {
		// A server may refuse a large request early (413) and close: its answer
		// says more than the broken pipe.
		if errors.Is(sendErr, os.ErrDeadlineExceeded) || r.ctx.Err() != nil {
			return nil, r.failure(sendErr, phaseSend)
		}
		c.readBy(time.Now().Add(lateAnswer))
	}
	var h head
	for informational := 0; ; informational++ {
		var at stamp.Arrival
		var err error
		h, at, err = c.readHead()
		if err != nil {
			if sendErr != nil {
				err = sendErr
			}
			return nil, r.failure(err, phaseHead)
		}
		r.x.BytesReceived += int64(h.size)
		r.x.Headers = at.At
		r.x.LastByte, r.x.ReadEnd = at.At, at.Read
		r.x.HeadersFlags, r.x.LastByteFlags = at.Flags, at.Flags
		if h.status >= 200 {
			break
		}
		if h.status == http.StatusSwitchingProtocols || informational >= informationalMax {
			return nil, fault.New(fault.Protocol, "the server answered with HTTP %d, which was not asked for", h.status)
		}
	}
	if coding := h.header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") && !r.asksForCoding() {
		fail := fault.New(fault.Protocol, "the answer is compressed (%.40q) though that was not asked for", coding)
		fail.HTTPStatus = h.status
		return nil, fail
	}
	e := &struct {
		answer Answer
		body   Body
	}{}
	e.answer = Answer{Status: h.status, Header: h.header, Body: &e.body}
	e.body.start(r, h, sendErr == nil)
	return &e.answer, nil
}

// asksForCoding tells whether the request itself offers to take a compressed
// answer; then it is the caller's to decode.
func (r *request) asksForCoding() bool {
	return len(r.call.Header["Accept-Encoding"]) > 0 || r.client.replaced["Accept-Encoding"]
}

func after(t time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return t.Add(d)
}

// earliest of two deadlines, of which a zero one is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
