package metrics

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Aggregate is a run in figures. The keys up to stats are the Python tool's, in
// its order; what follows is added.
type Aggregate struct {
	Scenario       string  `json:"scenario"`
	NumConcurrency int     `json:"num_concurrency"` // in an open loop: the rate in thousandths
	BatchSize      int     `json:"batch_size"`
	IterationType  string  `json:"iteration_type"`
	RunDuration    float64 `json:"run_duration"` // seconds, always: the measured window

	// Tokens per second of all requests together, over the window.
	MeanOutputThroughput Value `json:"mean_output_throughput_tokens_per_s"`
	MeanInputThroughput  Value `json:"mean_input_throughput_tokens_per_s"`
	MeanTotalThroughput  Value `json:"mean_total_tokens_throughput_tokens_per_s"`
	RequestsPerSecond    Value `json:"requests_per_second"` // completed, over the window

	ErrorCodesFrequency  map[string]int `json:"error_codes_frequency"`
	ErrorRate            Value          `json:"error_rate"` // errors / requests, cancelled ones in neither
	NumErrorRequests     int            `json:"num_error_requests"`
	NumCompletedRequests int            `json:"num_completed_requests"`
	NumRequests          int            `json:"num_requests"`

	Stats RequestStats `json:"stats"`

	RequestRate          float64        `json:"request_rate,omitempty"` // asked for, per second; open loop
	Distribution         string         `json:"distribution,omitempty"`
	Engine               string         `json:"engine,omitempty"`               // users, closed, open
	NumCancelledRequests int            `json:"num_cancelled_requests"`         // had no end when the run had
	NumAbortedRequests   int            `json:"num_aborted_requests,omitempty"` // given up on purpose; neither completed nor errors
	ErrorClasses         map[string]int `json:"error_classes,omitempty"`
	Window               Window         `json:"window"`
	AddedStats           AddedStats     `json:"added_stats"`
	// ReferenceStyle are the figures as the Python tool divides: by the time
	// from the run's start to its very end, warm-up left out of the tokens only.
	ReferenceStyle ReferenceStyle `json:"python_tool_style"`

	BundledShare   Value          `json:"bundled_event_share"` // of output events, whose exact time is not known
	Clocks         map[string]int `json:"clocks,omitempty"`    // requests by the clock that timed them
	WarningsOfRun  []string       `json:"warnings,omitempty"`
	StopReason     string         `json:"stop_reason,omitempty"`
	WorkloadSHA256 string         `json:"workload_sha256,omitempty"`
}

// RequestStats are the statistics of the Python tool's twelve metrics.
type RequestStats struct {
	TTFT                 Stats `json:"ttft"`
	TPOT                 Stats `json:"tpot"`
	E2ELatency           Stats `json:"e2e_latency"`
	OutputLatency        Stats `json:"output_latency"`
	OutputInferenceSpeed Stats `json:"output_inference_speed"`
	InputTokens          Stats `json:"num_input_tokens"`
	OutputTokens         Stats `json:"num_output_tokens"`
	ReasoningTokens      Stats `json:"num_reasoning_tokens"`
	TotalTokens          Stats `json:"total_tokens"`
	InputThroughput      Stats `json:"input_throughput"`
	OutputThroughput     Stats `json:"output_throughput"`
	AudioThroughput      Stats `json:"audio_throughput"`
}

// AddedStats are the statistics of what the Python tool does not have.
type AddedStats struct {
	TTFTFromLeft     Stats `json:"ttft_from_left"`
	TTFTFromIntended Stats `json:"ttft_from_intended"`
	E2EFromIntended  Stats `json:"e2e_latency_from_intended"`
	TTFOT            Stats `json:"ttfot"`
	TPOTToEnd        Stats `json:"tpot_to_end"`
	ITL              Stats `json:"itl"`           // over all events of all requests
	ITLPerToken      Stats `json:"itl_per_token"` // each gap spread over the tokens of its event
	DispatchLateness Stats `json:"dispatch_lateness"`
	SendLateness     Stats `json:"send_lateness"`
	CapWait          Stats `json:"cap_wait"` // in line for the open loop's concurrency cap
	ReadLag          Stats `json:"read_lag"` // over all events
	Upload           Stats `json:"upload"`
	Connect          Stats `json:"connect"` // DNS, TCP and TLS together, of new connections
}

