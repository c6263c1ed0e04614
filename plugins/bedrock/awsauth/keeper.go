package awsauth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

const (
	// refreshAhead is how long before their end credentials are fetched anew,
	// beside the requests, which go on with the old ones.
	refreshAhead = 5 * time.Minute
	// attemptPause is the least time between two attempts to fetch them: a
	// chain that finds nothing takes seconds to say so.
	attemptPause = 10 * time.Second
	// fetchMax bounds one attempt.
	fetchMax = time.Minute
)

// CredentialsError says that there are no credentials to be had.
type CredentialsError struct {
	Message   string // one line
	Hint      string // what to do
	RequestID string // of the service that refused to give them
	Code      string // its error code
}

// Error is the message.
func (e *CredentialsError) Error() string { return e.Message }

// keeper holds credentials and fetches them anew before they end. What is
// fetched is fetched once for all who wait.
type keeper struct {
	provider aws.CredentialsProvider
	now      func() time.Time

	stop   context.CancelFunc
	ctx    context.Context //nolint:containedctx // the life of the background, which is no call's
	fetchs sync.WaitGroup

	mu      sync.Mutex
	current aws.Credentials
	ever    []aws.Credentials // all that were fetched: a request that is under way may have an older one
	have    bool
	fresh   time.Time // until then nothing is fetched; zero: for ever
	good    time.Time // until then current may be used; zero: for ever
	tried   time.Time // start of the latest attempt
	failure error     // of the latest attempt
	flight  chan struct{}
	closed  bool
}

func newKeeper(provider aws.CredentialsProvider) *keeper {
	k := &keeper{provider: provider, now: time.Now}
	k.ctx, k.stop = context.WithCancel(context.Background())
	return k
}

// get returns credentials that are good now, and how long it waited for them.
func (k *keeper) get(ctx context.Context) (aws.Credentials, time.Duration, error) {
	k.mu.Lock()
	now := k.now()
	if k.have && before(now, k.fresh) {
		defer k.mu.Unlock()
		return k.current, 0, nil
	}
	if k.flight == nil && !k.closed && (k.tried.IsZero() || now.Sub(k.tried) >= attemptPause) {
		k.fetch(now)
	}
	current, usable, flight, failure := k.current, k.have && before(now, k.good), k.flight, k.failure
	k.mu.Unlock()
	switch {
	case usable:
		return current, 0, nil
	case flight == nil && failure != nil:
		return aws.Credentials{}, 0, failure
	case flight == nil:
		return aws.Credentials{}, 0, &CredentialsError{Message: "the AWS credentials have expired", Hint: "renew them where they come from"}
	}
	begin := time.Now()
	select {
	case <-flight:
	case <-ctx.Done():
		return aws.Credentials{}, time.Since(begin), context.Cause(ctx)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current, time.Since(begin), k.failure
}

// before: a zero end never comes.
func before(now, end time.Time) bool { return end.IsZero() || now.Before(end) }

// fetch begins an attempt. k.mu is held.
func (k *keeper) fetch(now time.Time) {
	k.tried = now
	flight := make(chan struct{})
	k.flight = flight
	k.fetchs.Go(func() {
		ctx, cancel := context.WithTimeout(k.ctx, fetchMax)
		defer cancel()
		got, err := k.provider.Retrieve(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		defer close(flight)
		k.flight, k.failure = nil, nil
		if err != nil {
			k.failure = explain(err)
			return
		}
		if !k.have || got.SecretAccessKey != k.current.SecretAccessKey || got.SessionToken != k.current.SessionToken {
			k.ever = append(k.ever, got)
		}
		k.current, k.have, k.fresh, k.good = got, true, time.Time{}, time.Time{}
		if got.CanExpire {
			// The SDK's cache calls them expired refreshAhead early.
			k.fresh, k.good = got.Expires, got.Expires
			if _, cached := k.provider.(*aws.CredentialsCache); cached {
				k.good = got.Expires.Add(refreshAhead)
			}
		}
	})
}

// renew has the credentials fetched again, by the next get.
func (k *keeper) renew() {
	if cache, ok := k.provider.(*aws.CredentialsCache); ok {
		cache.Invalidate()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.have {
		k.fresh = k.now()
		if k.good.IsZero() {
			k.good = k.now().Add(24 * time.Hour) // for want of better ones
		}
	}
}

// fetched are all credentials that there have been, in the order of their coming.
func (k *keeper) fetched() []aws.Credentials {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ever[:len(k.ever):len(k.ever)]
}

func (k *keeper) close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.stop()
	k.fetchs.Wait()
}

// explain turns the SDK's chains of errors into a sentence.
func explain(err error) error {
	e := &CredentialsError{Message: "the AWS credentials cannot be had: " + oneLine(err.Error())}
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		e.RequestID = response.ServiceRequestID()
	}
	var coded interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if errors.As(err, &coded) && coded.ErrorMessage() != "" {
		e.Code = coded.ErrorCode()
		e.Message = "the AWS credentials cannot be had: " + oneLine(coded.ErrorMessage())
	}
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "no ec2 imds role found"):
		e.Message = "no AWS credentials were found: no keys, no profile, no web identity, no role of a container or an instance"
		e.Hint = "give --aws-access-key-id and --aws-secret-access-key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; IAM console > Users > Security credentials), " +
			"--aws-profile (AWS_PROFILE; aws configure makes one), or --api-key (AWS_BEARER_TOKEN_BEDROCK; Amazon Bedrock console > API keys)"
	case strings.Contains(text, "sso"), strings.Contains(text, "refresh token"), strings.Contains(text, "login session"):
		e.Hint = "log in again with aws sso login (or aws login), with the same profile"
	case strings.Contains(text, "assume role"), strings.Contains(text, "assumerole"):
		e.Hint = "check that the role exists and trusts the credentials with which it is assumed"
	case strings.Contains(text, "static credentials are empty"):
		e.Hint = "give both --aws-access-key-id and --aws-secret-access-key"
	case strings.Contains(text, "credential process"), strings.Contains(text, "credential_process"):
		e.Hint = "run the profile's credential_process by hand"
	default:
		e.Hint = "aws sts get-caller-identity shows what AWS's own tools make of the same configuration"
	}
	return e
}
