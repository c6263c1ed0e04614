package httpclient

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http/httpproxy"
)

// target is what a URL means for the transport. There are few of them and many
// requests, so they are kept.
type target struct {
	scheme  string // http or https
	address string // host:port to be reached
	name    string // host for TLS
	host    string // the Host header
	path    string // request target, in origin form
	auth    string // Authorization from the URL's user information, or ""

	proxy     *url.URL // nil: none
	proxyName string   // what tells proxies apart, no secret
	proxyAuth string   // Proxy-Authorization, or ""
}

// targetsMax bounds the kept ones, should some plugin make URLs without end.
const targetsMax = 4096

func (c *Client) target(text string) (*target, error) {
	c.mu.Lock()
	t := c.targets[text]
	c.mu.Unlock()
	if t != nil {
		return t, nil
	}
	t, err := c.makeTarget(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if len(c.targets) >= targetsMax {
		clear(c.targets)
	}
	c.targets[text] = t
	c.mu.Unlock()
	return t, nil
}

func (c *Client) makeTarget(text string) (*target, error) {
	u, err := url.Parse(text)
	if err != nil {
		err = withoutText(err)
		return nil, fmt.Errorf("the address is no URL: %w (use http://HOST:PORT/PATH)", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("the address %q is not of the form http://HOST:PORT/PATH or https://…", u.Redacted())
	}
	host, err := httpguts.PunycodeHostPort(u.Host)
	if err != nil || !httpguts.ValidHostHeader(host) {
		return nil, fmt.Errorf("%q is no host name", u.Host)
	}
	ascii := &url.URL{Scheme: u.Scheme, Host: host}
	t := &target{scheme: u.Scheme, name: ascii.Hostname(), address: withPort(ascii), host: removeZone(host), path: u.RequestURI()}
	if !strings.HasPrefix(t.path, "/") {
		return nil, fmt.Errorf("the address %q has no path", u.Redacted())
	}
	t.auth = basicAuth(u.User)
	if t.proxy, err = c.proxy(u); err != nil {
		return nil, fmt.Errorf("proxy of the environment: %w (mend HTTP_PROXY and HTTPS_PROXY)", err)
	}
	if t.proxy != nil {
		if err := checkProxy(t.proxy); err != nil {
			return nil, err
		}
		t.proxyName = t.proxy.Scheme + "://" + withPort(t.proxy)
		t.proxyAuth = basicAuth(t.proxy.User)
	}
	return t, nil
}

// withoutText drops the URL that url.Error repeats: it may hold a password.
func withoutText(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// removeZone takes the zone out of [fe80::1%eth0]:80: it means nothing to the
// server (RFC 6874, § 4).
func removeZone(host string) string {
	open, end := strings.IndexByte(host, '%'), strings.LastIndexByte(host, ']')
	if open < 0 || end < open {
		return host
	}
	return host[:open] + host[end:]
}

func withPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func basicAuth(user *url.Userinfo) string {
	if user == nil {
		return ""
	}
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// proxies makes the choice of a proxy by URL. setting is Options.HTTP.Proxy.
func proxies(setting string) (func(*url.URL) (*url.URL, error), error) {
	switch setting {
	case "none":
		return func(*url.URL) (*url.URL, error) { return nil, nil }, nil
	case "":
		return httpproxy.FromEnvironment().ProxyFunc(), nil
	}
	u, err := url.Parse(setting)
	if err != nil {
		err = withoutText(err)
		return nil, fmt.Errorf("the proxy is no URL: %w (use http://HOST:PORT)", err)
	}
	if err := checkProxy(u); err != nil {
		return nil, err
	}
	config := httpproxy.FromEnvironment()
	config.HTTPProxy, config.HTTPSProxy, config.CGI = setting, setting, false
	choose := config.ProxyFunc()
	noProxy := os.Getenv("NO_PROXY") + os.Getenv("no_proxy")
	return func(target *url.URL) (*url.URL, error) {
		// httpproxy never uses a proxy for this host itself. One that was asked
		// for in so many words is used, unless NO_PROXY is in the way.
		if isLoopback(target.Hostname()) && !strings.Contains(noProxy, target.Hostname()) && noProxy != "*" {
			return u, nil
		}
		return choose(target)
	}, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func checkProxy(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("the proxy %q cannot be used (only http://HOST:PORT and https://HOST:PORT)", u.Redacted())
	}
	return nil
}
