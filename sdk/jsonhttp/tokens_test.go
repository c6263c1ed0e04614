package jsonhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

func asAuth(err error) *fault.Error { return fault.New(fault.Auth, "no token: %v", err) }

// source hands out token-1, token-2, … of an hour; get may fail or take its time.
type source struct {
	n   int
	get func(n int) error
}

func (s *source) fetch(context.Context) (jsonhttp.Token, error) {
	s.n++
	n := s.n
	if err := s.get(n); err != nil {
		return jsonhttp.Token{}, err
	}
	return jsonhttp.Token{Value: secret.New(fmt.Sprint("token-", n)), Expires: time.Now().Add(time.Hour)}, nil
}

func TestTokensAreRenewedBesideTheRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{get: func(int) error { time.Sleep(2 * time.Second); return nil }}
		tokens := jsonhttp.NewTokens(s.fetch, asAuth)
		defer tokens.Close()
		sign := func(wantToken string, wantQueued time.Duration) {
			t.Helper()
			before := http.Header{"Accept": {"x"}}
			call := &httpclient.Call{Header: before}
			if err := tokens.Sign(t.Context(), call); err != nil {
				t.Fatal(err)
			}
			if got := call.Header.Get("Authorization"); got != "Bearer "+wantToken || call.Queued != wantQueued {
				t.Errorf("%s after %v, want %s after %v", got, call.Queued, wantToken, wantQueued)
			}
			if before.Get("Authorization") != "" {
				t.Error("the shared header was written to")
			}
		}
		sign("token-1", 2*time.Second) // the first one is waited for, and said so
		sign("token-1", 0)
		time.Sleep(56 * time.Minute)
		sign("token-1", 0) // starts the renewal and does not wait for it
		time.Sleep(3 * time.Second)
		sign("token-2", 0)
		time.Sleep(2 * time.Hour)
		sign("token-3", 2*time.Second) // expired while nobody asked
	})
}

func TestARenewalThatFailsIsTriedAgainWhileTheTokenIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{get: func(n int) error {
			if n == 2 || n == 3 {
				return errors.New("the identity service is down")
			}
			return nil
		}}
		tokens := jsonhttp.NewTokens(s.fetch, asAuth)
		defer tokens.Close()
		get := func() string {
			t.Helper()
			token, _, err := tokens.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return token.Reveal()
		}
		get()
		time.Sleep(56 * time.Minute)
		for range 5 {
			get() // one attempt, not five
		}
		if s.n != 2 {
			t.Errorf("%d attempts, want 2", s.n)
		}
		time.Sleep(11 * time.Second)
		get()
		time.Sleep(11 * time.Second)
		get()
		if got := get(); got != "token-4" || s.n != 4 {
			t.Errorf("%s after %d attempts", got, s.n)
		}
	})
}

func TestATokenWithoutAnEndIsKept(t *testing.T) {
	n := 0
	tokens := jsonhttp.NewTokens(func(context.Context) (jsonhttp.Token, error) {
		n++
		return jsonhttp.Token{Value: secret.New("for ever")}, nil
	}, asAuth)
	defer tokens.Close()
	for range 3 {
		if token, _, err := tokens.Get(t.Context()); err != nil || token.Reveal() != "for ever" {
			t.Errorf("%v", err)
		}
	}
	if n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

func TestWhyThereIsNoToken(t *testing.T) {
	tokens := jsonhttp.NewTokens(func(context.Context) (jsonhttp.Token, error) { return jsonhttp.Token{}, errors.New("down") }, asAuth)
	defer tokens.Close()
	err := tokens.Sign(t.Context(), &httpclient.Call{})
	var failure *fault.Error
	if !errors.As(err, &failure) || failure.Class != fault.Auth || failure.Message != "no token: down" {
		t.Errorf("%v", err)
	}
}

func TestWaitingForATokenEndsWithTheRequest(t *testing.T) {
	tokens := jsonhttp.NewTokens(func(ctx context.Context) (jsonhttp.Token, error) {
		<-ctx.Done()
		return jsonhttp.Token{}, ctx.Err()
	}, asAuth)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := tokens.Sign(ctx, &httpclient.Call{})
	var failure *fault.Error
	if !errors.As(err, &failure) || failure.Class != fault.Cancelled {
		t.Errorf("%v", err)
	}
	tokens.Close() // ends the attempt under way
}
