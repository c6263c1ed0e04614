package auth

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oracle/oci-go-sdk/v65/common"
	ociauth "github.com/oracle/oci-go-sdk/v65/common/auth"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

// Environment variables by which the SDK is told where the services are that an
// instance's credentials come from.
const (
	EnvMetadata   = "OCI_METADATA_BASE_URL"
	EnvFederation = "OCI_SDK_AUTH_CLIENT_REGION_URL"
)

const defaultMetadata = "http://169.254.169.254/opc/v2"

// Times of an instance's token.
const (
	// renewBefore is how long before its end a token is renewed: the SDK hands
	// out none that has less to live.
	renewBefore = 5 * time.Minute
	// renewPause is how long after a renewal none is tried, however short the
	// token's life.
	renewPause = 10 * time.Second
	// retryPause is how long a failure is told again instead of asking anew.
	retryPause = time.Second
	// callMax bounds each call that fetches a part of a credential.
	callMax = 10 * time.Second
)

// instanceSource is the source of instance principals: the SDK trades the
// certificates that the metadata service has for a token of the auth service.
// It does so in a goroutine of its own, one at a time.
type instanceSource struct {
	client   *http.Client
	metadata string

	current atomic.Pointer[identity]

	mu       sync.Mutex // never held while talking to the network
	running  chan struct{}
	renewed  time.Time
	failed   time.Time
	failure  *fault.Error
	stop     context.Context
	cancel   context.CancelFunc
	wait     sync.WaitGroup
	provider common.ConfigurationProvider // the renewing goroutine's own
}

func openInstance(s Settings) *instanceSource {
	i := &instanceSource{metadata: defaultMetadata}
	if base := os.Getenv(EnvMetadata); base != "" {
		i.metadata = strings.TrimRight(base, "/")
	}
	i.stop, i.cancel = context.WithCancel(context.Background())
	i.client = &http.Client{Timeout: callMax, Transport: transportOf(s)}
	return i
}

// dispatcher makes the SDK's calls. It reads each answer to its end, because the
// SDK does not close all of them, and ends with the source: a call that is under
// way is cancelled, and the SDK, which would try again for minutes and sleep
// between, is left by a panic that fetch recovers from.
type dispatcher struct {
	client *http.Client
	stop   context.Context // of the source: no call's
}

// stopped is the panic of a dispatcher whose source was closed.
type stopped struct{}

// Do implements common.HTTPRequestDispatcher.
func (d dispatcher) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(d.stop, cancel)()
	answer, err := d.read(r.WithContext(ctx))
	if d.stop.Err() != nil {
		panic(stopped{})
	}
	return answer, err
}

func (d dispatcher) read(r *http.Request) (*http.Response, error) {
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, err
	}
	const bytesMax = 1 << 20 // of certificates and tokens
	text, err := io.ReadAll(io.LimitReader(answer.Body, bytesMax))
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	return answer, nil
}

// transportOf makes the transport for the calls that fetch tokens. The metadata
// service is on the link itself and never behind a proxy.
func transportOf(s Settings) *http.Transport {
	t := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: callMax, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: s.TLS.Insecure}, //nolint:gosec // asked for by --insecure
	}
	if s.TLS.CAFile != "" {
		text, err := os.ReadFile(s.TLS.CAFile)
		pool, poolErr := x509.SystemCertPool()
		if poolErr != nil {
			pool = x509.NewCertPool()
		}
		if err != nil || !pool.AppendCertsFromPEM(text) {
			return t // the transport of requests says what is wrong with it
		}
		t.TLSClientConfig.RootCAs = pool
	}
	proxy := http.ProxyFromEnvironment
	switch s.Proxy {
	case "":
	case "none":
		proxy = nil
	default:
		u, err := url.Parse(s.Proxy)
		if err != nil {
			return t // as above
		}
		proxy = http.ProxyURL(u)
	}
	if proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) {
			if ip := net.ParseIP(r.URL.Hostname()); ip != nil && (ip.IsLinkLocalUnicast() || ip.IsLoopback()) {
				return nil, nil
			}
			return proxy(r)
		}
	}
	return t
}

