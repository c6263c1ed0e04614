package main

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
)

// scope is what a token for Azure OpenAI is asked for.
const scope = "https://cognitiveservices.azure.com/.default"

// renewBefore is how long before its end a token is renewed, beside the
// requests that still use it. Microsoft's tokens live an hour or more.
const renewBefore = 5 * time.Minute

// fetchTimeout bounds one attempt to get a token.
const fetchTimeout = 60 * time.Second

// tokens keeps an access token of Microsoft Entra ID that is good. A request
// waits for one only where there is none that is valid; a renewal goes on beside
// the requests. It is safe for concurrent use.
type tokens struct {
	credential azcore.TokenCredential
	now        func() time.Time

	mu      sync.Mutex
	current azcore.AccessToken
	fetch   *fetching // nil: none is under way
	retry   time.Time // a renewal that failed is not tried again before

	closing context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
}

// fetching is an attempt under way.
type fetching struct {
	done chan struct{}
	err  error
}

func newTokens(credential azcore.TokenCredential) *tokens {
	closing, stop := context.WithCancel(context.Background())
	return &tokens{credential: credential, now: time.Now, closing: closing, stop: stop}
}

// defaultCredential is azidentity's chain. It touches no network. A token is
// fetched once an hour, so that a connection is not kept for the next.
func defaultCredential() (azcore.TokenCredential, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: transport}},
	})
}

// close gives up what is under way and waits for its end.
func (t *tokens) close() {
	t.stop()
	t.running.Wait()
}

// sign puts the token into a call.
func (t *tokens) sign(ctx context.Context, call *httpclient.Call) error {
	token, waited, err := t.token(ctx)
	call.Queued += waited
	if err != nil {
		return err
	}
	header := call.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Authorization", "Bearer "+token)
	call.Header = header
	return nil
}

// token returns a token that is valid, and how long it had to be waited for.
func (t *tokens) token(ctx context.Context) (string, time.Duration, error) {
	t.mu.Lock()
	now := t.now()
	valid := t.current.ExpiresOn.After(now)
	renew := !valid || t.current.ExpiresOn.Add(-renewBefore).Before(now) && now.After(t.retry)
	if renew && t.fetch == nil {
		t.fetch = &fetching{done: make(chan struct{})}
		f := t.fetch
		t.running.Go(func() { t.run(f) })
	}
	token, f := t.current.Token, t.fetch
	t.mu.Unlock()
	if valid {
		return token, 0, nil
	}
	begun := time.Now()
	select {
	case <-f.done:
	case <-ctx.Done():
		return "", time.Since(begun), fault.New(fault.Cancelled, "cancelled while waiting for an access token: %v", context.Cause(ctx))
	}
	waited := time.Since(begun)
	if f.err != nil {
		return "", waited, tokenFault(f.err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current.Token, waited, nil
}

func (t *tokens) run(f *fetching) {
	ctx, cancel := context.WithTimeout(t.closing, fetchTimeout)
	defer cancel()
	token, err := t.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.current = token
	} else {
		t.retry = t.now().Add(10 * time.Second)
	}
	t.fetch, f.err = nil, err
	close(f.done)
}

// tokenFault is the failure to get a token. The chain explains itself on many
// lines, of which the first says that all failed.
func tokenFault(err error) *fault.Error {
	failure := fault.New(fault.Auth, "no access token: %s", oneLine(err.Error()))
	failure.Hint = "sign in (az login), set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or give --api-key"
	return failure
}

// oneLine joins the lines of a text.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && strings.Trim(line, "-=") != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
