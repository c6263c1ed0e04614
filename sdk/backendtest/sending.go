package backendtest

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/simulator"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

func (k *kit) sending() []test {
	sticks := firstOf(k.generates(), unless(k.description.Can(backend.CanStick), "the capability sticky-connections is not declared"))
	return []test{
		{name: "a large prompt", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			prompt := strings.Repeat("genai-bench ", 5<<20/12)
			setPrompt(r, prompt)
			_, record := s.doOK(t, r)
			if record.RequestBytes < int64(len(prompt)) || !strings.Contains(string(record.Body), prompt) {
				t.Errorf("the server read %d bytes, the prompt has %d", record.RequestBytes, len(prompt))
			}
		}},
		{name: "unicode and control characters", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			prompt := "naïve Ünï 日本語 🙂 👩‍🚀 e\u0301 \u2028 \u0000 \u007f \"quoted\" \\ </script> \t\r\n"
			setPrompt(r, prompt)
			_, record := s.doOK(t, r)
			if got := promptOf(t, record); got != prompt {
				t.Errorf("the server read the prompt %q, want %q", got, prompt)
			}
		}},
		{name: "adjacent texts are one", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			if r.Chat == nil {
				t.Skip("the backend does not chat")
			}
			r.Chat.Messages = []backend.Message{{Role: "user", Parts: []backend.Part{{Text: "one "}, {Text: "two "}, {Text: "three"}}}}
			_, record := s.doOK(t, r)
			if got := promptOf(t, record); got != "one two three" {
				t.Errorf("the server read the prompt %q", got)
			}
		}},
		{name: "headers", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) {
				c.HTTP.Header = append(c.HTTP.Header, backend.HeaderField{Name: "X-Of-All", Value: "of all"})
			}})
			r := s.request("")
			r.Header = append(r.Header, backend.HeaderField{Name: "X-Own", Value: "its own"})
			_, record := s.doOK(t, r)
			if h := record.Header; h.Get("X-Own") != "its own" || h.Get("X-Of-All") != "of all" || h.Get("X-Request-Id") != r.ID {
				t.Errorf("the server read the header %v", h)
			}
		}},
		{name: "parameters", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{config: func(c *backend.Config, _ *simulator.Server) {
				c.RequestParams = json.RawMessage(k.Params.OfAll)
			}})
			r := s.request("")
			r.Params = json.RawMessage(k.Params.OfRequest)
			_, record := s.doOK(t, r)
			var want, body any
			if err := errors.Join(json.Unmarshal([]byte(k.Params.Want), &want), json.Unmarshal(record.Body, &body)); err != nil {
				t.Fatal(err)
			}
			if !contains(body, want) {
				t.Errorf("the server read %s, want it to have %s", record.Body, k.Params.Want)
			}
		}},
		{name: "the connection is kept", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			first := uint64(0)
			for i := range 5 {
				o, record := s.doOK(t, s.request(""))
				if i == 0 {
					first = record.Connection // a request for a token may have come before
				}
				if record.Connection != first || o.Connect.Reused != (record.ConnectionUse > 1) {
					t.Errorf("request %d on connection %d, reused %v", i+1, record.Connection, o.Connect.Reused)
				}
			}
		}},
		{name: "it starts when told", skip: k.generates(), run: func(t *testing.T) {
			s := k.open(t, setup{})
			r := s.request("")
			r.StartAt = stamp.Now().Add(200 * time.Millisecond)
			o, record := s.doOK(t, r)
			if o.SendStart < r.StartAt || record.RequestStart < r.StartAt {
				t.Errorf("it was sent %v before its time", r.StartAt.Sub(min(o.SendStart, record.RequestStart)))
			}
		}},
		{name: "sticky connections", skip: sticks, run: k.sticks},
		{name: "every event as it comes", skip: k.streams(true), run: k.hidesNothing},
	}
}

// promptOf is the last prompt that the server has read.
func promptOf(t *testing.T, r *simulator.Record) string {
	t.Helper()
	if len(r.Prompts) == 0 {
		t.Fatalf("the server read no prompt in %q", r.Body)
	}
	return r.Prompts[len(r.Prompts)-1]
}

// contains tells whether all that want has, at whatever depth of objects, is in
// got.
func contains(got, want any) bool {
	fields, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	object, ok := got.(map[string]any)
	if !ok {
		return false
	}
	for name, value := range fields {
		if !contains(object[name], value) {
			return false
		}
	}
	return true
}

func (k *kit) sticks(t *testing.T) {
	s := k.open(t, setup{})
	on := make(map[string]uint64)
	for range 3 {
		var begun []*backend.Request
		for _, key := range []string{"a", "b"} {
			r := s.request("delay=20ms") // long enough for both to be out at once
			r.ConnectionKey = key
			s.begin(t, r)
			begun = append(begun, r)
		}
		for _, r := range begun {
			s.wait(t, r)
			c := s.truth(t, r).Connection
			if on[r.ConnectionKey] == 0 {
				on[r.ConnectionKey] = c
			}
			if c != on[r.ConnectionKey] {
				t.Errorf("key %q moved from connection %d to %d", r.ConnectionKey, on[r.ConnectionKey], c)
			}
		}
	}
	if on["a"] == on["b"] {
		t.Errorf("both keys are on connection %d", on["a"])
	}
	seen := make(map[uint64]bool)
	for range 3 {
		r := s.request("")
		r.FreshConnection = true
		o, record := s.doOK(t, r)
		if record.ConnectionUse != 1 || seen[record.Connection] || o.Connect.Reused {
			t.Errorf("a fresh connection was asked for; it is number %d in its use %d", record.Connection, record.ConnectionUse)
		}
		seen[record.Connection] = true
	}
}
