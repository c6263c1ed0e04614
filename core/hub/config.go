package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

const (
	defaultEndpoint = "https://huggingface.co"
	defaultTimeout  = 10 * time.Second
	// maxTokenBytes bounds what is read of a token file: real ones have some 40 bytes.
	maxTokenBytes = 4096
)

// Config says where things are. FromEnv fills it in.
type Config struct {
	Endpoint  string        // of the hub, without a slash at the end; "": https://huggingface.co
	CacheDir  string        // holds models--… and datasets--…
	Token     secret.Secret // unset: the first line of TokenPath is used, if there is such a file
	TokenPath string        // "": none
	Offline   bool          // no network is used
	// Timeout limits connecting, waiting for the head of an answer and each wait
	// for more of its body, not whole downloads. 0: 10 s.
	Timeout time.Duration
	Proxy   func(*url.URL) (*url.URL, error) // nil: none

	problem error // what FromEnv could not make sense of; New reports it
}

// FromEnv reads the variables that Python's huggingface_hub reads: HF_ENDPOINT,
// HF_HOME, HF_HUB_CACHE (and HUGGINGFACE_HUB_CACHE), HF_TOKEN (and
// HUGGING_FACE_HUB_TOKEN), HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN,
// HF_HUB_OFFLINE (and TRANSFORMERS_OFFLINE), HF_HUB_DOWNLOAD_TIMEOUT in seconds,
// XDG_CACHE_HOME, and HTTP_PROXY, HTTPS_PROXY, NO_PROXY. home is the user's
// folder, "" where there is none. An empty variable is an unset one. What makes
// no sense becomes an error of New.
func FromEnv(getenv func(string) string, home string) Config {
	c := Config{Endpoint: strings.TrimRight(strings.TrimSpace(getenv("HF_ENDPOINT")), "/"), Timeout: defaultTimeout}

	hfHome := expand(getenv("HF_HOME"), getenv, home)
	if hfHome == "" {
		base := expand(getenv("XDG_CACHE_HOME"), getenv, home)
		if base == "" && home != "" {
			base = filepath.Join(home, ".cache")
		}
		if base != "" {
			hfHome = filepath.Join(base, "huggingface")
		}
	}
	c.CacheDir = expand(first(getenv, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"), getenv, home)
	if c.CacheDir == "" && hfHome != "" {
		c.CacheDir = filepath.Join(hfHome, "hub")
	}

	if !isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		c.Token = secret.New(first(getenv, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
		c.TokenPath = expand(getenv("HF_TOKEN_PATH"), getenv, home)
		if c.TokenPath == "" && hfHome != "" {
			c.TokenPath = filepath.Join(hfHome, "token")
		}
	}
	c.Offline = isTrue(first(getenv, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))

	if text := strings.TrimSpace(getenv("HF_HUB_DOWNLOAD_TIMEOUT")); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || !(seconds > 0 && seconds <= 86400) {
			c.problem = fmt.Errorf("HF_HUB_DOWNLOAD_TIMEOUT: %q is not a number of seconds (from more than 0 to 86400, such as 30)", text)
		} else {
			c.Timeout = time.Duration(seconds * float64(time.Second))
		}
	}
	proxy := httpproxy.Config{
		HTTPProxy:  first(getenv, "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"),
		HTTPSProxy: first(getenv, "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"),
		NoProxy:    first(getenv, "NO_PROXY", "no_proxy"),
		CGI:        getenv("REQUEST_METHOD") != "", // see httpproxy.FromEnvironment
	}
	c.Proxy = proxy.ProxyFunc()
	return c
}

// first returns the first variable that is set to something.
func first(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if value := getenv(name); strings.TrimSpace(value) != "" {
			return value
		}
	}
	return ""
}

func isTrue(value string) bool {
	switch strings.ToUpper(value) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// expand replaces $NAME, ${NAME} and a leading ~; variables that are not set
// stay as they are, as in Python.
func expand(path string, getenv func(string) string, home string) string {
	if home != "" && (path == "~" || strings.HasPrefix(path, "~/")) {
		path = home + path[1:]
	}
	return os.Expand(path, func(name string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return "${" + name + "}"
	})
}

// parseEndpoint checks HF_ENDPOINT.
func parseEndpoint(text string) (*url.URL, error) {
	if text == "" {
		text = defaultEndpoint
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		// The text is not repeated: a damaged one may hold a password that
		// cannot be found any more.
		return nil, errors.New("HF_ENDPOINT is not the address of a hub (write it like https://huggingface.co)")
	case u.User != nil:
		return nil, errors.New("HF_ENDPOINT holds a user name or password (take it out and set HF_TOKEN)")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// token returns the configured token, or that of the token file.
func (c Config) token() (secret.Secret, error) {
	text, from := strings.TrimSpace(c.Token.Reveal()), "HF_TOKEN"
	if text == "" && c.TokenPath != "" {
		from = c.TokenPath
		info, err := os.Stat(c.TokenPath)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return secret.Secret{}, nil
		case err == nil && info.Size() > maxTokenBytes:
			return secret.Secret{}, fmt.Errorf("%s: %d bytes are not a token (log in again, or set HF_TOKEN)", from, info.Size())
		}
		data, err := os.ReadFile(c.TokenPath)
		if err != nil {
			return secret.Secret{}, fmt.Errorf("the hub's token %s: %w (make it readable, or set HF_TOKEN)", from, reason(err))
		}
		text = strings.TrimSpace(string(data))
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return secret.Secret{}, fmt.Errorf("%s: byte %d is no character of a token (copy it again from %s/settings/tokens)", from, i+1, defaultEndpoint)
		}
	}
	return secret.New(text), nil
}

// transport returns the HTTP transport of a client.
func (c Config) transport() *http.Transport {
	t := &http.Transport{
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     30 * time.Second,
		TLSHandshakeTimeout: c.Timeout,
	}
	if proxy := c.Proxy; proxy != nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	return t
}