func (i *instanceSource) get(ctx context.Context) (*identity, time.Duration, *fault.Error) {
	now := time.Now()
	id := i.current.Load()
	if id != nil && now.Add(renewBefore).Before(id.expires) {
		return id, 0, nil
	}
	done := i.renew(now, id == nil || id.expired(now))
	if id != nil && !id.expired(now) {
		return id, 0, nil // good as yet; the next one is on its way
	}
	select {
	case <-done:
	case <-ctx.Done():
		return nil, time.Since(now), fault.New(fault.Cancelled, "the request ended while it waited for an instance principal's token: %v", context.Cause(ctx))
	}
	if id := i.current.Load(); id != nil && !id.expired(time.Now()) {
		return id, time.Since(now), nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	failure := *i.failure
	return nil, time.Since(now), &failure
}

func (i *instanceSource) check(ctx context.Context) *fault.Error {
	_, _, failure := i.get(ctx)
	return failure
}

// closedChannel is what there is nothing to wait for.
var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// renew starts a renewal, unless one runs or was just done, and returns what is
// closed at its end.
func (i *instanceSource) renew(now time.Time, needed bool) <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.running != nil:
		return i.running
	case i.failure != nil && now.Sub(i.failed) < retryPause:
		return closedChannel
	case !needed && now.Sub(i.renewed) < renewPause:
		return closedChannel
	}
	done := make(chan struct{})
	i.running = done
	i.wait.Go(func() {
		id, failure := i.fetch()
		if failure == nil {
			i.current.Store(id)
		}
		i.mu.Lock()
		i.failure, i.failed = failure, time.Now()
		if failure == nil {
			i.renewed = i.failed
		}
		i.running = nil
		i.mu.Unlock()
		close(done)
	})
	return done
}

// fetch gets a token and its key from the SDK.
func (i *instanceSource) fetch() (id *identity, failure *fault.Error) {
	defer func() {
		if r := recover(); r != nil { // the SDK asserts what tokens and certificates hold
			i.provider = nil
			if r == (stopped{}) {
				id, failure = nil, refused("the backend was closed")
				return
			}
			id, failure = nil, refused(fmt.Sprintf("the answer of the metadata or auth service is not as expected (%T)", r))
		}
	}()
	if i.provider == nil {
		if failure := i.reachable(); failure != nil {
			return nil, failure
		}
		own := func(common.HTTPRequestDispatcher) (common.HTTPRequestDispatcher, error) {
			return dispatcher{i.client, i.stop}, nil
		}
		provider, err := ociauth.InstancePrincipalConfigurationProviderWithCustomClient(own)
		if err != nil {
			return nil, refused(oneLine(err))
		}
		i.provider = provider
	}
	const attempts = 3 // a token and its key are two calls: the token must be the same after the key
	for range attempts {
		before, err := i.provider.KeyID()
		if err != nil {
			return nil, refused(oneLine(err))
		}
		var key *rsa.PrivateKey
		if key, err = i.provider.PrivateRSAKey(); err != nil {
			return nil, refused(oneLine(err))
		}
		after, err := i.provider.KeyID()
		if err != nil {
			return nil, refused(oneLine(err))
		}
		if before == after {
			token := strings.TrimPrefix(after, "ST$")
			return &identity{keyID: after, key: key, token: token, expires: expiryOf(token)}, nil
		}
	}
	return nil, refused(fmt.Sprintf("the auth service hands out tokens that end within %v, for which the SDK has no use", renewBefore))
}

// reachable asks the metadata service once, because the SDK would ask for two
// minutes before it says that nobody is there.
func (i *instanceSource) reachable() *fault.Error {
	ctx, cancel := context.WithTimeout(i.stop, callMax)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.metadata+"/instance/region", nil)
	if err != nil {
		return refused(fmt.Sprintf("%s is no address: check the variable %s", i.metadata, EnvMetadata))
	}
	request.Header.Set("Authorization", "Bearer Oracle")
	answer, err := i.client.Do(request)
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return refused(fmt.Sprintf("the metadata service at %s does not answer: %v", i.metadata, err))
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	err = errors.Join(err, answer.Body.Close())
	if err != nil || answer.StatusCode != http.StatusOK {
		return refused(fmt.Sprintf("the metadata service at %s answers HTTP %d", i.metadata, answer.StatusCode))
	}
	return nil
}

// refused is the failure to get a token.
func refused(message string) *fault.Error {
	e := fault.New(fault.Auth, "instance principal: %s", message)
	e.Hint = "instance principals work on OCI's own compute instances that a dynamic group with a policy covers; elsewhere use --auth user_principal or security_token"
	return e
}

// oneLine is an error of the SDK without its advice, and without the token that
// it repeats where it cannot read it.
func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if before, _, ok := strings.Cut(line, "failed to parse the token string"); ok {
		line = before + "the token cannot be read"
	}
	return line
}

func (i *instanceSource) close() {
	i.cancel()
	i.wait.Wait()
}
