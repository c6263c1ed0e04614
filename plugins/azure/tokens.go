package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// scope is what a token for Azure OpenAI is asked for.
const scope = "https://cognitiveservices.azure.com/.default"

// newTokens keeps a token of Microsoft Entra ID good.
func newTokens(credential azcore.TokenCredential) *jsonhttp.Tokens {
	return jsonhttp.NewTokens(func(ctx context.Context) (jsonhttp.Token, error) {
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
		return jsonhttp.Token{Value: secret.New(token.Token), Expires: token.ExpiresOn}, err
	}, tokenFault)
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
