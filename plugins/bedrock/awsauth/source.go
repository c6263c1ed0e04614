// Package awsauth authorizes calls to AWS: it finds credentials as AWS's own
// tools do, keeps them fresh while requests go on, and signs with them
// (Signature Version 4), or sends a bearer token.
//
// Finding and signing are the SDK's; nothing of it sends or reads a measured
// request.
package awsauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"

	"github.com/genai-bench/genai-bench/sdk/httpclient"
	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Mode is where the credentials come from.
type Mode string

// The modes, by the words that stand in the results.
const (
	Keys    Mode = "aws_keys"    // given as such
	Profile Mode = "aws_profile" // of the shared files, named by the user
	Chain   Mode = "aws_default" // environment, shared files, SSO, web identity, container or instance role
	Bearer  Mode = "aws_bearer"  // an Amazon Bedrock API key
	Header  Mode = "header"      // the user sends an Authorization header of his own
)

// Settings say which credentials are meant.
type Settings struct {
	Mode            Mode
	AccessKeyID     secret.Secret // for Keys
	SecretAccessKey secret.Secret // for Keys
	SessionToken    secret.Secret // for Keys; may be unset
	Profile         string        // for Profile
	Token           secret.Secret // for Bearer
	Region          string        // "" is that of the environment or the profile
	Service         string        // of the credential scope: "bedrock"
}

// Source authorizes calls. It is safe for concurrent use.
type Source struct {
	settings Settings
	region   string
	endpoint string
	keeper   *keeper // nil for Bearer and Header
	signer   *v4.Signer
	now      func() time.Time
}

// Open reads the environment and AWS's shared files. It touches no network.
// The error is for the user; it holds no secret.
func Open(ctx context.Context, settings Settings) (*Source, error) {
	s := &Source{settings: settings, region: settings.Region, signer: v4.NewSigner(), now: time.Now}
	loaded, err := load(ctx, settings)
	if err != nil {
		// What the user gave in full needs nothing of the shared files.
		complete := settings.Mode != Profile && settings.Mode != Chain && settings.Region != ""
		if !complete {
			return nil, err
		}
	}
	if s.region == "" {
		s.region = loaded.Region
	}
	s.endpoint = aws.ToString(loaded.BaseEndpoint)
	switch settings.Mode {
	case Keys:
		s.keeper = newKeeper(credentials.NewStaticCredentialsProvider(
			settings.AccessKeyID.Reveal(), settings.SecretAccessKey.Reveal(), settings.SessionToken.Reveal()))
	case Profile, Chain:
		s.keeper = newKeeper(loaded.Credentials)
	}
	return s, nil
}

// load reads what AWS's tools would.
func load(ctx context.Context, settings Settings) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{
		// The calls for credentials are few: no connection is kept for the next.
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })),
		config.WithLogger(logging.Nop{}), // it writes to stderr, and what it writes is not ours to vouch for
		config.WithCredentialsCacheOptions(func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshAhead }),
	}
	if settings.Region != "" {
		options = append(options, config.WithRegion(settings.Region))
	}
	if settings.Mode == Profile {
		options = append(options, config.WithSharedConfigProfile(settings.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err == nil {
		return loaded, nil
	}
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) {
		return loaded, fmt.Errorf("there is no profile %q in AWS's shared configuration or credentials file", missing.Profile)
	}
	return loaded, errors.New(oneLine(err.Error()))
}

// Mode is where the credentials come from.
func (s *Source) Mode() Mode { return s.settings.Mode }

// Region is the region of the credential scope; "" where none is known.
func (s *Source) Region() string { return s.region }

// UseRegion sets the region where none is known. It is called before Authorize.
func (s *Source) UseRegion(region string) { s.region = region }

// Endpoint is the address for all services that the environment or the profile
// names (AWS_ENDPOINT_URL, endpoint_url); "" where none is named.
func (s *Source) Endpoint() string { return s.endpoint }

// Ready fetches the credentials where they are not at hand.
func (s *Source) Ready(ctx context.Context) error {
	if s.keeper == nil {
		return nil
	}
	_, _, err := s.keeper.get(ctx)
	return err
}

// Authorize puts what authorizes the call into its header. It tells how long it
// had to wait for credentials. A header of the call is changed and must be its
// own. An error is a *CredentialsError, or that of ctx.
func (s *Source) Authorize(ctx context.Context, call *httpclient.Call) (waited time.Duration, err error) {
	switch s.settings.Mode {
	case Header:
		return 0, nil
	case Bearer:
		call.Header["Authorization"] = []string{"Bearer " + s.settings.Token.Reveal()}
		return 0, nil
	}
	held, waited, err := s.keeper.get(ctx)
	if err != nil {
		return waited, err
	}
	return waited, s.sign(ctx, held, call)
}

// sign adds X-Amz-Date, X-Amz-Security-Token and Authorization. Of the header
// only what says what is asked for is signed: what a proxy may add or change on
// the way is not.
func (s *Source) sign(ctx context.Context, held aws.Credentials, call *httpclient.Call) error {
	address, err := url.Parse(call.URL)
	if err != nil {
		return err
	}
	signed := make(http.Header, 6)
	for name, values := range call.Header {
		if name == "Content-Type" || name == "Accept" || strings.HasPrefix(name, "X-Amz") {
			signed[name] = values
		}
	}
	hash := sha256.Sum256(call.Body)
	request := &http.Request{
		Method: call.Method, URL: address, Host: call.Header.Get("Host"), Header: signed, ContentLength: int64(len(call.Body)),
	}
	if err := s.signer.SignHTTP(ctx, held, request, hex.EncodeToString(hash[:]), s.settings.Service, s.region, s.now()); err != nil {
		return err
	}
	for name, values := range signed {
		call.Header[name] = values
	}
	return nil
}

// Refused tells the source that the provider called the credentials expired:
// they are fetched again where they came from.
func (s *Source) Refused() {
	if s.keeper != nil {
		s.keeper.renew()
	}
}

// Secrets are the secrets that were given, and those of all credentials that
// were in use, for redaction. The list only grows.
func (s *Source) Secrets() []secret.Secret {
	all := []secret.Secret{s.settings.AccessKeyID, s.settings.SecretAccessKey, s.settings.SessionToken, s.settings.Token}
	if s.keeper != nil {
		for _, held := range s.keeper.fetched() {
			all = append(all, secret.New(held.AccessKeyID), secret.New(held.SecretAccessKey), secret.New(held.SessionToken))
		}
	}
	return all
}

// Renewals is how often credentials were fetched: Secrets is longer where it is
// greater.
func (s *Source) Renewals() int {
	if s.keeper == nil {
		return 0
	}
	return len(s.keeper.fetched())
}

// Close ends what goes on in the background. It may be called twice.
func (s *Source) Close() {
	if s.keeper != nil {
		s.keeper.close()
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