// Window says what was measured and what was left out.
type Window struct {
	Start     stamp.Nanos `json:"start_ns"`  // first send inside
	End       stamp.Nanos `json:"end_ns"`    // last completion inside
	Completed int         `json:"completed"` // between both: what throughputs are made of
	// Limit is when the run's time was over; completions after it count for
	// latency, not for throughput. 0: the run was not limited by time.
	Limit       stamp.Nanos `json:"limit_ns,omitempty"`
	RunStart    stamp.Nanos `json:"run_start_ns"`
	RunEnd      stamp.Nanos `json:"run_end_ns"`
	SendEnd     stamp.Nanos `json:"send_end_ns"`           // nothing was sent after it
	RampEnd     stamp.Nanos `json:"ramp_end_ns,omitempty"` // when all users had come or the rate was reached; 0: there was no ramp
	WarmedUp    int         `json:"warmup_requests"`       // first sent, left out
	CooledDown  int         `json:"cooldown_requests"`     // last sent, left out
	AfterLimit  int         `json:"completed_after_limit"`
	MissedSends uint64      `json:"missed_sends,omitempty"` // due in the open loop and never sent: the client could not keep up
	// Arrivals of the open loop that found the concurrency cap reached: CapWaited
	// were sent when their turn came, CapUnsent still stood in line at the end.
	CapWaited    uint64  `json:"cap_waited_requests,omitempty"`
	CapUnsent    uint64  `json:"cap_unsent_requests,omitempty"`
	AskedRate    float64 `json:"asked_rate,omitempty"`
	AchievedRate float64 `json:"achieved_rate,omitempty"`
}

// ReferenceStyle are figures for comparison with the Python tool.
type ReferenceStyle struct {
	RunDuration       float64 `json:"run_duration"`
	RequestsPerSecond Value   `json:"requests_per_second"`
	OutputThroughput  Value   `json:"mean_output_throughput_tokens_per_s"`
	InputThroughput   Value   `json:"mean_input_throughput_tokens_per_s"`
}

// Run is what an aggregate needs besides the requests.
type Run struct {
	Start, End stamp.Nanos // of the run, drain included
	Limit      stamp.Nanos // when its time was over; 0: not limited by time
	// SendEnd is when it stopped sending; 0: at the limit, or where there is
	// none at the end.
	SendEnd stamp.Nanos
	// Warmup and Cooldown are the requests, first and last sent, that the
	// statistics leave out.
	Warmup, Cooldown Cut
}

// Compute makes the statistics of a run out of the metrics of its requests,
// which it puts into the order of their sending. events adds up what single
// events tell; nil: nothing is known of them.
func Compute(run Run, requests []Request, events *EventStats) Aggregate {
	slices.SortStableFunc(requests, func(a, b Request) int { return cmp.Compare(a.Index, b.Index) })
	warm, cool := cut(requests, run)
	inside := requests[warm : len(requests)-cool]
	a := count(requests)
	a.Window = Window{RunStart: run.Start, RunEnd: run.End, SendEnd: run.sendEnd(), Limit: run.Limit, WarmedUp: warm, CooledDown: cool}
	a.phases(requests)
	a.throughput(requests)
	a.Stats, a.AddedStats = statistics(inside)
	if events != nil {
		a.AddedStats.ITL, a.AddedStats.ITLPerToken, a.AddedStats.ReadLag = events.summaries()
		a.BundledShare = ratio(Value(events.bundled), Value(events.outputs))
	} else {
		a.AddedStats.ITL, a.AddedStats.ITLPerToken, a.AddedStats.ReadLag = NoStats(), NoStats(), NoStats()
		a.BundledShare = None()
	}
	total := run.End.Sub(run.Start).Seconds()
	a.ReferenceStyle = ReferenceStyle{
		RunDuration:       total,
		RequestsPerSecond: ratio(Value(a.NumCompletedRequests), Value(total)),
		OutputThroughput:  ratio(a.Stats.OutputTokens.Sum, Value(total)),
		InputThroughput:   ratio(a.Stats.InputTokens.Sum, Value(total)),
	}
	return a
}

