package awsauth

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// provider gives credentials named by their number, after a delay.
type provider struct {
	calls    atomic.Int32
	delay    time.Duration
	lifetime time.Duration // 0: they do not expire
	err      error         // of every call but the first
}

func (p *provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	n := p.calls.Add(1)
	select {
	case <-time.After(p.delay):
	case <-ctx.Done():
		return aws.Credentials{}, ctx.Err()
	}
	if p.err != nil && n > 1 {
		return aws.Credentials{}, p.err
	}
	c := aws.Credentials{AccessKeyID: "key-" + string('0'+n), SecretAccessKey: "secret"}
	if p.lifetime > 0 {
		c.CanExpire, c.Expires = true, time.Now().Add(p.lifetime)
	}
	return c, nil
}

// keep makes a keeper as Open does for what expires.
func keep(p *provider) *keeper {
	return newKeeper(aws.NewCredentialsCache(p, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshAhead }))
}

func expectKey(t *testing.T, k *keeper, want string, wait time.Duration) {
	t.Helper()
	got, waited, err := k.get(t.Context())
	if err != nil || got.AccessKeyID != want || waited != wait {
		t.Errorf("%s after %v, %v; want %s after %v", got.AccessKeyID, waited, err, want, wait)
	}
}

func TestRefreshBesideRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{delay: 2 * time.Second, lifetime: time.Hour}
		k := keep(p)
		defer k.close()
		expectKey(t, k, "key-1", 2*time.Second) // the first request waits
		expectKey(t, k, "key-1", 0)
		time.Sleep(time.Hour - refreshAhead)
		expectKey(t, k, "key-1", 0) // they are fetched anew from now on
		expectKey(t, k, "key-1", 0)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		expectKey(t, k, "key-2", 0)
		if n := p.calls.Load(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
		time.Sleep(2 * time.Hour) // nobody asked in time: now one has to wait
		expectKey(t, k, "key-3", 2*time.Second)
	})
}

func TestManyWaitForOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{delay: time.Second}
		k := keep(p)
		defer k.close()
		for range 50 {
			go expectKey(t, k, "key-1", time.Second)
		}
		time.Sleep(3 * time.Second)
		if n := p.calls.Load(); n != 1 {
			t.Errorf("%d fetches, want 1", n)
		}
	})
}

func TestFailedRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{lifetime: time.Hour, err: errors.New("the SSO session has expired or is invalid")}
		k := keep(p)
		defer k.close()
		expectKey(t, k, "key-1", 0)
		time.Sleep(time.Hour - refreshAhead)
		for range 20 { // good for five minutes yet; an attempt every ten seconds
			expectKey(t, k, "key-1", 0)
			time.Sleep(time.Second)
		}
		if n := p.calls.Load(); n != 3 {
			t.Errorf("%d fetches in 20 s, want the first and two", n)
		}
		time.Sleep(time.Hour)
		_, _, err := k.get(t.Context())
		var missing *CredentialsError
		if !errors.As(err, &missing) || !strings.Contains(missing.Message, "SSO session has expired") || !strings.Contains(missing.Hint, "aws sso login") {
			t.Errorf("%v", err)
		}
		if _, waited, again := k.get(t.Context()); again == nil || waited != 0 {
			t.Errorf("a moment later: %v after %v", again, waited)
		}
	})
}

func TestRefusedAreFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(provider)
		k := keep(p)
		defer k.close()
		expectKey(t, k, "key-1", 0)
		time.Sleep(attemptPause)
		k.renew()
		expectKey(t, k, "key-1", 0) // those in hand, for want of better ones
		synctest.Wait()
		expectKey(t, k, "key-2", 0)
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &provider{delay: time.Minute}
		k := keep(p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, waited, err := k.get(ctx); !errors.Is(err, context.DeadlineExceeded) || waited != time.Second {
			t.Errorf("%v after %v", err, waited)
		}
		k.close() // does not wait for the fetch, which the SDK's cache shields from the end of its caller
		k.close()
		if _, _, err := k.get(t.Context()); err == nil {
			t.Error("credentials from a closed keeper")
		}
		time.Sleep(p.delay)
	})
}

func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct{ err, message, hint string }{
		"nothing found": {"no EC2 IMDS role found, operation error ec2imds: GetMetadata, access disabled to EC2 IMDS",
			"no AWS credentials were found", "--aws-profile"},
		"login": {"failed to refresh cached SSO token", "failed to refresh", "aws sso login"},
		"role":  {"operation error STS: AssumeRole, https response error StatusCode: 403", "AssumeRole", "the role exists"},
		"other": {"first\nsecond", "first second", "get-caller-identity"},
	} {
		err := explain(errors.New(tc.err))
		var e *CredentialsError
		if !errors.As(err, &e) || !strings.Contains(e.Message, tc.message) || !strings.Contains(e.Hint, tc.hint) {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
