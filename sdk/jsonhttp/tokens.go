package jsonhttp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Token is an access token.
type Token struct {
	Value   secret.Secret
	Expires time.Time // zero: never
}

// Times of tokens.
const (
	// RenewBefore is how long before its end a token is renewed, beside the
	// requests that still use it. Clouds' tokens live an hour or more.
	RenewBefore  = 5 * time.Minute
	retryAfter   = 10 * time.Second // after a renewal that brought no newer token
	fetchTimeout = 60 * time.Second // of one attempt
)

// Tokens keeps an access token that is good. A request waits for one only where
// there is none that is valid; a renewal goes on beside the requests. It is safe
// for concurrent use.
type Tokens struct {
	// fetch gets a new token. One call runs at a time.
	fetch   func(ctx context.Context) (Token, error)
	explain func(err error) *fault.Error

	mu      sync.Mutex
	current Token
	have    bool
	under   *fetching // nil: none is under way
	retry   time.Time

	closing context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

type fetching struct {
	done chan struct{}
	err  error
}

// NewTokens fetches nothing yet. explain makes a failure of fetch's error.
func NewTokens(fetch func(ctx context.Context) (Token, error), explain func(err error) *fault.Error) *Tokens {
	closing, stop := context.WithCancel(context.Background())
	return &Tokens{fetch: fetch, explain: explain, closing: closing, stop: stop}
}

// Close gives up what is under way and waits for its end.
func (t *Tokens) Close() {
	t.stop()
	t.running.Wait()
}

// Sign puts the token into a call, as Authorization: Bearer. It is for
// Settings.Sign.
func (t *Tokens) Sign(ctx context.Context, call *httpclient.Call) error {
	token, waited, err := t.Get(ctx)
	call.Queued += waited
	if err != nil {
		return err
	}
	header := call.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", "Bearer "+token.Reveal())
	call.Header = header
	return nil
}

// Get returns a token that is valid, and how long it had to be waited for.
func (t *Tokens) Get(ctx context.Context) (secret.Secret, time.Duration, error) {
	t.mu.Lock()
	now := time.Now()
	forever := t.have && t.current.Expires.IsZero()
	valid := forever || t.have && t.current.Expires.After(now)
	due := !valid || !forever && t.current.Expires.Add(-RenewBefore).Before(now) && now.After(t.retry)
	if due && t.under == nil {
		f := &fetching{done: make(chan struct{})}
		t.under = f
		t.running.Go(func() { t.run(f) })
	}
	token, f := t.current.Value, t.under
	t.mu.Unlock()
	if valid {
		return token, 0, nil
	}
	begun := time.Now()
	select {
	case <-f.done:
	case <-ctx.Done():
		return secret.Secret{}, time.Since(begun), fault.New(fault.Cancelled, "cancelled while waiting for an access token: %v", context.Cause(ctx))
	}
	waited := time.Since(begun)
	if f.err != nil {
		var failure *fault.Error
		if !errors.As(f.err, &failure) {
			failure = t.explain(f.err)
		}
		return secret.Secret{}, waited, failure
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.Value, waited, nil
}

func (t *Tokens) run(f *fetching) {
	ctx, cancel := context.WithTimeout(t.closing, fetchTimeout)
	defer cancel()
	token, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.current, t.have = token, true
	}
	// A metadata server gives out the same token until shortly before its end.
	if again := token.Expires.Add(-RenewBefore); err != nil || !token.Expires.IsZero() && again.Before(time.Now()) {
		t.retry = time.Now().Add(retryAfter)
	}
	t.under, f.err = nil, err
	close(f.done)
}