// count counts all requests of a run by how they ended.
func count(requests []Request) Aggregate {
	a := Aggregate{ErrorCodesFrequency: map[string]int{}, ErrorClasses: map[string]int{}, Clocks: map[string]int{}}
	for i := range requests {
		r := &requests[i]
		if r.Clock != "" {
			a.Clocks[r.Clock]++
		}
		switch {
		case r.OK():
			a.NumCompletedRequests++
		case r.Aborted():
			a.NumAbortedRequests++
		case r.Cancelled():
			a.NumCancelledRequests++
		default:
			a.NumErrorRequests++
			a.ErrorCodesFrequency[strconv.Itoa(*r.ErrorCode)]++
			if r.ErrorClass != "" {
				a.ErrorClasses[r.ErrorClass]++
			}
		}
	}
	a.NumRequests = a.NumCompletedRequests + a.NumErrorRequests
	a.ErrorRate = 0
	if a.NumRequests > 0 {
		a.ErrorRate = Value(a.NumErrorRequests) / Value(a.NumRequests)
	}
	return a
}

// phases notes on each request which part of the run it belongs to.
func (a *Aggregate) phases(requests []Request) {
	w := &a.Window
	for i := range requests {
		r := &requests[i]
		switch r.Phase = ""; {
		case i < w.WarmedUp:
			r.Phase = PhaseWarmup
		case i >= len(requests)-w.CooledDown:
			r.Phase = PhaseCooldown
		case w.Limit != 0 && r.OK() && r.EndNanos > w.Limit:
			r.Phase = PhaseAfterLimit
			w.AfterLimit++
		}
	}
}

// throughput divides what was completed inside the window by the window. It
// begins with the first send after the warm-up and ends with the last
// completion before the cool-down's first send and the run's time limit.
// What began before the window and ended in it counts; what ends after it does
// not: leaving out the former too would make a steady server look slower the
// more requests are in flight. A window in which nothing was completed is that
// of the requests themselves, to the last of them.
func (a *Aggregate) throughput(requests []Request) {
	w := &a.Window
	first := func(part []Request) (t stamp.Nanos) {
		for i := range part {
			if at := part[i].SendStartNanos; at != 0 && (t == 0 || at < t) {
				t = at
			}
		}
		return t
	}
	inside := requests[w.WarmedUp : len(requests)-w.CooledDown]
	start, until := first(inside), w.Limit
	if cooldown := first(requests[len(requests)-w.CooledDown:]); cooldown != 0 && (until == 0 || cooldown < until) {
		until = cooldown
	}
	within := func(t stamp.Nanos) bool { return t > start && (until == 0 || t <= until) }
	last := func(part []Request) (t stamp.Nanos) {
		for i := range part {
			if r := &part[i]; r.OK() && within(r.EndNanos) {
				t = max(t, r.EndNanos)
			}
		}
		return t
	}
	counted := requests
	end := last(counted)
	if end == 0 {
		until, counted = 0, inside
		end = last(counted)
	}
	if start == 0 || end == 0 {
		a.RunDuration = w.RunEnd.Sub(w.RunStart).Seconds()
		a.RequestsPerSecond, a.MeanInputThroughput, a.MeanOutputThroughput, a.MeanTotalThroughput = 0, 0, 0, 0
		return
	}
	var completed, input, output Value
	for i := range counted {
		r := &counted[i]
		if !r.OK() || !within(r.EndNanos) {
			continue
		}
		completed++
		if r.InputTokens.Exists() {
			input += r.InputTokens
		}
		if r.OutputTokens.Exists() {
			output += r.OutputTokens
		}
	}
	w.Start, w.End, w.Completed = start, end, int(completed)
	a.RunDuration = end.Sub(start).Seconds()
	seconds := Value(a.RunDuration)
	a.RequestsPerSecond = ratio(completed, seconds)
	a.MeanInputThroughput = ratio(input, seconds)
	a.MeanOutputThroughput = ratio(output, seconds)
	a.MeanTotalThroughput = ratio(input+output, seconds)
}

