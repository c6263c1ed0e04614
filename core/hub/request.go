package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultTries = 4
	// maxWait is the longest Retry-After that is waited for; whoever is told to
	// come back later than that is told so.
	maxWait      = 20 * time.Second
	maxRedirects = 10
)

// followFunc tells whether a redirect is to be followed; nil: all are.
type followFunc func(resp *http.Response, sameOrigin bool) bool

// fetch sends a request, again where that may help, follows redirects as far as
// follow allows, and returns the answer: 2xx, or a redirect that was not
// followed. Everything else is an error that names the target. The caller
// closes the body, which gives up when it is silent for the time limit.
func (c *Client) fetch(ctx context.Context, t target, method string, u *url.URL, header http.Header, follow followFunc) (*http.Response, error) {
	tries := c.tries
	if _, single := ctx.Value(onceKey{}).(bool); single {
		tries = 1
	}
	for try := 1; ; try++ {
		resp, err := c.walk(ctx, method, u, header, follow)
		if err == nil {
			switch s := resp.StatusCode; {
			case s >= 200 && s < 300, isRedirect(s):
				return resp, nil
			case s == http.StatusTooManyRequests:
				err = &tooMany{after: retryAfter(resp.Header, time.Now())}
			case s >= 500 && s != http.StatusNotImplemented, s == http.StatusRequestTimeout:
				err = &serverFailure{s, c.serverWords(resp)}
			case s == http.StatusRequestedRangeNotSatisfiable:
				resp.Body.Close()
				return nil, errRange
			default:
				resp.Body.Close()
				return nil, c.refusal(t, resp)
			}
			resp.Body.Close()
		}
		var f *failure
		if errors.As(err, &f) {
			return nil, err
		}
		if ctx.Err() != nil || try >= tries || !c.pause(ctx, try, err) {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, c.unreachable(t, c.endpointText(), try, err)
		}
	}
}

// onceKey marks a context in which nothing is tried twice: what is asked for is
// in the cache already, in all likelihood.
type onceKey struct{}

func once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// errRange: the server has no bytes where we would go on.
var errRange = errors.New("nothing at that offset")

// pause waits before the next try; false: there should be none.
func (c *Client) pause(ctx context.Context, try int, err error) bool {
	wait := c.backoff << (try - 1)
	wait += rand.N(wait/4 + 1)
	var limited *tooMany
	if errors.As(err, &limited) && limited.after > 0 {
		if wait = limited.after; wait > maxWait {
			return false
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// retryAfter reads Retry-After: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// walk sends one request and follows its redirects. net/http's own way would
// give the token to other ports of the same host.
func (c *Client) walk(ctx context.Context, method string, u *url.URL, header http.Header, follow followFunc) (*http.Response, error) {
	for range maxRedirects {
		resp, err := c.once(ctx, method, u, header)
		if err != nil {
			return nil, err
		}
		if !isRedirect(resp.StatusCode) {
			return resp, nil
		}
		next, err := resp.Location()
		if err != nil {
			resp.Body.Close()
			return nil, failed(ErrUnreachable, nil, "%s answered %d without a place to go (is HF_ENDPOINT a hub?)", u.Host, resp.StatusCode)
		}
		if next.Scheme != "https" && (next.Scheme != "http" || u.Scheme == "https") {
			resp.Body.Close()
			return nil, failed(ErrUnreachable, nil, "%s redirects from %s to %s, which is refused", u.Host, u.Scheme, shorten(next.Scheme))
		}
		if follow != nil && !follow(resp, sameOrigin(u, next)) {
			return resp, nil
		}
		resp.Body.Close()
		u = next
	}
	return nil, failed(ErrUnreachable, nil, "%s: more than %d redirects", u.Host, maxRedirects)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// once sends one request, without following anything.
func (c *Client) once(ctx context.Context, method string, u *url.URL, header http.Header) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		cancel(nil)
		return nil, failed(ErrUnreachable, nil, "the address of a request to %s is malformed", shorten(u.Host))
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "genai-bench")
	// A compressed answer would have another length, and often another ETag.
	req.Header.Set("Accept-Encoding", "identity")
	if !c.token.IsZero() && sameOrigin(u, c.endpoint) {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	watch := time.AfterFunc(c.timeout, func() { cancel(errStalled{c.timeout}) })
	resp, err := c.http.Do(req)
	if err != nil {
		watch.Stop()
		err = causeOf(ctx, err)
		cancel(nil)
		return nil, err
	}
	watch.Stop()
	resp.Body = &watched{ctx: ctx, cancel: cancel, watch: watch, limit: c.timeout, body: resp.Body}
	return resp, nil
}

// causeOf says why a request was cancelled, if it was.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, io.EOF) {
		return cause
	}
	return err
}

// watched is a body that fails when it is silent for too long. The time that
// its reader takes between reads does not count.
type watched struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *time.Timer
	limit  time.Duration
	body   io.ReadCloser
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(w.limit)
	n, err := w.body.Read(p)
	w.watch.Stop()
	if err != nil {
		err = causeOf(w.ctx, err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.watch.Stop()
	err := w.body.Close()
	w.cancel(nil)
	return err
}

// readAll reads an answer of bounded length.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
}
