package convert

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/option"
	"github.com/genai-bench/genai-bench/sdk/secret"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

var revealed = cmp.Comparer(func(a, b secret.Secret) bool { return a.Reveal() == b.Reveal() })

// overTheWire encodes and decodes, as the connection does.
func overTheWire[M proto.Message](t *testing.T, m M) M {
	t.Helper()
	encoded, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	decoded := m.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(encoded, decoded); err != nil {
		t.Fatal(err)
	}
	return decoded.(M)
}

// roundTrip checks that a value survives the wire, and that a full one sets
// every field there.
func roundTrip[T any, M proto.Message](t *testing.T, value T, to func(T) M, from func(M) T, filled bool, ignore ...string) {
	t.Helper()
	message := to(value)
	if filled {
		missing := slices.DeleteFunc(unset(message), func(name string) bool { return slices.Contains(ignore, name) })
		if len(missing) > 0 {
			t.Errorf("not set on the wire: %v", missing)
		}
	}
	if diff := cmp.Diff(value, from(overTheWire(t, message)), revealed); diff != "" {
		t.Errorf("changed on the way (-before +after):\n%s", diff)
	}
}

func TestRoundTrips(t *testing.T) {
	t.Run("description", func(t *testing.T) {
		roundTrip(t, backend.Description{}, BackendDescriptionToProto, BackendDescriptionFromProto, false)
		roundTrip(t, full[backend.Description](t), BackendDescriptionToProto, BackendDescriptionFromProto, true)
	})
	t.Run("config", func(t *testing.T) {
		to := func(c backend.Config) *pluginv1.OpenRequest {
			m, err := ConfigToProto("name", c)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		roundTrip(t, backend.Config{}, to, ConfigFromProto, false)
		roundTrip(t, full[backend.Config](t), to, ConfigFromProto, true)
	})
	t.Run("opened", func(t *testing.T) {
		roundTrip(t, backend.Opened{}, OpenedToProto, OpenedFromProto, false)
		roundTrip(t, full[backend.Opened](t), OpenedToProto, OpenedFromProto, true, "genaibench.plugin.v1.OpenResponse.clock_pair")
	})
	t.Run("probe", func(t *testing.T) {
		roundTrip(t, backend.Probe{}, ProbeToProto, ProbeFromProto, false)
		roundTrip(t, full[backend.Probe](t), ProbeToProto, ProbeFromProto, true)
	})
	t.Run("progress", func(t *testing.T) {
		roundTrip(t, backend.Progress{}, ProgressToProto, ProgressFromProto, false)
		roundTrip(t, full[backend.Progress](t), ProgressToProto, ProgressFromProto, true)
	})
	t.Run("error", func(t *testing.T) {
		for _, class := range fault.Classes() {
			roundTrip(t, &fault.Error{Class: class}, ErrorToProto, ErrorFromProto, false)
		}
		e := full[fault.Error](t)
		roundTrip(t, &e, ErrorToProto, ErrorFromProto, true)
	})
	t.Run("outcome", func(t *testing.T) {
		to := func(o *backend.Outcome) *pluginv1.Outcome { return OutcomeMessage(o).GetOutcome() }
		from := func(m *pluginv1.Outcome) *backend.Outcome {
			o, err := OutcomeFromProto(m)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		roundTrip(t, &backend.Outcome{Status: backend.StatusOK}, to, from, false)
		bare := &backend.Outcome{Status: backend.StatusCancelled, Exchange: stamp.Exchange{Retransmits: -1}}
		roundTrip(t, bare, to, from, false)
		if n := proto.Size(to(bare)); n > 2 {
			t.Errorf("an outcome without anything has %d bytes", n)
		}
		o := full[backend.Outcome](t)
		roundTrip(t, &o, to, from, true)
	})
	t.Run("request", func(t *testing.T) {
		to := func(r *backend.Request) *pluginv1.Start {
			m, err := StartMessage(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			return m.GetStart()
		}
		from := func(m *pluginv1.Start) *backend.Request {
			r, err := RequestFromProto(m, nil)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		all := full[backend.Request](t)
		forms := map[string]func(r *backend.Request){
			"chat": func(r *backend.Request) {
				r.Chat = all.Chat
				for i := range r.Chat.Messages { // text, bytes, address: one a part
					r.Chat.Messages[i].Parts = []backend.Part{{Text: "t"}, {Image: &backend.Image{Bytes: []byte{1}, MIME: "m"}}, {Image: &backend.Image{URL: "u", MIME: "m"}}}
				}
			},
			"completion": func(r *backend.Request) { r.Completion = all.Completion },
			"embed": func(r *backend.Request) {
				r.Embed = all.Embed
				for i := range r.Embed.Images {
					r.Embed.Images[i].URL = ""
				}
			},
			"rerank": func(r *backend.Request) { r.Rerank = all.Rerank },
			"image":  func(r *backend.Request) { r.Image = all.Image },
			"speech": func(r *backend.Request) { r.Speech = all.Speech },
		}
		for name, set := range forms {
			t.Run(name, func(t *testing.T) {
				r := all
				r.Chat, r.Completion, r.Embed, r.Rerank, r.Image, r.Speech = nil, nil, nil, nil, nil, nil
				set(&r)
				roundTrip(t, &r, to, from, true)
			})
		}
		roundTrip(t, &backend.Request{Chat: &backend.Chat{}}, to, from, false)
	})
}

// TestNil: absent messages are zero values, never a panic.
func TestNil(t *testing.T) {
	for name, got := range map[string]any{
		"description": BackendDescriptionFromProto(nil), "config": ConfigFromProto(nil), "opened": OpenedFromProto(nil),
		"probe": ProbeFromProto(nil), "progress": ProgressFromProto(nil),
	} {
		if !reflect.ValueOf(got).IsZero() {
			t.Errorf("%s of nil is %+v", name, got)
		}
	}
	if ErrorFromProto(nil) != nil || ErrorToProto(nil) != nil {
		t.Error("no error became one")
	}
	if o, err := OutcomeFromProto(nil); err == nil || o.Error.Class != fault.Plugin {
		t.Errorf("no outcome: %+v, %v", o, err)
	}
	if r, err := RequestFromProto(nil, nil); err == nil || r == nil {
		t.Errorf("no request: %+v, %v", r, err)
	}
	if r, err := RequestFromProto(&pluginv1.Start{Form: &pluginv1.Start_Chat{Chat: &pluginv1.Chat{Messages: []*pluginv1.Message{nil}}}}, nil); err != nil || len(r.Chat.Messages) != 1 {
		t.Errorf("nil in lists: %+v, %v", r, err)
	}
}

func TestUnknownEnumerations(t *testing.T) {
	for _, n := range []int32{-1, 99, math.MaxInt32, math.MinInt32} {
		if e := ErrorFromProto(&pluginv1.Error{Class: pluginv1.ErrorClass(n)}); e.Class != fault.Unspecified {
			t.Errorf("class %d became %v", n, e.Class)
		}
		o, err := OutcomeFromProto(&pluginv1.Outcome{
			Status: pluginv1.Status_STATUS_OK, Clock: pluginv1.Clock(n), TxClock: pluginv1.Clock(n),
			Usage: &pluginv1.Usage{Source: pluginv1.UsageSource(n)}, Choices: []*pluginv1.Choice{{Finish: pluginv1.Finish(n)}},
		})
		if err != nil || o.Clock != 0 || o.TxClock != 0 || o.Usage.Source != 0 || o.Choices[0].Finish != 0 {
			t.Errorf("%d: %+v, %v", n, o, err)
		}
		if opened := OpenedFromProto(&pluginv1.OpenResponse{Problems: []*pluginv1.Problem{{Severity: pluginv1.Severity(n)}}}); !opened.Failed() {
			t.Errorf("a problem of severity %d does not end Open", n)
		}
	}
	if o, err := OutcomeFromProto(&pluginv1.Outcome{Seq: 5, Status: 9}); err == nil || o.Seq != 5 || o.Status != backend.StatusError {
		t.Errorf("status 9: %+v, %v", o, err)
	}
	if o, err := OutcomeFromProto(&pluginv1.Outcome{Status: pluginv1.Status_STATUS_ERROR}); err != nil || o.Error == nil || o.Error.Class != fault.Plugin {
		t.Errorf("a failure without an error: %+v, %v", o, err)
	}
}

func TestEventArraysOfDifferentLength(t *testing.T) {
	o, err := OutcomeFromProto(&pluginv1.Outcome{
		Status: pluginv1.Status_STATUS_OK, SendStartNs: 100,
		Events: &pluginv1.Events{AtDeltaNs: []int64{5, -2}, Kinds: []uint32{4, 4, 128}, ChoicePlusOne: []uint32{1, 0, math.MaxUint32}, Tokens: []uint32{7}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []backend.Event{
		{At: 105, Kinds: backend.Text, Choice: 0, Tokens: 7},
		{At: 103, Kinds: backend.Text, Choice: backend.NoChoice},
		{At: 103, Kinds: backend.FinishReason, Choice: math.MaxInt32},
	}
	if diff := cmp.Diff(want, o.Events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadLagIsNeverNegativeAndNeverWraps(t *testing.T) {
	for lag, want := range map[time.Duration]time.Duration{
		-time.Second: 0, 999: 0, 1500: time.Microsecond, 2 * time.Hour: math.MaxUint32 * time.Microsecond,
	} {
		m := OutcomeMessage(&backend.Outcome{Status: backend.StatusOK, Events: []backend.Event{{ReadLag: lag}}})
		o, err := OutcomeFromProto(m.GetOutcome())
		if err != nil || o.Events[0].ReadLag != want {
			t.Errorf("%v became %v, %v", lag, o.Events[0].ReadLag, err)
		}
	}
}

func TestOneByteOfAServerCannotEndTheStream(t *testing.T) {
	bad := "cut\xe2\x82"
	m := OutcomeMessage(&backend.Outcome{
		Status: backend.StatusError, Error: &fault.Error{Message: bad, ProviderCode: bad, Hint: bad, RequestID: bad},
		Exchange:      stamp.Exchange{Peer: bad},
		Choices:       []backend.Choice{{FinishRaw: bad, Text: bad, ReasoningText: bad, ToolText: bad}},
		Usage:         backend.Usage{Extra: map[string]float64{bad: 1}},
		ServerTimes:   map[string]time.Duration{bad: 1},
		ServerHeaders: map[string]string{bad: bad},
	})
	if _, err := proto.Marshal(m); err != nil {
		t.Error(err)
	}
	if text := m.GetOutcome().GetChoices()[0].GetText(); text != "cut\uFFFD" {
		t.Errorf("%q", text)
	}
	for _, m := range []proto.Message{
		OpenedToProto(backend.Opened{Problems: []option.Problem{{Option: bad, Message: bad, Hint: bad}}, Endpoint: bad, ClockNote: bad}),
		ProbeToProto(backend.Probe{ServerName: bad, ServerVersion: bad, Models: []string{bad}}),
	} {
		if _, err := proto.Marshal(m); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatDoesNotFitIntoAMessage(t *testing.T) {
	huge := strings.Repeat("x", limits.MessageBytes)
	m := OutcomeMessage(&backend.Outcome{Seq: 3, Status: backend.StatusOK, Choices: []backend.Choice{{Text: huge, Finish: backend.FinishStop}}}).GetOutcome()
	if m.GetStatus() != pluginv1.Status_STATUS_ERROR || proto.Size(m) > 4<<10 || m.GetSeq() != 3 {
		t.Errorf("status %v, %d bytes", m.GetStatus(), proto.Size(m))
	}
	many := OutcomeMessage(&backend.Outcome{Status: backend.StatusOK, Events: make([]backend.Event, limits.EventsPerOutcome+1)}).GetOutcome()
	if _, err := OutcomeFromProto(many); err != nil || many.GetStatus() != pluginv1.Status_STATUS_ERROR {
		t.Errorf("too many events: %v, %v", many.GetStatus(), err)
	}
	if _, err := StartMessage(&backend.Request{Completion: &backend.Completion{Prompt: huge}}, nil); err == nil {
		t.Error("a request of 64 MiB passes")
	}
	if o, err := OutcomeFromProto(&pluginv1.Outcome{Choices: make([]*pluginv1.Choice, limits.ChoicesPerOutcome+1)}); err == nil || o.Error == nil {
		t.Error("too many choices pass")
	}
}

func TestOptionOfNoType(t *testing.T) {
	_, err := ConfigToProto("x", backend.Config{Options: option.Values{"size": 7}})
	if err == nil || !strings.Contains(err.Error(), "option size has a value of Go type int") {
		t.Errorf("%v", err)
	}
}

// blobs is both sides of sharing.
type blobs struct {
	texts map[string]uint64
	data  map[uint64][]byte
}

func (b blobs) TextID(text string) (uint64, bool)   { id, ok := b.texts[text]; return id, ok }
func (b blobs) ImageID(image []byte) (uint64, bool) { return b.TextID(string(image)) }

func TestBlobs(t *testing.T) {
	b := blobs{map[string]uint64{"shared": 7}, map[uint64][]byte{7: []byte("shared")}}
	r := &backend.Request{Chat: &backend.Chat{Messages: []backend.Message{{
		Role: "user", Parts: []backend.Part{{Text: "shared"}, {Text: "own"}, {Image: &backend.Image{Bytes: []byte("shared"), MIME: "m"}}},
	}}}}
	m, err := StartMessage(r, b)
	if err != nil {
		t.Fatal(err)
	}
	if parts := m.GetStart().GetChat().GetMessages()[0].GetParts(); parts[0].GetTextBlob() != 7 || parts[2].GetImage().GetBlob() != 7 {
		t.Errorf("not by reference: %v", parts)
	}
	find := func(id uint64) ([]byte, bool) { data, ok := b.data[id]; return data, ok }
	got, err := RequestFromProto(overTheWire(t, m).GetStart(), find)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if _, err := RequestFromProto(m.GetStart(), nil); err == nil || !strings.Contains(err.Error(), "blob 7") {
		t.Errorf("a blob that is not there: %v", err)
	}
}

// FuzzOutcome feeds whatever a plugin may send to the host's side.
func FuzzOutcome(f *testing.F) {
	for _, o := range []*backend.Outcome{
		{Status: backend.StatusOK}, {Status: backend.StatusOK, Events: []backend.Event{{At: 1, Choice: -1}, {At: 9, Kinds: 3, Flags: 1, Bytes: 4}}},
	} {
		encoded, err := proto.Marshal(OutcomeMessage(o).GetOutcome())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m pluginv1.Outcome
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		o, err := OutcomeFromProto(&m)
		if o == nil || o.Seq != m.GetSeq() || (err != nil) && o.Status != backend.StatusError {
			t.Fatalf("%+v, %v", o, err)
		}
		// What was read can be written and read again without a change.
		again, err := OutcomeFromProto(overTheWire(t, OutcomeMessage(o)).GetOutcome())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, again, cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })); diff != "" {
			t.Errorf("(-once +twice):\n%s", diff)
		}
	})
}

// FuzzRequest feeds whatever a host may send to the plugin's side.
func FuzzRequest(f *testing.F) {
	m, err := StartMessage(&backend.Request{Seq: 1, Chat: &backend.Chat{Messages: []backend.Message{backend.UserText("x")}}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := proto.Marshal(m.GetStart())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Fuzz(func(t *testing.T, data []byte) {
		var m pluginv1.Start
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		r, err := RequestFromProto(&m, func(id uint64) ([]byte, bool) { return []byte("blob"), id < 10 })
		if r == nil || r.Seq != m.GetSeq() || err == nil && r.Kind() == "" {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func BenchmarkOutcome(b *testing.B) {
	o := &backend.Outcome{Seq: 1, Status: backend.StatusOK, Events: make([]backend.Event, 128), Choices: make([]backend.Choice, 1)}
	for i := range o.Events {
		o.Events[i] = backend.Event{At: stamp.Nanos(i * 20_000_000), Kinds: backend.Text, Bytes: 5, ReadLag: 40 * time.Microsecond}
	}
	b.ReportAllocs()
	for b.Loop() {
		encoded, err := proto.Marshal(OutcomeMessage(o))
		if err != nil {
			b.Fatal(err)
		}
		var m pluginv1.RunResponse
		if err := proto.Unmarshal(encoded, &m); err != nil {
			b.Fatal(err)
		}
		if _, err := OutcomeFromProto(m.GetOutcome()); err != nil {
			b.Fatal(err)
		}
	}
}
