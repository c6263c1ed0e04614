package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
)

// resource is what tokens are for.
const resource = "https://cognitiveservices.azure.com"

const identityHeader = "PLANTED-IDENTITY-HEADER-44d0"

// startIdentity is the identity endpoint of an App Service
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity). It
// verifies the header and the resource.
func startIdentity(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != identityHeader || r.URL.Query().Get("resource") != resource ||
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
type credential func(o policy.TokenRequestOptions) (azcore.AccessToken, error)

func (c credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return c(o)
}

func TestTheTokenIsForAzureOpenAI(t *testing.T) {
	for host, want := range map[string]string{
		"r.openai.azure.com": "https://cognitiveservices.azure.com/.default", "gateway.local:8080": "https://cognitiveservices.azure.com/.default",
		"r.openai.azure.us": "https://cognitiveservices.azure.us/.default", "R.openai.Azure.cn:443": "https://cognitiveservices.azure.cn/.default",
	} {
		address, err := openaiwire.ParseAddress("https://" + host)
		if err != nil {
			t.Fatal(err)
		}
		tokens := newTokens(credential(func(o policy.TokenRequestOptions) (azcore.AccessToken, error) {
			if len(o.Scopes) != 1 || o.Scopes[0] != want {
				t.Errorf("%s: scopes %v", host, o.Scopes)
			}
			return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
		}), scopeOf(address))
		defer tokens.Close()
		call := &httpclient.Call{}
		if err := tokens.Sign(t.Context(), call); err != nil || call.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("%v, %v", call.Header, err)
		}
	}
}

func TestWhyThereIsNoToken(t *testing.T) {
	t.Setenv("AZURE_CLIENT_SECRET", "PLANTED-CLIENT-SECRET-5a")
	tokens := newTokens(credential(func(policy.TokenRequestOptions) (azcore.AccessToken, error) {
		return azcore.AccessToken{}, errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n\tEnvironmentCredential: missing, not PLANTED-CLIENT-SECRET-5a")
	}), "scope")
	defer tokens.Close()
	err := tokens.Sign(t.Context(), &httpclient.Call{})
	var failure *fault.Error
	if !errors.As(err, &failure) || failure.Class != fault.Auth || strings.Contains(failure.Message, "\n") ||
		!strings.Contains(failure.Message, "EnvironmentCredential: missing, not [redacted]") || !strings.Contains(failure.Hint, "az login") {
		t.Errorf("%v", err)
	}
}
