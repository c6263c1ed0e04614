package metrics

import (
	"encoding/json"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Request is the metrics of one request. The keys up to error_message are the
// Python tool's, in its order; what follows is added. Latencies are in seconds
// here; core/experiment converts what it stores.
type Request struct {
	TTFT                 Value   `json:"ttft"`
	TPOT                 Value   `json:"tpot"`
	E2ELatency           Value   `json:"e2e_latency"`
	OutputLatency        Value   `json:"output_latency"`
	OutputInferenceSpeed Value   `json:"output_inference_speed"` // tokens/s: 1 / tpot
	InputTokens          Value   `json:"num_input_tokens"`
	OutputTokens         Value   `json:"num_output_tokens"`
	ReasoningTokens      Value   `json:"num_reasoning_tokens"` // included in the output tokens
	TotalTokens          Value   `json:"total_tokens"`
	InputThroughput      Value   `json:"input_throughput"`  // tokens/s: input tokens / ttft
	OutputThroughput     Value   `json:"output_throughput"` // tokens/s: (output tokens − 1) / output latency
	AudioThroughput      Value   `json:"audio_throughput"`  // bytes/s: speech only
	ErrorCode            *int    `json:"error_code"`
	ErrorMessage         *string `json:"error_message"`

	RequestID      string `json:"request_id,omitempty"`
	Index          uint64 `json:"index"`
	Phase          Phase  `json:"phase,omitempty"`
	Status         string `json:"status,omitempty"` // ok, error, cancelled, aborted
	ErrorClass     string `json:"error_class,omitempty"`
	FinishReason   string `json:"finish_reason,omitempty"`
	Clock          string `json:"clock,omitempty"`
	TxClock        string `json:"tx_clock,omitempty"`
	ConnReused     bool   `json:"connection_reused"`
	InputSource    string `json:"input_tokens_source,omitempty"`  // usage or tokenizer
	OutputSource   string `json:"output_tokens_source,omitempty"` // usage or tokenizer
	BundledEvents  int    `json:"bundled_events,omitempty"`       // whose stamp is the last of several segments
	OutputEvents   int    `json:"output_events,omitempty"`
	FirstFlags     string `json:"first_output_flags,omitempty"` // why the stamp of ttft may be less exact than the clock promises: stamp.Flags
	EndFlags       string `json:"last_byte_flags,omitempty"`    // the same of e2e_latency
	Worker         int    `json:"worker,omitempty"`
	Session        int64  `json:"session,omitempty"` // conversation, from 1, in the order of their beginning; 0: none
	Turn           int64  `json:"turn,omitempty"`    // of the conversation, from 1
	PartialAnswer  bool   `json:"partial,omitempty"` // a failure after output had arrived
	BytesSent      int64  `json:"bytes_sent,omitempty"`
	BytesReceived  int64  `json:"bytes_received,omitempty"`
	Retransmits    int32  `json:"retransmits,omitempty"` // this host's, on the connection, meanwhile
	Peer           string `json:"peer,omitempty"`        // address connected to: the proxy's, where there is one
	Goodput        string `json:"goodput,omitempty"`     // "met" where all objectives were, else "missed"; "" without objectives
	InputTokensOwn Value  `json:"num_input_tokens_counted"`
	InputAsked     Value  `json:"num_input_tokens_requested"`
	OutputAsked    Value  `json:"num_output_tokens_requested"`
	CachedTokens   Value  `json:"num_cached_input_tokens"`
	// OutputTokensOwn is core's count of the answer's text, EventTokens the sum
	// of what the events of its stream said that they hold.
	OutputTokensOwn Value `json:"num_output_tokens_counted"`
	EventTokens     Value `json:"num_output_tokens_in_events"`

	// What tasks other than text have: texts or pictures embedded and documents
	// ranked, pictures made, characters spoken.
	Inputs       int64 `json:"num_inputs,omitempty"`
	Images       int64 `json:"num_images,omitempty"`
	Characters   int64 `json:"num_characters,omitempty"`
	AudioBytes   int64 `json:"audio_bytes,omitempty"`
	AudioSeconds Value `json:"audio_duration_s"` // always in seconds
	// RealTimeFactor is what a second of speech takes to be made: below 1 is
	// faster than it is spoken.
	RealTimeFactor Value `json:"real_time_factor"`

	TTFTFromLeft     Value `json:"ttft_from_left"`     // from the request's last byte leaving the host
	TTFTFromIntended Value `json:"ttft_from_intended"` // from the schedule's time: coordinated omission is inside
	E2EFromIntended  Value `json:"e2e_latency_from_intended"`
	TTFOT            Value `json:"ttfot"` // first answer text, reasoning left out
	// TPOTToEnd is the Python tool's way: to the end of the stream instead of
	// the last output.
	TPOTToEnd Value `json:"tpot_to_end"`
	ITLMean   Value `json:"itl_mean"`
	ITLMax    Value `json:"itl_max"`

	DispatchLateness Value `json:"dispatch_lateness"` // dispatched − intended − cap_wait, 0 where handed over ahead
	CapWait          Value `json:"cap_wait"`          // in line for the open loop's concurrency cap; null: there was none
	SendLateness     Value `json:"send_lateness"`     // send_start − due, the later of intended and dispatched, less the connection's set-up after it
	HopLateness      Value `json:"hop_lateness"`      // of that until the plugin had read the request: received − due
	PluginLateness   Value `json:"plugin_lateness"`   // and the rest, in the plugin
	ReadLagMax       Value `json:"read_lag_max"`      // the longest that an event waited to be read
	Queued           Value `json:"queued"`
	DNS              Value `json:"dns"`
	Connect          Value `json:"connect"`
	TLS              Value `json:"tls"`
	Upload           Value `json:"upload"`          // send_start to the last byte handed to the kernel
	ResponseHeader   Value `json:"response_header"` // send_start to the last byte of the response's head
	RTT              Value `json:"rtt"`             // the kernel's smoothed round-trip time

	// Moments on CLOCK_MONOTONIC in nanoseconds, from which everything above can
	// be computed again and joined with a server's own log.
	IntendedNanos   stamp.Nanos `json:"intended_ns,omitempty"`
	DispatchedNanos stamp.Nanos `json:"dispatched_ns,omitempty"`
	SendStartNanos  stamp.Nanos `json:"send_start_ns,omitempty"`
	FirstNanos      stamp.Nanos `json:"first_output_ns,omitempty"`
	EndNanos        stamp.Nanos `json:"last_byte_ns,omitempty"`
	OutcomeNanos    stamp.Nanos `json:"outcome_ns,omitempty"` // core had the outcome

	// What the bytes of an answer are held against: those that its output events
	// say to hold, and those of the text or media that arrived with it.
	EventBytes  int64 `json:"output_bytes_in_events,omitempty"`
	AnswerBytes int64 `json:"answer_bytes,omitempty"`
}

// Phase is the part of a run that a request belongs to where it is not simply
// inside the measured window.
type Phase string

// The phases. Requests of warm-up and cool-down are in no statistic of
// requests; one that was completed after the run's time limit is in those of
// latency, not in throughput.
const (
	PhaseWarmup     Phase = "warmup"
	PhaseCooldown   Phase = "cooldown"
	PhaseAfterLimit Phase = "after_limit"
)

// OK tells whether the request succeeded.
func (r *Request) OK() bool { return r.ErrorCode == nil }

// Cancelled tells whether this client ended the request: at the end of a run,
// or on purpose. That is no failure of the server.
func (r *Request) Cancelled() bool { return r.Status == "cancelled" || r.Status == "aborted" }

// Aborted tells whether this client gave the request up on purpose.
func (r *Request) Aborted() bool { return r.Status == "aborted" }

// emptyRequest has no metric.
func emptyRequest() Request {
	n := None()
	return Request{
		TTFT: n, TPOT: n, E2ELatency: n, OutputLatency: n, OutputInferenceSpeed: n, InputTokens: n, OutputTokens: n,
		ReasoningTokens: n, TotalTokens: n, InputThroughput: n, OutputThroughput: n, AudioThroughput: n,
		InputTokensOwn: n, InputAsked: n, OutputAsked: n, CachedTokens: n,
		OutputTokensOwn: n, EventTokens: n, AudioSeconds: n, RealTimeFactor: n,
		TTFTFromLeft: n, TTFTFromIntended: n, E2EFromIntended: n, TTFOT: n, TPOTToEnd: n, ITLMean: n, ITLMax: n,
		DispatchLateness: n, CapWait: n, SendLateness: n, HopLateness: n, PluginLateness: n, ReadLagMax: n, Queued: n, DNS: n, Connect: n, TLS: n, Upload: n, ResponseHeader: n, RTT: n,
	}
}

// UnmarshalJSON reads what any version and the Python tool wrote: a metric
// whose key is missing does not exist.
func (r *Request) UnmarshalJSON(data []byte) error {
	type plain Request // without this method
	p := plain(emptyRequest())
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*r = Request(p)
	return nil
}

// Derive computes the metrics of a request of a task.
func Derive(task backend.Task, rec *Record) Request {
	o := rec.Outcome
	r := emptyRequest()
	r.RequestID, r.Index, r.Worker, r.Session, r.Turn = rec.RequestID, rec.Index, rec.Worker, int64(rec.Session), int64(rec.Turn)
	r.Status = o.Status.String()
	r.IntendedNanos, r.DispatchedNanos, r.SendStartNanos, r.EndNanos, r.OutcomeNanos = rec.Intended, rec.Dispatched, o.SendStart, o.LastByte, rec.Ended
	if rec.InputTokensAsked > 0 {
		r.InputAsked = Value(rec.InputTokensAsked)
	}
	if rec.OutputTokensAsked > 0 {
		r.OutputAsked = Value(rec.OutputTokensAsked)
	}
	if rec.InputTokens > 0 {
		r.InputTokensOwn = Value(rec.InputTokens)
	}
	r.transport(rec)
	outputs := r.events(o)
	switch {
	case !Generates(task): // has no tokens between which there is time
		r.ITLMean, r.ITLMax, r.TTFOT, r.EventTokens = None(), None(), None(), None()
	case !rec.Streamed:
		// An answer in one piece does not tell when its first token was made.
		outputs = r.withoutFirst()
	}
	for _, c := range o.Choices {
		if c.Finish != backend.FinishUnspecified {
			r.FinishReason = c.Finish.String()
			break
		}
	}
	if o.Status != backend.StatusOK {
		r.fail(o)
		return r
	}
	if o.SendStart != 0 && o.LastByte != 0 {
		r.E2ELatency = Seconds(o.LastByte.Sub(o.SendStart))
		if rec.Intended != 0 {
			r.E2EFromIntended = Seconds(o.LastByte.Sub(rec.Intended))
		}
	}
	r.tokens(task, rec)
	r.answer(task, rec)
	if Generates(task) {
		r.generation(outputs)
	} else if outputs.first == 0 {
		// What has no stream has no first output either: the whole answer is the
		// first, as in the Python tool.
		r.TTFT, r.FirstNanos, r.FirstFlags = r.E2ELatency, o.LastByte, r.EndFlags
		if rec.Intended != 0 && o.LastByte != 0 {
			r.TTFTFromIntended = Seconds(o.LastByte.Sub(rec.Intended))
		}
	}
	if task == backend.TextToSpeech && o.Media != nil {
		r.AudioThroughput = ratio(Value(o.Media.Bytes), r.E2ELatency-r.TTFT)
	}
	r.InputThroughput = ratio(r.InputTokens, r.TTFT)
	return r
}

// Generates tells whether a task's answers are made token by token: only those
// have a time per output token, and times between tokens.
func Generates(task backend.Task) bool {
	return task == backend.TextToText || task == backend.ImageTextToText
}

// FirstOutput is what a task's time to the first output is called; "" where the
// answer is made in one piece, of which only the end means something.
func FirstOutput(task backend.Task) string {
	switch {
	case Generates(task):
		return "TTFT"
	case task == backend.TextToSpeech:
		return "TTFB"
	}
	return ""
}

// answer takes what the answers of a task are counted in.
func (r *Request) answer(task backend.Task, rec *Record) {
	media := rec.Outcome.Media
	switch task {
	case backend.TextToEmbeddings, backend.ImageToEmbedding, backend.TextToRerank:
		r.Inputs = int64(rec.Inputs)
	case backend.TextToImage:
		if media != nil {
			r.Images = int64(media.Count)
		}
	case backend.TextToSpeech:
		r.Characters = int64(rec.Characters)
		if media == nil {
			return
		}
		r.AudioBytes, r.AnswerBytes = media.Bytes, media.Bytes
		if media.Duration > 0 {
			r.AudioSeconds = Seconds(media.Duration)
			r.RealTimeFactor = ratio(r.E2ELatency, r.AudioSeconds)
		}
	default:
		for i := range rec.Outcome.Choices {
			c := &rec.Outcome.Choices[i]
			r.AnswerBytes += int64(len(c.Text) + len(c.ReasoningText) + len(c.ToolText))
		}
	}
}

// withoutFirst takes back what depends on the first output.
func (r *Request) withoutFirst() outputs {
	n := None()
	r.TTFT, r.TTFTFromLeft, r.TTFTFromIntended, r.TTFOT, r.ITLMean, r.ITLMax = n, n, n, n, n, n
	r.FirstNanos, r.FirstFlags = 0, ""
	return outputs{}
}

// fail records what went wrong. Python's metric keys stay null.
func (r *Request) fail(o *backend.Outcome) {
	e := o.Error
	if e == nil { // a plugin in another language may leave it out
		e = fault.New(fault.Plugin, "the plugin reported status %s without an error", o.Status)
	}
	code, message := ErrorCode(e), e.Error()
	r.ErrorCode, r.ErrorMessage = &code, &message
	r.ErrorClass, r.PartialAnswer = e.Class.String(), e.Partial
	n := None()
	r.TTFT, r.TTFTFromIntended, r.TTFTFromLeft, r.TTFOT = n, n, n, n
}

// transport takes what the connection and the schedule tell.
func (r *Request) transport(rec *Record) {
	o := rec.Outcome
	r.Clock, r.TxClock = name(o.Clock), name(o.TxClock)
	r.EndFlags = o.LastByteFlags.String()
	r.ConnReused = o.Connect.Reused
	r.BytesSent, r.BytesReceived, r.Retransmits = o.BytesSent, o.BytesReceived, max(o.Retransmits, 0)
	r.Peer = o.Peer
	if o.RTT > 0 {
		r.RTT = Seconds(o.RTT)
	}
	r.Queued = Seconds(o.Queued)
	if !o.Connect.Reused {
		r.DNS, r.Connect, r.TLS = Seconds(o.Connect.DNS), Seconds(o.Connect.TCP), Seconds(o.Connect.TLS)
	}
	if rec.Capped {
		r.CapWait = Seconds(rec.CapWait)
	}
	if rec.Intended != 0 && rec.Dispatched != 0 {
		r.DispatchLateness = Seconds(max(rec.Dispatched.Sub(rec.Intended)-rec.CapWait, 0))
	}
	if o.SendStart != 0 {
		r.late(rec)
		if o.Handed != 0 {
			r.Upload = Seconds(o.Handed.Sub(o.SendStart))
		}
		if o.Headers != 0 {
			r.ResponseHeader = Seconds(o.Headers.Sub(o.SendStart))
		}
	}
}

// late splits the time from when the request was due until its first byte left.
// Setting up a connection is the network's time and the server's, not this
// client's, as far as it came after the request was due: one that was handed
// over ahead has it behind itself by then.
func (r *Request) late(rec *Record) {
	o := rec.Outcome
	due := max(rec.Intended, rec.Dispatched)
	if due == 0 {
		return
	}
	setUp := time.Duration(0)
	if !o.Connect.Reused {
		setUp = o.Connect.DNS + o.Connect.TCP + o.Connect.TLS
	}
	begun := o.Received // the set-up, at the earliest
	if begun == 0 {
		begun = due
	}
	hop := max(o.Received.Sub(due), 0)
	plugin := max(o.SendStart.Sub(max(begun.Add(setUp), due)), 0)
	if o.Received == 0 {
		hop = 0
	} else {
		r.HopLateness, r.PluginLateness = Seconds(hop), Seconds(plugin)
	}
	r.SendLateness = Seconds(hop + plugin)
}

func name(c stamp.Clock) string {
	if c == stamp.ClockUnspecified {
		return ""
	}
	return c.String()
}

// outputs is what the events of an answer tell.
type outputs struct{ first, last, firstText stamp.Nanos }

// events goes over the answer's events once.
func (r *Request) events(o *backend.Outcome) outputs {
	var out outputs
	var lag, gapSum, gapMax time.Duration
	var read bool
	gaps := 0
	tokens, all := uint64(0), true // events that do not say how many tokens they hold say nothing together
	for i := range o.Events {
		e := &o.Events[i]
		if !read || e.ReadLag > lag {
			lag, read = e.ReadLag, true
		}
		if e.Flags&stamp.Bundled != 0 {
			r.BundledEvents++
		}
		if e.Kinds&backend.Output == 0 {
			continue
		}
		r.OutputEvents++
		r.EventBytes += int64(e.Bytes)
		tokens += uint64(e.Tokens)
		all = all && e.Tokens > 0
		if e.Kinds&backend.Text != 0 && out.firstText == 0 {
			out.firstText = e.At
		}
		if out.first == 0 {
			out.first = e.At
			r.FirstFlags = e.Flags.String()
		} else {
			gap := e.At.Sub(out.last)
			gapSum += gap
			gapMax = max(gapMax, gap)
			gaps++
		}
		out.last = e.At
	}
	if all && r.OutputEvents > 0 {
		r.EventTokens = Value(tokens)
	}
	if read {
		r.ReadLagMax = Seconds(lag)
	}
	if gaps > 0 {
		r.ITLMean, r.ITLMax = Seconds(gapSum/time.Duration(gaps)), Seconds(gapMax)
	}
	if out.first != 0 && o.SendStart != 0 {
		r.FirstNanos = out.first
		r.TTFT = Seconds(out.first.Sub(o.SendStart))
		if o.Left != 0 {
			r.TTFTFromLeft = Seconds(out.first.Sub(o.Left))
		}
		if r.IntendedNanos != 0 {
			r.TTFTFromIntended = Seconds(out.first.Sub(r.IntendedNanos))
		}
		if out.firstText != 0 {
			r.TTFOT = Seconds(out.firstText.Sub(o.SendStart))
		}
	}
	return out
}

// tokens takes the provider's counts, else core's own, and names the source.
func (r *Request) tokens(task backend.Task, rec *Record) {
	u := &rec.Outcome.Usage
	switch {
	case u.Input != nil:
		r.InputTokens, r.InputSource = Value(*u.Input), "usage"
	case rec.InputTokens > 0:
		r.InputTokens, r.InputSource = Value(rec.InputTokens), "tokenizer"
	}
	switch {
	case u.Output != nil:
		r.OutputTokens, r.OutputSource = Value(*u.Output), "usage"
	case rec.OutputTokensCounted >= 0:
		r.OutputTokens, r.OutputSource = Value(rec.OutputTokensCounted), "tokenizer"
	}
	if rec.OutputTokensCounted >= 0 {
		r.OutputTokensOwn = Value(rec.OutputTokensCounted)
	}
	if u.CachedInput != nil {
		r.CachedTokens = Value(*u.CachedInput)
	}
	switch {
	case u.Reasoning != nil:
		r.ReasoningTokens = Value(*u.Reasoning)
	case rec.ReasoningTokensCounted > 0:
		r.ReasoningTokens = Value(rec.ReasoningTokensCounted)
	case r.OutputTokens.Exists() && Generates(task):
		r.ReasoningTokens = 0
	}
	if r.InputTokens.Exists() {
		r.TotalTokens = r.InputTokens
		if r.OutputTokens.Exists() {
			r.TotalTokens += r.OutputTokens
		}
	}
}

// generation computes what only answers made token by token have. TPOT and its
// kin need two tokens and some time between them.
func (r *Request) generation(out outputs) {
	if out.first == 0 {
		return
	}
	r.OutputLatency = r.E2ELatency - r.TTFT
	if !r.OutputTokens.Exists() || r.OutputTokens <= 1 {
		return
	}
	steps := r.OutputTokens - 1
	if r.OutputLatency > 0 {
		r.TPOTToEnd = r.OutputLatency / steps
		r.OutputThroughput = steps / r.OutputLatency
	}
	if span := Seconds(out.last.Sub(out.first)); span > 0 {
		r.TPOT = span / steps
		r.OutputInferenceSpeed = 1 / r.TPOT
	}
}
