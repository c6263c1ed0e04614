package backendtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/simulator"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// clockTolerance allows for the tie between the kernel's wall-clock stamps and
// the monotonic clock, which is good to microseconds.
const clockTolerance = 200 * time.Microsecond

// printAll prints a value so that nothing in it stays unseen.
func printAll(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		encoded = []byte(err.Error())
	}
	text := fmt.Sprintf("%+v %s", value, encoded)
	if o, ok := value.(*backend.Outcome); ok {
		text += fmt.Sprintf(" %+v", o.Error)
	}
	return text
}

// compare holds a successful outcome of a chat or completion against the truth.
func (k *kit) compare(t *testing.T, o *backend.Outcome, r *simulator.Record) {
	t.Helper()
	k.compareUsage(t, o.Usage, r)
	compareChoices(t, o.Choices, r)
	compareExchange(t, o, r)
	if r.Stream {
		compareEvents(t, o, r)
	} else {
		compareWhole(t, o, r)
	}
}

func (k *kit) compareUsage(t *testing.T, u backend.Usage, r *simulator.Record) {
	t.Helper()
	if !r.UsageSent {
		if u.Reported() || u.Input != nil || u.Output != nil {
			t.Errorf("usage %s was reported by nobody: absent is not zero", printAll(u))
		}
		return
	}
	number := func(what string, got *int64, want int) {
		if why := k.lacks("usage."+what, r.Stream); why != "" {
			if got != nil {
				t.Errorf("usage has %d for %s, which nobody reported (%s)", *got, what, why)
			}
		} else if got == nil || *got != int64(want) {
			t.Errorf("usage has %s for %s, want %d", printAll(got), what, want)
		}
	}
	if !u.Reported() {
		t.Error("the usage has no source")
	}
	number("input", u.Input, r.PromptTokens)
	number("output", u.Output, r.OutputTokens)
	if strings.Contains(r.Fault, "reasoning") {
		number("reasoning", u.Reasoning, r.ReasoningTokens)
	} else if u.Reasoning != nil && *u.Reasoning != 0 {
		t.Errorf("usage has %d reasoning tokens, which nobody reported", *u.Reasoning)
	}
}

func compareChoices(t *testing.T, got []backend.Choice, r *simulator.Record) {
	t.Helper()
	if len(got) != len(r.Choices) {
		t.Errorf("%d choices, want %d", len(got), len(r.Choices))
		return
	}
	finishes := map[string]backend.Finish{
		"": backend.FinishUnspecified, "stop": backend.FinishStop, "length": backend.FinishLength,
		"tool_calls": backend.FinishTool, "content_filter": backend.FinishContentFilter,
	}
	for i, want := range r.Choices {
		c := got[i]
		if text := want.Text + want.Refusal; c.Text != text {
			t.Errorf("choice %d has the text %q, want %q", i, c.Text, text)
		}
		if c.ReasoningText != want.Reasoning {
			t.Errorf("choice %d has the reasoning %q, want %q", i, c.ReasoningText, want.Reasoning)
		}
		if !strings.HasSuffix(c.ToolText, want.Tool) || want.Tool == "" && c.ToolText != "" {
			t.Errorf("choice %d has the tool text %q, want one that ends in %q", i, c.ToolText, want.Tool)
		}
		finish, known := finishes[want.Reason]
		if !known {
			finish = backend.FinishUnknown
		}
		if c.Finish != finish || c.FinishRaw != want.Finish {
			t.Errorf("choice %d finished %v (%q), want %v (%q)", i, c.Finish, c.FinishRaw, finish, want.Finish)
		}
	}
}

// notBefore asks that a moment is not before one of the server's.
func notBefore(t *testing.T, what string, moment, bound stamp.Nanos) {
	t.Helper()
	if moment == 0 {
		t.Errorf("%s is not known", what)
	} else if moment.Add(clockTolerance) < bound {
		t.Errorf("%s is %v before the server did it", what, bound.Sub(moment))
	}
}

