package convert

import (
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	pluginv1 "github.com/genai-bench/genai-bench/sdk/internal/genproto/genaibench/plugin/v1"
	"github.com/genai-bench/genai-bench/sdk/internal/limits"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// outcomeMessage holds everything that nearly every outcome needs, in one
// allocation.
type outcomeMessage struct {
	response pluginv1.RunResponse
	wrapper  pluginv1.RunResponse_Outcome
	outcome  pluginv1.Outcome
	connect  pluginv1.Connect
	tcp      pluginv1.Tcp
	events   pluginv1.Events
	usage    pluginv1.Usage
}

// OutcomeMessage makes the message that ends a request. An outcome whose texts
// do not fit into a message goes without them, as a failure that says so.
func OutcomeMessage(o *backend.Outcome) *pluginv1.RunResponse {
	m := &outcomeMessage{}
	out := &m.outcome
	out.Seq, out.Status, out.Error = o.Seq, pluginv1.Status(o.Status), ErrorToProto(o.Error)
	out.ReceivedNs = int64(o.Received)
	exchangeToProto(m, &o.Exchange)
	if len(o.Events) > 0 {
		eventsToProto(&m.events, o.Events, o.SendStart)
		out.Events = &m.events
	}
	if !emptyUsage(&o.Usage) {
		usageToProto(&m.usage, &o.Usage)
		out.Usage = &m.usage
	}
	out.Choices = each(o.Choices, func(c backend.Choice) *pluginv1.Choice {
		return &pluginv1.Choice{
			Finish: pluginv1.Finish(c.Finish), FinishRaw: clean(c.FinishRaw),
			Text: clean(c.Text), ReasoningText: clean(c.ReasoningText), ToolText: clean(c.ToolText),
		}
	})
	if o.Media != nil {
		out.Media = &pluginv1.Media{Bytes: o.Media.Bytes, DurationNs: int64(o.Media.Duration), Count: o.Media.Count}
	}
	if o.Vectors != nil {
		out.Vectors = &pluginv1.Vectors{Count: o.Vectors.Count, Dimensions: o.Vectors.Dimensions}
	}
	if len(o.ServerTimes) > 0 {
		out.ServerTimesNs = make(map[string]int64, len(o.ServerTimes))
		for name, d := range o.ServerTimes {
			out.ServerTimesNs[clean(name)] = int64(d)
		}
	}
	if len(o.ServerHeaders) > 0 {
		out.ServerHeaders = make(map[string]string, len(o.ServerHeaders))
		for name, value := range o.ServerHeaders {
			out.ServerHeaders[clean(name)] = clean(value)
		}
	}
	bound(out)
	m.wrapper.Outcome = out
	m.response.Message = &m.wrapper
	return &m.response
}

// bound takes out what would make the message too large to be sent.
func bound(out *pluginv1.Outcome) {
	const eventBytes = 40 // of an event, at the most
	size := eventBytes * len(out.Events.GetAtDeltaNs())
	for _, c := range out.Choices {
		size += len(c.Text) + len(c.ReasoningText) + len(c.ToolText) + len(c.FinishRaw)
	}
	tooMany := len(out.Events.GetAtDeltaNs()) > limits.EventsPerOutcome
	if size <= limits.MessageBytes-limits.MessageSlack && !tooMany {
		return
	}
	message := fmt.Sprintf("the answer of %d MiB and %d events exceeds what an outcome may carry (%d MiB, %d events)",
		size>>20, len(out.Events.GetAtDeltaNs()), limits.MessageBytes>>20, limits.EventsPerOutcome)
	out.Status = pluginv1.Status_STATUS_ERROR
	out.Error = ErrorToProto(&fault.Error{Class: fault.Plugin, Message: message, Partial: true})
	out.Events = nil
	for _, c := range out.Choices {
		c.Text, c.ReasoningText, c.ToolText = "", "", ""
	}
}

func exchangeToProto(m *outcomeMessage, x *stamp.Exchange) {
	out := &m.outcome
	out.QueuedNs = int64(x.Queued)
	if x.Connect != (stamp.Connect{}) {
		m.connect.Reused, m.connect.DnsNs = x.Connect.Reused, int64(x.Connect.DNS)
		m.connect.TcpNs, m.connect.TlsNs = int64(x.Connect.TCP), int64(x.Connect.TLS)
		out.Connect = &m.connect
	}
	out.SendStartNs, out.HandedNs, out.LeftNs, out.AckedNs = int64(x.SendStart), int64(x.Handed), int64(x.Left), int64(x.Acked)
	out.HeadersNs, out.LastByteNs, out.ReadEndNs = int64(x.Headers), int64(x.LastByte), int64(x.ReadEnd)
	out.HeadersFlags, out.LastByteFlags = uint32(x.HeadersFlags), uint32(x.LastByteFlags)
	out.Clock, out.TxClock = pluginv1.Clock(x.Clock), pluginv1.Clock(x.TxClock)
	out.BytesSent, out.BytesReceived = x.BytesSent, x.BytesReceived
	if x.RTT != 0 || x.Retransmits >= 0 {
		m.tcp.RttNs, m.tcp.Retransmits = int64(x.RTT), x.Retransmits
		out.Tcp = &m.tcp
	}
	out.Peer = clean(x.Peer)
}

// eventsToProto fills the parallel arrays. Arrays of zeros only are left out;
// at_delta_ns always has an entry an event.
func eventsToProto(e *pluginv1.Events, events []backend.Event, sendStart stamp.Nanos) {
	n := len(events)
	e.AtDeltaNs = make([]int64, n)
	arrays := make([]uint32, 6*n)
	column := func(i int) []uint32 { return arrays[i*n : (i+1)*n : (i+1)*n] }
	kinds, choices, sizes, tokens, flags, lags := column(0), column(1), column(2), column(3), column(4), column(5)
	var anyChoice, anySize, anyToken, anyFlag, anyLag uint32
	before := sendStart
	for i := range events {
		event := &events[i]
		e.AtDeltaNs[i] = int64(event.At - before)
		before = event.At
		kinds[i] = uint32(event.Kinds)
		choices[i] = uint32(max(event.Choice, backend.NoChoice) + 1)
		sizes[i], tokens[i], flags[i] = event.Bytes, event.Tokens, uint32(event.Flags)
		lags[i] = uint32(min(max(event.ReadLag.Microseconds(), 0), math.MaxUint32))
		anyChoice, anySize, anyToken = anyChoice|choices[i], anySize|sizes[i], anyToken|tokens[i]
		anyFlag, anyLag = anyFlag|flags[i], anyLag|lags[i]
	}
	e.Kinds = kinds
	for _, array := range []struct {
		any   uint32
		from  []uint32
		field *[]uint32
	}{
		{anyChoice, choices, &e.ChoicePlusOne}, {anySize, sizes, &e.Bytes}, {anyToken, tokens, &e.Tokens},
		{anyFlag, flags, &e.Flags}, {anyLag, lags, &e.ReadLagUs},
	} {
		if array.any != 0 {
			*array.field = array.from
		}
	}
}

func emptyUsage(u *backend.Usage) bool {
	return u.Source == backend.UsageNone && u.Input == nil && u.CachedInput == nil && u.CacheWrite == nil &&
		u.Output == nil && u.Reasoning == nil && u.AudioInput == nil && u.AudioOutput == nil && u.Images == nil && len(u.Extra) == 0
}

func usageToProto(p *pluginv1.Usage, u *backend.Usage) {
	p.Input, p.CachedInput, p.CacheWrite, p.Output = u.Input, u.CachedInput, u.CacheWrite, u.Output
	p.Reasoning, p.AudioInput, p.AudioOutput, p.Images = u.Reasoning, u.AudioInput, u.AudioOutput, u.Images
	if len(u.Extra) > 0 {
		p.Extra = make(map[string]float64, len(u.Extra))
		for name, n := range u.Extra {
			p.Extra[clean(name)] = n
		}
	}
	p.Source = pluginv1.UsageSource(u.Source)
}

// OutcomeFromProto reads the end of a request. It fails where a plugin sends
// more than any answer has; the outcome then says so as the plugin's failure.
func OutcomeFromProto(p *pluginv1.Outcome) (*backend.Outcome, error) {
	o := &backend.Outcome{
		Seq: p.GetSeq(), Status: known(p.GetStatus(), backend.StatusAborted), Error: ErrorFromProto(p.GetError()),
		Received: stamp.Nanos(p.GetReceivedNs()),
		Exchange: exchangeFromProto(p),
	}
	var err error
	if o.Events, err = eventsFromProto(p.GetEvents(), o.SendStart); err != nil {
		return broken(o.Seq, err), err
	}
	if n := len(p.GetChoices()); n > limits.ChoicesPerOutcome {
		err := fmt.Errorf("an outcome has %d choices, at most %d are read", n, limits.ChoicesPerOutcome)
		return broken(o.Seq, err), err
	}
	o.Usage = usageFromProto(p.GetUsage())
	o.Choices = each(p.GetChoices(), func(c *pluginv1.Choice) backend.Choice {
		return backend.Choice{
			Finish: known(c.GetFinish(), backend.FinishUnknown), FinishRaw: c.GetFinishRaw(),
			Text: c.GetText(), ReasoningText: c.GetReasoningText(), ToolText: c.GetToolText(),
		}
	})
	if m := p.GetMedia(); m != nil {
		o.Media = &backend.Media{Bytes: m.GetBytes(), Duration: time.Duration(m.GetDurationNs()), Count: m.GetCount()}
	}
	if v := p.GetVectors(); v != nil {
		o.Vectors = &backend.Vectors{Count: v.GetCount(), Dimensions: v.GetDimensions()}
	}
	if times := p.GetServerTimesNs(); len(times) > 0 {
		o.ServerTimes = make(map[string]time.Duration, len(times))
		for name, ns := range times {
			o.ServerTimes[name] = time.Duration(ns)
		}
	}
	if headers := p.GetServerHeaders(); len(headers) > 0 {
		o.ServerHeaders = maps.Clone(headers)
	}
	// An outcome must say how the request ended. One that does not, and one
	// that failed without saying why, is the plugin's failure.
	switch {
	case o.Status == backend.StatusUnspecified:
		err = fmt.Errorf("the outcome's status %d is not one that this host knows (upgrade the tool)", p.GetStatus())
		return broken(o.Seq, err), err
	case o.Status == backend.StatusError && o.Error == nil:
		o.Error = fault.New(fault.Plugin, "the plugin reports a failure without saying which")
	}
	return o, nil
}

func broken(seq uint64, err error) *backend.Outcome {
	return &backend.Outcome{
		Seq: seq, Status: backend.StatusError, Error: fault.New(fault.Plugin, "%v", err),
		Exchange: stamp.Exchange{Retransmits: -1},
	}
}

func exchangeFromProto(p *pluginv1.Outcome) stamp.Exchange {
	x := stamp.Exchange{
		Queued:    time.Duration(p.GetQueuedNs()),
		SendStart: stamp.Nanos(p.GetSendStartNs()), Handed: stamp.Nanos(p.GetHandedNs()),
		Left: stamp.Nanos(p.GetLeftNs()), Acked: stamp.Nanos(p.GetAckedNs()),
		Headers: stamp.Nanos(p.GetHeadersNs()), LastByte: stamp.Nanos(p.GetLastByteNs()), ReadEnd: stamp.Nanos(p.GetReadEndNs()),
		HeadersFlags: stamp.Flags(p.GetHeadersFlags()), LastByteFlags: stamp.Flags(p.GetLastByteFlags()),
		Clock: known(p.GetClock(), stamp.ClockPacket), TxClock: known(p.GetTxClock(), stamp.ClockPacket),
		BytesSent: p.GetBytesSent(), BytesReceived: p.GetBytesReceived(),
		Retransmits: -1, Peer: p.GetPeer(),
	}
	if c := p.GetConnect(); c != nil {
		x.Connect = stamp.Connect{
			Reused: c.GetReused(), DNS: time.Duration(c.GetDnsNs()),
			TCP: time.Duration(c.GetTcpNs()), TLS: time.Duration(c.GetTlsNs()),
		}
	}
	if tcp := p.GetTcp(); tcp != nil {
		x.RTT, x.Retransmits = time.Duration(tcp.GetRttNs()), tcp.GetRetransmits()
	}
	return x
}

// eventsFromProto unpacks the parallel arrays: as many events as the longest
// has entries, a shorter one being filled up with zeros.
func eventsFromProto(e *pluginv1.Events, sendStart stamp.Nanos) ([]backend.Event, error) {
	n := max(len(e.GetAtDeltaNs()), len(e.GetKinds()), len(e.GetChoicePlusOne()), len(e.GetBytes()),
		len(e.GetTokens()), len(e.GetFlags()), len(e.GetReadLagUs()))
	if n == 0 {
		return nil, nil
	}
	if n > limits.EventsPerOutcome {
		return nil, fmt.Errorf("an outcome has %d events, at most %d are read", n, limits.EventsPerOutcome)
	}
	events := make([]backend.Event, n)
	at := sendStart
	for i := range events {
		at += stamp.Nanos(entry(e.GetAtDeltaNs(), i))
		events[i] = backend.Event{
			At: at, ReadLag: time.Duration(entry(e.GetReadLagUs(), i)) * time.Microsecond,
			Kinds: backend.Kinds(entry(e.GetKinds(), i)), Flags: stamp.Flags(entry(e.GetFlags(), i)),
			Choice: int32(min(int64(entry(e.GetChoicePlusOne(), i))-1, math.MaxInt32)),
			Bytes:  entry(e.GetBytes(), i), Tokens: entry(e.GetTokens(), i),
		}
	}
	return events, nil
}

func entry[T int64 | uint32](array []T, i int) T {
	if i >= len(array) {
		return 0
	}
	return array[i]
}

func usageFromProto(p *pluginv1.Usage) backend.Usage {
	if p == nil {
		return backend.Usage{}
	}
	return backend.Usage{
		Input: p.Input, CachedInput: p.CachedInput, CacheWrite: p.CacheWrite, Output: p.Output,
		Reasoning: p.Reasoning, AudioInput: p.AudioInput, AudioOutput: p.AudioOutput, Images: p.Images,
		Extra: p.GetExtra(), Source: known(p.GetSource(), backend.UsageHeader),
	}
}
