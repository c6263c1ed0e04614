package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Causes of errors, for errors.Is.
var (
	// ErrNotFound: the hub has no such repository, revision or file, or does not
	// show it to us.
	ErrNotFound = errors.New("not on the hub")
	// ErrDenied: a token is missing or wrong, or a licence is not accepted.
	ErrDenied = errors.New("access denied by the hub")
	// ErrUnreachable: no answer that could be used, after all tries.
	ErrUnreachable = errors.New("hub not reachable")
	// ErrOffline: it is not in the cache, and the network may not be used.
	ErrOffline = errors.New("not in the cache, and offline")
	// ErrDamaged: what came was not what was announced.
	ErrDamaged = errors.New("damaged download")
)

// failure is an error of one line whose cause errors.Is finds.
type failure struct {
	kind  error
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() []error {
	if f.cause == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.cause}
}

func failed(kind, cause error, format string, args ...any) error {
	return &failure{kind: kind, cause: cause, text: fmt.Sprintf(format, args...)}
}

// target is what a request is about, for the words of its failure.
type target struct {
	repo     Repo
	revision string
	file     string // "" for the repository itself
}

func (t target) String() string {
	if t.file == "" {
		return t.repo.String()
	}
	return t.repo.String() + ", file " + t.file
}

// refusal words an answer that is final: 4xx, or anything that is neither
// success nor worth another try. The hub names the reason in X-Error-Code.
func (c *Client) refusal(t target, resp *http.Response) error {
	code, status := resp.Header.Get("X-Error-Code"), resp.StatusCode
	hub, page := c.endpointText(), c.endpointText()+t.repo.page()
	hasToken := !c.token.IsZero()
	if at := resp.Request.URL; !sameOrigin(at, c.endpoint) {
		return failed(ErrUnreachable, errElsewhere, "%s: %s, where %s keeps it, answered %d %s (try again; a proxy or a firewall may be in the way)",
			t, at.Host, hub, status, http.StatusText(status))
	}
	switch {
	case code == "GatedRepo":
		account := "set HF_TOKEN to a token of an account that has"
		if hasToken {
			account = "use a token of the account that has; the one that was sent has not"
		}
		return failed(ErrDenied, nil, "%s is gated: %d (accept the licence at %s and %s)", t.repo, status, page, account)
	case code == "DisabledRepo":
		return failed(ErrDenied, nil, "%s was disabled by the hub: %d (see %s)", t.repo, status, page)
	case code == "RevisionNotFound":
		return failed(ErrNotFound, nil, "%s has no revision %q: %d (see the branches and tags at %s)", t.repo, t.revision, status, page)
	case code == "EntryNotFound":
		return failed(ErrNotFound, nil, "%s has no file %s at revision %s: %d (see %s/tree/%s)", t.repo, t.file, t.revision, status, page, t.revision)
	case status == http.StatusUnauthorized && !hasToken:
		return failed(ErrDenied, nil, "%s: %s wants a token: 401 (check the name; a private or gated %s needs HF_TOKEN)", t.repo, hub, t.repo.kind)
	case status == http.StatusUnauthorized:
		return failed(ErrDenied, nil, "%s: %s refused the token: 401 (HF_TOKEN is wrong or has expired, or the name is wrong; tokens are made at %s/settings/tokens)", t.repo, hub, hub)
	case status == http.StatusForbidden && !hasToken:
		return failed(ErrDenied, nil, "%s: %s forbids access: 403 (if it is gated, accept the licence at %s and set HF_TOKEN)", t.repo, hub, page)
	case status == http.StatusForbidden:
		return failed(ErrDenied, nil, "%s: %s forbids access with this token: 403 (if it is gated, accept the licence at %s; else give HF_TOKEN the right to read it)", t.repo, hub, page)
	case status == http.StatusNotFound && t.file != "" && code != "RepoNotFound":
		return failed(ErrNotFound, nil, "%s has no file %s at revision %s: 404 (see %s)", t.repo, t.file, t.revision, page)
	case status == http.StatusNotFound:
		private := "a private one needs HF_TOKEN"
		if hasToken {
			private = "or the token may not see it"
		}
		return failed(ErrNotFound, nil, "%s has no %s at revision %q: 404 (check the name; %s)", hub, t.repo, t.revision, private)
	}
	return failed(ErrUnreachable, nil, "%s: %s answered %d %s%s", t, hub, status, http.StatusText(status), c.serverWords(resp))
}

// serverWords is the hub's own message, without what could harm a terminal or
// repeat the token.
func (c *Client) serverWords(resp *http.Response) string {
	text := c.redact(resp.Header.Get("X-Error-Message"))
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) }), " ")
	if text == "" {
		return ""
	}
	return ": " + shorten(text)
}

// errElsewhere: another host than the hub refused. Its addresses are signed,
// and expire.
var errElsewhere = errors.New("refused by another host")

// redact takes the token out of words that come from elsewhere. net/http
// repeats a damaged header line, and a server may send back what it was sent.
func (c *Client) redact(text string) string {
	if token := c.token.Reveal(); token != "" {
		text = strings.ReplaceAll(text, token, "[redacted]")
	}
	return text
}

// unreachable words the failure that is left after all tries.
func (c *Client) unreachable(t target, host string, tries int, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: interrupted: %w", t, err)
	}
	advice := "check the network, HTTPS_PROXY and HF_ENDPOINT, or bring it into the cache " + c.cacheDir
	var limited *tooMany
	if errors.As(err, &limited) {
		advice = "wait a while, or set HF_TOKEN for a higher limit"
	}
	times := ""
	if tries > 1 {
		times = fmt.Sprintf(" %d times", tries)
	}
	// The cause is left out: whoever prints it would print what was redacted.
	return failed(ErrUnreachable, nil, "%s: %s failed%s: %s (%s)", t, host, times, c.redact(plain(err)), advice)
}

// plain is an error's text without addresses, which may be signed and are long.
func plain(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host " + dns.Name
	case errors.As(err, &op) && op.Op == "dial":
		if call := (*os.SyscallError)(nil); errors.As(op.Err, &call) {
			return call.Err.Error()
		}
		return op.Err.Error()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// reason shortens "open PATH: reason" to its reason.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// errStalled is the cause of a request that was given up.
type errStalled struct{ after time.Duration }

func (e errStalled) Error() string {
	return fmt.Sprintf("no byte for %v (HF_HUB_DOWNLOAD_TIMEOUT sets another limit, in seconds)", e.after)
}

// serverFailure is an answer that may be another one soon.
type serverFailure struct {
	status int
	words  string
}

func (e *serverFailure) Error() string {
	return fmt.Sprintf("%d %s%s", e.status, http.StatusText(e.status), e.words)
}

// tooMany is a 429.
type tooMany struct {
	after time.Duration // 0: not said
}

func (e *tooMany) Error() string {
	if e.after > 0 {
		return fmt.Sprintf("429 too many requests, again after %v", e.after)
	}
	return "429 too many requests"
}
