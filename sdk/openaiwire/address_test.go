package openaiwire

import "testing"

func TestAddress(t *testing.T) {
	for base, want := range map[string]string{
		"http://h:8000":                                     "http://h:8000/v1/chat/completions",
		"http://h:8000/":                                    "http://h:8000/v1/chat/completions",
		"http://h:8000/v1":                                  "http://h:8000/v1/chat/completions",
		" http://h:8000/v1/ ":                               "http://h:8000/v1/chat/completions",
		"http://h:8000//":                                   "http://h:8000/v1/chat/completions",
		"http://h/v1/chat/completions":                      "http://h/v1/chat/completions",
		"http://h/v1/embeddings/":                           "http://h/v1/chat/completions",
		"https://h/a/v1/b/v1":                               "https://h/a/v1/b/v1/chat/completions",
		"https://h/v1beta":                                  "https://h/v1beta/v1/chat/completions",
		"https://h/v3.1":                                    "https://h/v3.1/v1/chat/completions",
		"https://h/proxy/openai/v1?tenant=a":                "https://h/proxy/openai/v1/chat/completions?tenant=a",
		"https://h/a%2Fb/v1":                                "https://h/a%2Fb/v1/chat/completions",
		"http://[::1]:8000/v1":                              "http://[::1]:8000/v1/chat/completions",
		"HTTP://h":                                          "http://h/v1/chat/completions",
		"https://v1.example/":                               "https://v1.example/v1/chat/completions",
		"https://api.together.xyz/v1/":                      "https://api.together.xyz/v1/chat/completions",
		"https://gateway.example/v1/accounts/x/openai":      "https://gateway.example/v1/accounts/x/openai/v1/chat/completions",
		"https://gateway.example/v1/accounts/x/openai/v1//": "https://gateway.example/v1/accounts/x/openai/v1/chat/completions",
	} {
		a, err := ParseAddress(base)
		if err != nil {
			t.Errorf("%q: %v", base, err)
			continue
		}
		if got := a.V1("/chat/completions"); got != want {
			t.Errorf("%q: %s, want %s", base, got, want)
		}
	}
	for base, want := range map[string]string{
		"":                  "is empty",
		"localhost:8000":    "is no address that starts with http:// or https://",
		"h/v1":              "is no address that starts with http:// or https://",
		"127.0.0.1:8000":    "is no address that starts with http:// or https://",
		"ftp://h":           `starts with "ftp:" instead of http:// or https://`,
		"http://":           "names no host",
		"http://:80/":       "names no host",
		"http://me:pw@h/v1": "holds a user name or password, which would be stored with the results",
		"http://h/#x":       "has a part after #, which no server ever sees",
		"http://h/%zz":      "is no address that starts with http:// or https://",
		"http://h:port":     "is no address that starts with http:// or https://",
		"http://h/\x00":     "is no address that starts with http:// or https://",
	} {
		if _, err := ParseAddress(base); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", base, err, want)
		}
	}
}
