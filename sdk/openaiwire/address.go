package openaiwire

import (
	"fmt"
	"net/url"
	"strings"
)

// Address is where a server is: what the user gave as the API's base, checked.
type Address struct {
	url url.URL // without /v1 and without a slash at its end
}

// ParseAddress reads an API base. With or without a slash at the end, with or
// without a last /v1, even with the path of an endpoint after that /v1, it is
// the same address; any path before it is kept. The error says what is wrong,
// as one line without the value of a password.
func ParseAddress(base string) (Address, error) {
	base = strings.TrimSpace(base)
	u, err := url.Parse(base)
	switch {
	case base == "":
		return Address{}, fmt.Errorf("is empty")
	case err != nil || u.Opaque != "" || u.Scheme == "":
		return Address{}, fmt.Errorf("is no address that starts with http:// or https://")
	case u.Scheme != "http" && u.Scheme != "https":
		return Address{}, fmt.Errorf("starts with %q instead of http:// or https://", u.Scheme+":")
	case u.Hostname() == "":
		return Address{}, fmt.Errorf("names no host")
	case u.User != nil:
		return Address{}, fmt.Errorf("holds a user name or password, which would be stored with the results")
	case u.Fragment != "":
		return Address{}, fmt.Errorf("has a part after #, which no server ever sees")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	for _, endpoint := range paths {
		if before, ok := strings.CutSuffix(path, "/v1"+endpoint); ok {
			path = before + "/v1"
			break
		}
	}
	path = strings.TrimRight(strings.TrimSuffix(path, "/v1"), "/")
	u.RawPath = path
	if u.Path, err = url.PathUnescape(path); err != nil {
		return Address{}, fmt.Errorf("has a malformed path")
	}
	return Address{url: *u}, nil
}

// Join returns the URL of a path below the address; path starts with a slash
// and is escaped already. A query of the base stays.
func (a Address) Join(path string) string {
	u := a.url
	joined := u.EscapedPath() + path
	u.RawPath = joined
	if unescaped, err := url.PathUnescape(joined); err == nil {
		u.Path = unescaped
	}
	return u.String()
}

// V1 returns the URL of a path below the address's /v1.
func (a Address) V1(path string) string { return a.Join("/v1" + path) }

// Host is the host's name and, where given, its port.
func (a Address) Host() string { return a.url.Host }

// IsZero tells whether the address was never parsed.
func (a Address) IsZero() bool { return a.url.Host == "" }
