package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// scope is what a token for Vertex AI is asked for.
const scope = "https://www.googleapis.com/auth/cloud-platform"

const credentialsHint = "give the key file of a service account by --gcp-credentials-path or GOOGLE_APPLICATION_CREDENTIALS, or sign in with gcloud auth application-default login"

// credentialTypes are the types of credentials files.
var credentialTypes = map[string]google.CredentialsType{
	"service_account":                  google.ServiceAccount,
	"authorized_user":                  google.AuthorizedUser,
	"impersonated_service_account":     google.ImpersonatedServiceAccount,
	"external_account":                 google.ExternalAccount,
	"external_account_authorized_user": google.ExternalAccountAuthorizedUser,
}

// credentialsFile reads the file and sees that it can be used.
func (o *opening) credentialsFile(path string) []byte {
	if path == "" {
		o.refuse(optionCredentials, credentialsHint, "is missing")
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		o.refuse(optionCredentials, credentialsHint, "%s: %v", path, err)
		return nil
	}
	if _, err := fileCredentials(context.Background(), data); err != nil {
		o.refuse(optionCredentials, "give the JSON file that the console hands out for a key of a service account", "%s: %v", path, err)
		return nil
	}
	return data
}

// fileCredentials makes credentials of a file. It touches no network. Errors do
// not quote the file.
func fileCredentials(ctx context.Context, data []byte) (*google.Credentials, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, errors.New("it is no JSON file of credentials")
	}
	kind, known := credentialTypes[head.Type]
	if !known {
		return nil, errors.New("credentials of type " + jsonString(head.Type) + " are not known here")
	}
	credentials, err := google.CredentialsFromJSONWithType(ctx, data, kind, scope)
	if err != nil {
		return nil, errors.New("its credentials are not complete")
	}
	return credentials, nil
}

func jsonString(s string) string { return string(jsonhttp.Quoted(s)) }

// tokenClient fetches tokens, through the proxy and with the authorities of the
// requests; --insecure is not for who gives out tokens. One is fetched an hour, so
// that no connection is kept for the next.
func (o *opening) tokenClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	switch proxy := o.config.HTTP.Proxy; proxy {
	case "":
	case "none":
		transport.Proxy = nil
	default:
		if u, err := url.Parse(proxy); err == nil { // else the transport of requests has refused it
			transport.Proxy = http.ProxyURL(u)
		}
	}
	if file := o.config.TLS.CAFile; file != "" {
		// Of a file that cannot be read the transport of requests has told.
		if pem, err := os.ReadFile(file); err == nil {
			roots, err := x509.SystemCertPool()
			if err != nil { // no system certificates: the file's are all there are
				roots = x509.NewCertPool()
			}
			roots.AppendCertsFromPEM(pem)
			transport.TLSClientConfig = &tls.Config{RootCAs: roots}
		}
	}
	return &http.Client{Transport: transport}
}

// watcher keeps why a call of a client failed, which golang.org/x/oauth2 turns
// into text.
type watcher struct {
	below http.RoundTripper
	host  string
	err   error
}

func (w *watcher) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.below.RoundTrip(r)
	w.host, w.err = r.URL.Host, err
	return answer, err
}

// unreachable is the failure to reach who gives out tokens.
type unreachable struct {
	host string
	err  error
}

func (u *unreachable) Error() string { return u.host + ": " + u.err.Error() }
func (u *unreachable) Unwrap() error { return u.err }

// newTokens keeps an access token good. The credentials are made anew for every
// token: Google's own would give out the old one until its last seconds.
func (o *opening) newTokens(c credentials) *jsonhttp.Tokens {
	client := o.tokenClient()
	return jsonhttp.NewTokens(func(ctx context.Context) (jsonhttp.Token, error) {
		watched := &watcher{below: client.Transport}
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: watched})
		var found *google.Credentials
		var err error
		if c.auth == authServiceAccount {
			found, err = fileCredentials(ctx, c.file)
		} else {
			found, err = google.FindDefaultCredentials(ctx, scope)
		}
		if err != nil {
			return jsonhttp.Token{}, err
		}
		token, err := found.TokenSource.Token()
		if err != nil && watched.err != nil {
			err = &unreachable{watched.host, watched.err}
		}
		if err != nil {
			return jsonhttp.Token{}, err
		}
		return jsonhttp.Token{Value: secret.New(token.AccessToken), Expires: token.Expiry}, nil
	}, tokenFault)
}

// tokenFault is the failure to get a token.
func tokenFault(err error) *fault.Error {
	failure := fault.New(fault.Auth, "no access token: %s", strings.Join(strings.Fields(err.Error()), " "))
	failure.Hint = credentialsHint
	var away *unreachable
	if errors.As(err, &away) {
		failure.Class, failure.Retryable = classOfTransport(away.err), true
		failure.Message = "no access token from " + away.Error()
		failure.Hint = "is the server of tokens within reach (--proxy)?"
		if failure.Class == fault.TLS {
			failure.Hint = "give the certificate of the authority of the server of tokens with --ca-file"
		}
		return failure
	}
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return failure
	}
	// For assertions the library does not read the body.
	var said struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	said.Code, said.Description = refused.ErrorCode, refused.ErrorDescription
	if said.Code == "" {
		_ = json.Unmarshal(refused.Body, &said) // else the status says it
	}
	failure.ProviderCode = said.Code
	failure.Message = "no access token: " + strings.Join(strings.Fields(said.Code+" "+said.Description), " ")
	if refused.Response != nil {
		failure.HTTPStatus = refused.Response.StatusCode
		if said.Code == "" {
			failure.Message = "no access token: the server of tokens answered " + refused.Response.Status
		}
		if class := fault.OfHTTPStatus(failure.HTTPStatus); failure.HTTPStatus >= 500 || class == fault.RateLimited {
			failure.Class, failure.Retryable = class, true
		}
	}
	// The words of Google's are from memory.
	if strings.Contains(said.Description, "Token must be a short-lived token") || strings.Contains(said.Description, "iat") {
		failure.Hint = "is this machine's clock right? Google refuses assertions of another time"
	}
	return failure
}

// classOfTransport is the class of an error of net/http.
func classOfTransport(err error) fault.Class {
	var (
		dns          *net.DNSError
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
	)
	switch {
	case errors.As(err, &dns):
		return fault.DNS
	case errors.As(err, &verification), errors.As(err, &record), errors.As(err, &alert):
		return fault.TLS
	}
	return fault.Connect
}
