package fault_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/sdk/fault"
)

func TestNamesRoundTrip(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range fault.Classes() {
		name := c.String()
		if name == "unspecified" || seen[name] {
			t.Errorf("class %d has no name of its own: %q", c, name)
		}
		seen[name] = true
		var back fault.Class
		if err := back.UnmarshalText([]byte(name)); err != nil || back != c {
			t.Errorf("%q reads back as %v, %v", name, back, err)
		}
	}
	unknown := fault.Auth
	if err := unknown.UnmarshalText([]byte("class_of_a_later_version")); err != nil || unknown != fault.Unspecified {
		t.Errorf("an unknown class reads as %v, %v; want unspecified", unknown, err)
	}
	if got := fault.Class(200).String(); got != "unspecified" {
		t.Errorf("Class(200) prints %q", got)
	}
}

func TestEveryHTTPStatusHasAClass(t *testing.T) {
	cases := map[int]fault.Class{
		200: fault.Unspecified, 204: fault.Unspecified, 302: fault.Protocol, 400: fault.InvalidRequest, 401: fault.Auth,
		403: fault.Permission, 404: fault.NotFound, 408: fault.TimeoutHeaders, 413: fault.InvalidRequest,
		422: fault.InvalidRequest, 429: fault.RateLimited, 500: fault.Server, 502: fault.Server,
		503: fault.Overloaded, 504: fault.TimeoutHeaders, 529: fault.Overloaded,
	}
	for status, want := range cases {
		if got := fault.OfHTTPStatus(status); got != want {
			t.Errorf("%d is %v, want %v", status, got, want)
		}
	}
}

func TestClipKeepsRunesWhole(t *testing.T) {
	long := strings.Repeat("é", fault.MessageBytesMax)
	got := fault.Clip(long)
	if len(got) > fault.MessageBytesMax || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("clipped to %d bytes, valid %v", len(got), utf8.ValidString(got))
	}
	if got := fault.Clip("a\xffb"); got != "a\uFFFDb" {
		t.Errorf("Clip(invalid) = %q", got)
	}
}

func TestAnErrorIsOneLine(t *testing.T) {
	e := &fault.Error{Class: fault.RateLimited, HTTPStatus: 429, ProviderCode: "slow_down", Message: "too\nmany\n\trequests", RequestID: "ab\r\n12", Hint: "lower --num-concurrency"}
	want := "rate_limited (HTTP 429) [slow_down]: too many requests [request ab 12] (lower --num-concurrency)"
	if e.Error() != want {
		t.Errorf("got %q\nwant %q", e.Error(), want)
	}
}