// compareExchange holds the moments of sending and receiving against the
// server's: what the server saw cannot be before it was sent, and what arrived
// cannot be before the server wrote it.
func compareExchange(t *testing.T, o *backend.Outcome, r *simulator.Record) {
	t.Helper()
	if o.Clock == stamp.ClockUnspecified {
		t.Error("the outcome does not say which clock it used")
	}
	ordered := []struct {
		what string
		at   stamp.Nanos
	}{
		{"received", o.Received}, {"send start", o.SendStart}, {"handed", o.Handed}, {"the server's reading of the body", r.BodyRead},
	}
	for i, m := range ordered {
		if m.at == 0 {
			t.Errorf("%s is not known", m.what)
		} else if i > 0 && m.at < ordered[i-1].at {
			t.Errorf("%s is %v before %s", m.what, ordered[i-1].at.Sub(m.at), ordered[i-1].what)
		}
	}
	last := r.Writes[len(r.Writes)-1]
	notBefore(t, "the arrival of the head", o.Headers, r.Writes[0].Before)
	if end, ok := r.Last(simulator.Output | simulator.Body); ok {
		before, _ := r.Interval(end)
		notBefore(t, "the last byte", o.LastByte, before)
	}
	notBefore(t, "the end of reading", o.ReadEnd, o.LastByte)
	if !o.Connect.Reused && o.Connect.TCP <= 0 {
		t.Errorf("a new connection took %v to connect", o.Connect.TCP)
	}
	if o.BytesSent < r.RequestBytes {
		t.Errorf("%d bytes sent, but the server read a body of %d", o.BytesSent, r.RequestBytes)
	}
	if o.BytesReceived < last.Offset {
		t.Errorf("%d bytes received, but the server wrote %d of body", o.BytesReceived, last.Offset)
	}
}

// compareEvents asks for the same events in the same order, each not before its
// write began.
func compareEvents(t *testing.T, o *backend.Outcome, r *simulator.Record) {
	t.Helper()
	var want []simulator.Event
	var kinds, got []string
	for _, e := range r.Events {
		if e.Kinds.Backend() != 0 {
			want = append(want, e)
			kinds = append(kinds, fmt.Sprintf("%v of %d", e.Kinds&(1<<9-1), e.Choice))
		}
	}
	for _, e := range o.Events {
		got = append(got, fmt.Sprintf("%v of %d", simulator.Kinds(e.Kinds), e.Choice))
	}
	if strings.Join(kinds, ", ") != strings.Join(got, ", ") {
		t.Errorf("events are\n\t%s\nwant\n\t%s", strings.Join(got, ", "), strings.Join(kinds, ", "))
		return
	}
	size, wantSize := 0, 0
	for i, e := range o.Events {
		before, _ := r.Interval(want[i])
		notBefore(t, fmt.Sprintf("event %d (%s)", i, got[i]), e.At, before)
		if e.ReadLag < 0 {
			t.Errorf("event %d was read %v before it arrived", i, -e.ReadLag)
		}
		if i > 0 && e.At < o.Events[i-1].At {
			t.Errorf("event %d arrived %v before the one before it", i, o.Events[i-1].At.Sub(e.At))
		}
		if e.At.Add(-clockTolerance) > o.ReadEnd {
			t.Errorf("event %d arrived %v after everything was read", i, e.At.Sub(o.ReadEnd))
		}
		if e.Tokens != 0 && int(e.Tokens) != want[i].Tokens {
			t.Errorf("event %d says it has %d tokens, it has %d", i, e.Tokens, want[i].Tokens)
		}
		size += int(e.Bytes)
	}
	for _, c := range r.Choices {
		wantSize += len(c.Text + c.Reasoning + c.Refusal)
	}
	if !strings.Contains(r.Fault, "output=tool") && size != wantSize {
		t.Errorf("the events have %d bytes of output, want %d", size, wantSize)
	}
}

// compareWhole: an answer in one piece may be one event or none.
func compareWhole(t *testing.T, o *backend.Outcome, r *simulator.Record) {
	t.Helper()
	body, ok := r.Last(simulator.Body)
	if !ok {
		t.Fatalf("the server sent no body: %+v", r)
	}
	before, _ := r.Interval(body)
	for i, e := range o.Events {
		notBefore(t, fmt.Sprintf("event %d", i), e.At, before)
	}
}
