package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
)

const identityHeader = "PLANTED-IDENTITY-HEADER-44d0"

// startIdentity is the identity endpoint of an App Service
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity). It
// verifies the header and the resource.
func startIdentity(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != identityHeader || r.URL.Query().Get("resource") != strings.TrimSuffix(scope, "/.default") ||
			r.URL.Query().Get("api-version") != "2019-08-01" {
			http.Error(w, `{"statusCode": 400, "message": "bad request"}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token": %q, "expires_on": "%d", "resource": %q, "token_type": "Bearer", "client_id": "x"}`,
			plantedToken, time.Now().Add(time.Hour).Unix(), r.URL.Query().Get("resource"))
	}))
	t.Cleanup(s.Close)
	return s
}

// credential is a source of tokens that the test scripts.
type credential func(ctx context.Context, n int) (azcore.AccessToken, error)

func (c credential) counting() azcore.TokenCredential { return &counted{get: c} }

type counted struct {
	n   int
	get credential
}

func (c *counted) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if len(o.Scopes) != 1 || o.Scopes[0] != scope {
		return azcore.AccessToken{}, fmt.Errorf("scopes %v", o.Scopes)
	}
	c.n++
	return c.get(ctx, c.n)
}

func TestTokensAreRenewedBesideTheRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := newTokens(credential(func(_ context.Context, n int) (azcore.AccessToken, error) {
			time.Sleep(2 * time.Second)
			return azcore.AccessToken{Token: fmt.Sprint("token-", n), ExpiresOn: time.Now().Add(time.Hour)}, nil
		}).counting())
		defer tokens.close()
		sign := func(wantToken string, wantQueued time.Duration) {
			t.Helper()
			call := &httpclient.Call{Header: http.Header{"Accept": {"x"}}}
			before := call.Header
			if err := tokens.sign(t.Context(), call); err != nil {
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
		source := credential(func(_ context.Context, n int) (azcore.AccessToken, error) {
			if n == 2 || n == 3 {
				return azcore.AccessToken{}, errors.New("the identity service is down")
			}
			return azcore.AccessToken{Token: fmt.Sprint("token-", n), ExpiresOn: time.Now().Add(time.Hour)}, nil
		}).counting().(*counted)
		tokens := newTokens(source)
		defer tokens.close()
		get := func() string {
			t.Helper()
			token, _, err := tokens.token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return token
		}
		get()
		time.Sleep(56 * time.Minute)
		for range 5 {
			get() // one attempt, not five
		}
		if source.n != 2 {
			t.Errorf("%d attempts, want 2", source.n)
		}
		time.Sleep(11 * time.Second)
		get()
		time.Sleep(11 * time.Second)
		get()
		if got := get(); got != "token-4" || source.n != 4 {
			t.Errorf("%s after %d attempts", got, source.n)
		}
	})
}

func TestWhyThereIsNoToken(t *testing.T) {
	tokens := newTokens(credential(func(context.Context, int) (azcore.AccessToken, error) {
		return azcore.AccessToken{}, errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n\tEnvironmentCredential: missing")
	}).counting())
	defer tokens.close()
	err := tokens.sign(t.Context(), &httpclient.Call{})
	var failure *fault.Error
	if !errors.As(err, &failure) || failure.Class != fault.Auth || strings.Contains(failure.Message, "\n") ||
		!strings.Contains(failure.Message, "EnvironmentCredential: missing") || !strings.Contains(failure.Hint, "az login") {
		t.Errorf("%v", err)
	}
}

func TestWaitingForATokenEndsWithTheRequest(t *testing.T) {
	tokens := newTokens(credential(func(ctx context.Context, _ int) (azcore.AccessToken, error) {
		<-ctx.Done()
		return azcore.AccessToken{}, ctx.Err()
	}).counting())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := tokens.sign(ctx, &httpclient.Call{})
	var failure *fault.Error
	if !errors.As(err, &failure) || failure.Class != fault.Cancelled {
		t.Errorf("%v", err)
	}
	tokens.close() // ends the attempt under way
}
