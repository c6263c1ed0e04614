package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxReconnects bounds how often one download is taken up again.
const maxReconnects = 100

// stream reads a file of the hub from an offset to its end. A connection that
// breaks is replaced by one that goes on where it was. At the end, size and
// checksum are verified: io.EOF means that all went well.
type stream struct {
	c   *Client
	ctx context.Context
	t   target
	m   metadata

	offset  int64
	sum     hash.Hash // of everything before offset; nil where there is nothing to compare it with
	resp    *http.Response
	retries int // since the last byte
	again   int // in all
	failed  error
}

// newStream begins at offset; sum has seen what is before it.
func (c *Client) newStream(ctx context.Context, t target, m metadata, offset int64, sum hash.Hash) *stream {
	return &stream{c: c, ctx: ctx, t: t, m: m, offset: offset, sum: sum}
}

// errChanged: the file is not any more what the first part was of.
var errChanged = errors.New("it changed during the download")

func (s *stream) Read(p []byte) (int, error) {
	if s.failed != nil {
		return 0, s.failed
	}
	n, err := s.read(p)
	if err != nil {
		s.failed = err
	}
	return n, err
}

func (s *stream) read(p []byte) (int, error) {
	for {
		if s.resp == nil {
			if s.offset == s.m.size {
				return 0, s.verify()
			}
			if err := s.connect(); err != nil {
				return 0, err
			}
		}
		n, err := s.resp.Body.Read(p)
		if n > 0 {
			if s.m.size >= 0 && s.offset+int64(n) > s.m.size {
				return 0, s.damaged("more than the announced %d bytes came", s.m.size)
			}
			s.offset += int64(n)
			s.retries = 0
			if s.sum != nil {
				s.sum.Write(p[:n])
			}
		}
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, io.EOF) && (s.m.size < 0 || s.offset == s.m.size):
			if n > 0 {
				s.m.size = s.offset
				s.disconnect()
				return n, nil
			}
			return 0, s.verify()
		}
		s.disconnect()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if s.ctx.Err() != nil {
			return n, s.c.unreachable(s.t, s.c.endpointText(), 1, context.Cause(s.ctx))
		}
		s.again++
		s.retries++
		if s.retries >= s.c.tries || s.again > maxReconnects || !s.c.pause(s.ctx, s.retries, err) {
			if s.m.size >= 0 {
				err = fmt.Errorf("%w after %d of %d bytes", err, s.offset, s.m.size)
			}
			return n, s.c.unreachable(s.t, s.m.at.Host, s.retries, err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// connect asks for the rest.
func (s *stream) connect() error {
	header := http.Header{}
	if s.offset > 0 && (s.m.validator != "" || s.m.sha256 != "") {
		header.Set("Range", fmt.Sprintf("bytes=%d-", s.offset))
		// Without it the checksum will tell whether the parts belong together.
		if s.m.validator != "" {
			header.Set("If-Range", s.m.validator)
		}
	}
	resp, err := s.c.fetch(s.ctx, s.t, http.MethodGet, s.m.at, header, nil)
	if errors.Is(err, errElsewhere) && s.offset > 0 {
		// The address may have expired since.
		if now, headErr := s.c.head(s.ctx, s.t); headErr == nil && now.blob == s.m.blob {
			s.m.at = now.at
			resp, err = s.c.fetch(s.ctx, s.t, http.MethodGet, s.m.at, header, nil)
		}
	}
	if errors.Is(err, errRange) {
		return s.damaged("there is nothing after byte %d, where an earlier download ended", s.offset)
	}
	if err != nil {
		return err
	}
	if err := s.accept(resp); err != nil {
		resp.Body.Close()
		return err
	}
	s.resp = resp
	return nil
}

// accept checks that an answer continues the download, and skips what is here
// already where the server sends all.
func (s *stream) accept(resp *http.Response) error {
	if own := resp.Header.Get("ETag"); strings.HasPrefix(own, `"`) {
		// The host that has the contents has an ETag of its own, which is learnt
		// from its first answer.
		if s.m.validator != "" && own != s.m.validator && s.m.sha256 == "" {
			return failed(ErrDamaged, errChanged, "%s: %v (try again)", s.t, errChanged)
		}
		s.m.validator = own
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if resp.ContentLength >= 0 && s.m.size >= 0 && resp.ContentLength != s.m.size {
			return s.damaged("%d bytes were announced, %d are sent", s.m.size, resp.ContentLength)
		}
		if s.m.size < 0 {
			s.m.size = resp.ContentLength
		}
		if s.offset > 0 {
			if _, err := io.CopyN(io.Discard, resp.Body, s.offset); err != nil {
				return s.c.unreachable(s.t, s.m.at.Host, 1, err)
			}
		}
		return nil
	case http.StatusPartialContent:
		from, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if !ok || from != s.offset {
			return s.damaged("bytes from %d on were asked for, the answer is %q", s.offset, shorten(resp.Header.Get("Content-Range")))
		}
		if total >= 0 && s.m.size >= 0 && total != s.m.size {
			return s.damaged("%d bytes were announced, now it has %d", s.m.size, total)
		}
		if s.m.size < 0 {
			s.m.size = total
		}
		return nil
	}
	return failed(ErrUnreachable, nil, "%s: %s answered %d where contents were asked for", s.t, s.m.at.Host, resp.StatusCode)
}

// parseContentRange reads "bytes FROM-TO/TOTAL"; total is -1 for "*".
func parseContentRange(text string) (from, total int64, ok bool) {
	span, size, ok := strings.Cut(strings.TrimPrefix(text, "bytes "), "/")
	first, last, dash := strings.Cut(span, "-")
	if !ok || !dash || !strings.HasPrefix(text, "bytes ") {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if err != nil || err2 != nil || from < 0 || to < from {
		return 0, 0, false
	}
	if size == "*" {
		return from, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return from, total, err == nil && total > to
}

// verify compares the checksum, at the end: io.EOF where it is right.
func (s *stream) verify() error {
	s.disconnect()
	if s.sum != nil && s.m.sha256 != "" {
		if got := hex.EncodeToString(s.sum.Sum(nil)); got != s.m.sha256 {
			return s.damaged("its SHA-256 is %s…, not %s…", got[:12], s.m.sha256[:12])
		}
	}
	return io.EOF
}

func (s *stream) damaged(format string, args ...any) error {
	s.disconnect()
	return failed(ErrDamaged, nil, "%s from %s: %s (try again; if it stays so, a proxy or the mirror changes it)", s.t, s.m.at.Host, fmt.Sprintf(format, args...))
}

func (s *stream) disconnect() {
	if s.resp != nil {
		s.resp.Body.Close()
		s.resp = nil
	}
}

// Close ends a stream early, or after its end.
func (s *stream) Close() error {
	s.disconnect()
	if s.failed == nil {
		s.failed = errors.New("read after Close")
	}
	return nil
}

// hasher returns the hash that m's contents are verified by, or nil.
func (m metadata) hasher() hash.Hash {
	if m.sha256 == "" {
		return nil
	}
	return sha256.New()
}