// statistics summarizes the successful requests, a metric at a time.
func statistics(requests []Request) (RequestStats, AddedStats) {
	column := make([]float64, 0, len(requests))
	of := func(metric func(*Request) Value) Stats {
		column = column[:0]
		for i := range requests {
			if r := &requests[i]; r.OK() {
				column = append(column, float64(metric(r)))
			}
		}
		return Summarize(column)
	}
	return RequestStats{
			TTFT:                 of(func(r *Request) Value { return r.TTFT }),
			TPOT:                 of(func(r *Request) Value { return r.TPOT }),
			E2ELatency:           of(func(r *Request) Value { return r.E2ELatency }),
			OutputLatency:        of(func(r *Request) Value { return r.OutputLatency }),
			OutputInferenceSpeed: of(func(r *Request) Value { return r.OutputInferenceSpeed }),
			InputTokens:          of(func(r *Request) Value { return r.InputTokens }),
			OutputTokens:         of(func(r *Request) Value { return r.OutputTokens }),
			ReasoningTokens:      of(func(r *Request) Value { return r.ReasoningTokens }),
			TotalTokens:          of(func(r *Request) Value { return r.TotalTokens }),
			InputThroughput:      of(func(r *Request) Value { return r.InputThroughput }),
			OutputThroughput:     of(func(r *Request) Value { return r.OutputThroughput }),
			AudioThroughput:      of(func(r *Request) Value { return r.AudioThroughput }),
		}, AddedStats{
			TTFTFromLeft:     of(func(r *Request) Value { return r.TTFTFromLeft }),
			TTFTFromIntended: of(func(r *Request) Value { return r.TTFTFromIntended }),
			E2EFromIntended:  of(func(r *Request) Value { return r.E2EFromIntended }),
			TTFOT:            of(func(r *Request) Value { return r.TTFOT }),
			TPOTToEnd:        of(func(r *Request) Value { return r.TPOTToEnd }),
			DispatchLateness: of(func(r *Request) Value { return r.DispatchLateness }),
			SendLateness:     of(func(r *Request) Value { return r.SendLateness }),
			CapWait:          of(func(r *Request) Value { return r.CapWait }),
			Upload:           of(func(r *Request) Value { return r.Upload }),
			Connect:          of(func(r *Request) Value { return r.DNS + r.Connect + r.TLS }),
		}
}

// PythonTool computes a run's figures by the Python tool's own rules, for
// comparison and to read its folders: requests in the order of their
// completion, warm-up and cool-down cut by that order, tokens of what is left
// over the whole duration, requests per second of all.
func PythonTool(requests []Request, duration time.Duration, warmupRatio, cooldownRatio float64) Aggregate {
	warm, cool := cut(requests, Run{Warmup: Cut{Ratio: warmupRatio}, Cooldown: Cut{Ratio: cooldownRatio}})
	inside := requests[warm : len(requests)-cool]
	a := count(requests)
	a.Stats, a.AddedStats = statistics(inside)
	seconds := Value(duration.Seconds())
	a.RunDuration = duration.Seconds()
	a.RequestsPerSecond = ratio(Value(a.NumCompletedRequests), seconds)
	a.MeanInputThroughput = ratio(a.Stats.InputTokens.Sum, seconds)
	a.MeanOutputThroughput = ratio(a.Stats.OutputTokens.Sum, seconds)
	a.MeanTotalThroughput = ratio(a.Stats.TotalTokens.Sum, seconds)
	return a
}
