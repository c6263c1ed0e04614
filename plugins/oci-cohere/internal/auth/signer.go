package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oracle/oci-go-sdk/v65/common"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
)

// Headers that are part of a signature.
const (
	headerDelegation = "Opc-Obo-Token"
	headerHash       = "X-Content-Sha256"
)

// SignedHeaders are the headers that a signature covers and that nobody else
// may set.
func SignedHeaders() []string { return []string{"Date", "Content-Type", headerHash, headerDelegation} }

// Signer signs requests as "Request Signatures" in Oracle's documentation says
// (draft-cavage-http-signatures-08). It is safe for concurrent use.
type Signer struct {
	from       source
	delegation string // token of the user for whom an instance acts; "" for none
	host       string // replaces the URL's in the signature; "" does not

	mu      sync.Mutex
	urls    map[string]*url.URL
	secrets []string // all that were ever used
	last    string   // token that was seen last
}

func newSigner(from source, secrets []string) *Signer {
	return &Signer{from: from, urls: map[string]*url.URL{}, secrets: slices.DeleteFunc(secrets, func(s string) bool { return s == "" })}
}

// SetHost says that requests go out with another Host header than that of their
// URL. It must be called before the first Sign.
func (s *Signer) SetHost(host string) { s.host = host }

// Close ends what runs beside the requests.
func (s *Signer) Close() { s.from.close() }

// Check tells what is wrong with the credential, as far as that can be known
// before a server says so.
func (s *Signer) Check(ctx context.Context) *fault.Error {
	failure := s.from.check(ctx)
	if failure != nil {
		failure.Message = s.Redact(failure.Message)
	}
	return failure
}

// Sign adds date, digest and signature to a call's header, which it replaces,
// and the time that it waited for a credential to call.Queued. The error is a
// *fault.Error.
func (s *Signer) Sign(ctx context.Context, call *httpclient.Call) error {
	id, waited, failure := s.from.get(ctx)
	call.Queued += waited
	if failure != nil {
		failure.Message = s.Redact(failure.Message)
		return failure
	}
	s.remember(id.token)
	header := call.Header.Clone()
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	covered := []string{"date", "(request-target)", "host"}
	// The signer reads what it signs from a header. Content-Length is the
	// transport's to send.
	signed := header
	if len(call.Body) > 0 || call.Method == http.MethodPost {
		hash := sha256.Sum256(call.Body)
		header.Set(headerHash, base64.StdEncoding.EncodeToString(hash[:]))
		signed = header.Clone()
		signed.Set("Content-Length", strconv.Itoa(len(call.Body)))
		covered = append(covered, "content-length", "content-type", "x-content-sha256")
	}
	if s.delegation != "" {
		header.Set(headerDelegation, s.delegation)
		signed.Set(headerDelegation, s.delegation)
		covered = append(covered, strings.ToLower(headerDelegation))
	}
	u, err := s.url(call.URL)
	if err != nil {
		return fault.New(fault.InvalidRequest, "%v", err)
	}
	// All headers are given as generic ones, so that the SDK does not copy the
	// body twice to compute a digest that is there.
	signer := common.RequestSignerWithBodyHashingPredicate(id, covered, nil, func(*http.Request) bool { return false })
	request := &http.Request{Method: call.Method, URL: u, Header: signed}
	if err := signer.Sign(request); err != nil {
		return fault.New(fault.Auth, "signing the request: %s", s.Redact(err.Error()))
	}
	header.Set("Authorization", signed.Get("Authorization"))
	call.Header = header
	return nil
}

// url parses an address, of which a run has few.
func (s *Signer) url(text string) (*url.URL, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, ok := s.urls[text]; ok {
		return u, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the address is no URL")
	}
	u.Host = cmp.Or(s.host, u.Host)
	s.urls[text] = u
	return u, nil
}

// remember keeps a token for Redact.
func (s *Signer) remember(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token != "" && token != s.last {
		s.last = token
		if !slices.Contains(s.secrets, token) {
			s.secrets = append(s.secrets, token)
		}
	}
}

// Redact takes the secrets out of a text that comes from elsewhere.
func (s *Signer) Redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.secrets {
		text = strings.ReplaceAll(text, one, "[redacted]")
	}
	return text
}
