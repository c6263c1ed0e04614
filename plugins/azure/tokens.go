package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/openaiwire"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// scopes are what a token for Azure OpenAI is asked for, by the end of the
// host: each of Azure's clouds has its own.
var scopes = []struct{ host, scope string }{
	{".azure.us", "https://cognitiveservices.azure.us/.default"},
	{".azure.cn", "https://cognitiveservices.azure.cn/.default"},
	{"", "https://cognitiveservices.azure.com/.default"},
}

func scopeOf(address openaiwire.Address) string {
	i := slices.IndexFunc(scopes, func(s struct{ host, scope string }) bool { return strings.HasSuffix(hostOf(address), s.host) })
	return scopes[i].scope // the last one is for every host
}

// newTokens keeps a token of Microsoft Entra ID good.
func newTokens(credential azcore.TokenCredential, scope string) *jsonhttp.Tokens {
	return jsonhttp.NewTokens(func(ctx context.Context) (jsonhttp.Token, error) {
		token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
		return jsonhttp.Token{Value: secret.New(token.Token), Expires: token.ExpiresOn}, err
	}, tokenFault)
}

// defaultCredential is azidentity's chain. It touches no network.
func defaultCredential(config backend.Config) (azcore.TokenCredential, error) {
	return azidentity.NewDefaultAzureCredential(chainOptions(config))
}

// chainOptions: tokens come the way that the user gave for requests, by its proxy
// and with its authorities. --insecure and client certificates are for the
// server that is measured alone. A token is fetched once an hour, so that a
// connection is not kept for the next.
func chainOptions(config backend.Config) *azidentity.DefaultAzureCredentialOptions {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	switch config.HTTP.Proxy {
	case "":
	case "none":
		transport.Proxy = nil
	default:
		if proxy, err := url.Parse(config.HTTP.Proxy); err == nil { // else the transport of requests refuses it
			transport.Proxy = func(r *http.Request) (*url.URL, error) {
				// A machine's own identity service is behind no proxy.
				if ip := net.ParseIP(r.URL.Hostname()); ip != nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast()) {
					return nil, nil
				}
				return proxy, nil
			}
		}
	}
	if config.TLS.CAFile != "" {
		// Of a file that cannot be read the transport of requests tells.
		if settings, err := httpclient.TLSConfig(backend.TLS{CAFile: config.TLS.CAFile}); err == nil {
			transport.TLSClientConfig = settings
		}
	}
	return &azidentity.DefaultAzureCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: &http.Client{Transport: transport}}}
}

// chainSecrets are what the chain authenticates with. The errors of the chain
// have whatever an identity service said, which may repeat them.
func chainSecrets() []secret.Secret {
	var all []secret.Secret
	for _, name := range []string{"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "AZURE_PASSWORD", "IDENTITY_HEADER", "MSI_SECRET"} {
		all = append(all, secret.New(os.Getenv(name)))
	}
	if file := os.Getenv("AZURE_FEDERATED_TOKEN_FILE"); file != "" {
		// Where it cannot be read, the chain says so, and there is nothing to hide.
		if text, err := os.ReadFile(file); err == nil {
			all = append(all, secret.New(strings.TrimSpace(string(text))))
		}
	}
	return all
}

// tokenFault is the failure to get a token. The chain explains itself on many
// lines, of which the first says that all failed.
func tokenFault(err error) *fault.Error {
	failure := fault.New(fault.Auth, "no access token: %s", oneLine(err.Error()))
	failure.Hint = "sign in (az login), set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or give a key by --api-key or AZURE_OPENAI_API_KEY"
	return jsonhttp.NewRedactor(chainSecrets()).Fault(failure)
}

// expiry is when an access token ends (RFC 7519, § 4.1.4); zero where it does
// not say. Nothing is verified.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var said struct {
		Expires float64 `json:"exp"`
	}
	if json.Unmarshal(claims, &said) != nil || said.Expires <= 0 || said.Expires > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(said.Expires), 0)
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
