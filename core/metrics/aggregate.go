package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
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
	TimeScale            float64        `json:"time_scale,omitempty"`           // of a trace: factor on its times
	Engine               string         `json:"engine,omitempty"`               // users, closed, open, replay
	NumCancelledRequests int            `json:"num_cancelled_requests"`         // had no end when the run had
	NumAbortedRequests   int            `json:"num_aborted_requests,omitempty"` // given up on purpose; neither completed nor errors
	ErrorClasses         map[string]int `json:"error_classes,omitempty"`
	Window               Window         `json:"window"`
	AddedStats           AddedStats     `json:"added_stats"`
	// ReferenceStyle are the figures as the Python tool divides: by the time
	// from the run's start to its very end, warm-up left out of the tokens only.
	ReferenceStyle ReferenceStyle `json:"python_tool_style"`

	// Laws are the books of the run: figures that must agree, taken from different
	// places.
	Laws          []Law             `json:"conservation_laws,omitempty"`
	Tokens        TokenTruth        `json:"token_counts"`
	Short         int               `json:"answers_shorter_than_asked"`
	TaskRates     TaskRates         `json:"task_throughput"`
	Sessions      *Sessions         `json:"sessions,omitempty"`
	Turns         []TurnFigures     `json:"turns,omitempty"` // where a request was of a conversation; by turn
	Goodput       *Goodput          `json:"goodput,omitempty"`
	Client        *Client           `json:"client,omitempty"`
	ErrorExamples map[string]string `json:"error_examples,omitempty"` // the first message of each class

	BundledShare Value `json:"bundled_event_share"` // of output events, whose exact time is not known
	// InnerBundledShare leaves out the last event of each answer.
	InnerBundledShare Value          `json:"bundled_inner_event_share"`
	Clocks            map[string]int `json:"clocks,omitempty"` // requests by the clock that timed them
	WarningsOfRun     []string       `json:"warnings,omitempty"`
	// Untrusted are those of the warnings for which the figures are not to be
	// trusted, ClientLimits those that say that the client was the bottleneck.
	Untrusted      []string `json:"untrusted,omitempty"`
	ClientLimits   []string `json:"client_bottleneck,omitempty"`
	StopReason     string   `json:"stop_reason,omitempty"`
	WorkloadSHA256 string   `json:"workload_sha256,omitempty"`
	// MadeAhead tells whether requests were ready when they were due.
	MadeAhead *MadeAhead `json:"made_ahead,omitempty"`
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
	Lateness         Stats `json:"lateness"`      // sent − intended: both that follow together; the cap and the set-up of connections are outside
	DispatchLateness Stats `json:"dispatch_lateness"`
	SendLateness     Stats `json:"send_lateness"`
	HopLateness      Stats `json:"hop_lateness"`    // of it: until the plugin had the request
	PluginLateness   Stats `json:"plugin_lateness"` // of it: the rest
	CapWait          Stats `json:"cap_wait"`        // in line for the open loop's concurrency cap
	ReadLag          Stats `json:"read_lag"`        // over all events
	Upload           Stats `json:"upload"`
	Connect          Stats `json:"connect"` // DNS, TCP and TLS together, of new connections
	RealTimeFactor   Stats `json:"real_time_factor"`
	AudioSeconds     Stats `json:"audio_duration_s"`
}

// Window says what was measured and what was left out.
type Window struct {
	Start     stamp.Nanos `json:"start_ns"`  // first send inside
	End       stamp.Nanos `json:"end_ns"`    // last completion inside
	Completed int         `json:"completed"` // between both: what throughputs are made of
	// Limit is when the run's time was over; completions after it count for
	// latency, not for throughput. 0: the run was not limited by time.
	Limit      stamp.Nanos `json:"limit_ns,omitempty"`
	RunStart   stamp.Nanos `json:"run_start_ns"`
	RunEnd     stamp.Nanos `json:"run_end_ns"`
	SendEnd    stamp.Nanos `json:"send_end_ns"`           // nothing was sent after it
	RampEnd    stamp.Nanos `json:"ramp_end_ns,omitempty"` // when all users had come or the rate was reached; 0: there was no ramp
	WarmedUp   int         `json:"warmup_requests"`       // first sent, left out
	CooledDown int         `json:"cooldown_requests"`     // last sent, left out
	AfterLimit int         `json:"completed_after_limit"`
	// Requests over the window's borders. Those over its start were sent before
	// it and completed in it: they count for throughput, and for latency unless
	// they are warm-up. Those over its end were sent in it and completed after:
	// they count for latency unless they are cool-down, not for throughput.
	StraddledStart int    `json:"straddled_start"`
	StraddledEnd   int    `json:"straddled_end"`
	Drained        int    `json:"drained"`                // completed after the sending had ended
	MissedSends    uint64 `json:"missed_sends,omitempty"` // due in the open loop and never sent: the client could not keep up
	// Arrivals of the open loop that found the concurrency cap reached: CapWaited
	// were sent when their turn came, CapUnsent still stood in line at the end.
	CapWaited uint64 `json:"cap_waited_requests,omitempty"`
	CapUnsent uint64 `json:"cap_unsent_requests,omitempty"`
	// Requests of a trace that were due before the one before them of their
	// session had ended: SessionWaited were sent then, SessionUnsent were still
	// held back at the end.
	SessionWaited uint64  `json:"session_waited_requests,omitempty"`
	SessionUnsent uint64  `json:"session_unsent_requests,omitempty"`
	AskedRate     float64 `json:"asked_rate,omitempty"`
	AchievedRate  float64 `json:"achieved_rate,omitempty"`
}

// ReferenceStyle are figures for comparison with the Python tool.
type ReferenceStyle struct {
	RunDuration       float64 `json:"run_duration"`
	RequestsPerSecond Value   `json:"requests_per_second"`
	OutputThroughput  Value   `json:"mean_output_throughput_tokens_per_s"`
	InputThroughput   Value   `json:"mean_input_throughput_tokens_per_s"`
}

// TaskRates are what a task's answers are counted in, a second of the window;
// null where the task has none of it.
type TaskRates struct {
	Inputs       Value `json:"inputs_per_second"` // texts or pictures embedded, documents ranked
	Images       Value `json:"images_per_second"`
	Characters   Value `json:"characters_per_second"` // spoken
	AudioBytes   Value `json:"audio_bytes_per_second"`
	AudioSeconds Value `json:"audio_seconds_per_second"` // of speech: how many listeners could be served
}

// MadeAhead is how the making of requests kept up with their sending.
type MadeAhead struct {
	Waited    uint64  `json:"waited_requests"` // that were not ready when their turn came
	WaitedFor float64 `json:"waited_s"`        // in all
	PeakBytes int     `json:"peak_bytes"`      // of requests made and not yet sent
}

// Client is what measuring cost this machine. Shares are of all its CPUs; null
// is not known on this system.
type Client struct {
	CPUs              int     `json:"cpus"`
	Seconds           float64 `json:"seconds"` // of the run
	CoreCPUSeconds    Value   `json:"core_cpu_seconds"`
	PluginCPUSeconds  Value   `json:"plugin_cpu_seconds"`
	MachineCPUShare   Value   `json:"machine_cpu_share"`     // mean, by every program on it
	MachineCPUBusiest Value   `json:"machine_cpu_share_max"` // of a second
	ThrottledSeconds  Value   `json:"cpu_throttled_seconds"` // by a limit of CPU time
	CorePeakRSSBytes  Value   `json:"core_peak_rss_bytes"`   // since this process began
}

// Run is what an aggregate needs besides the requests.
type Run struct {
	Task       backend.Task // "": not known
	Start, End stamp.Nanos  // of the run, drain included
	Limit      stamp.Nanos  // when its time was over; 0: not limited by time
	// SendEnd is when it stopped sending; 0: at the limit, or where there is
	// none at the end.
	SendEnd stamp.Nanos
	// Warmup and Cooldown are the requests, first and last sent, that the
	// statistics leave out.
	Warmup, Cooldown Cut
	// Sent is how many requests the load says it sent; 0: not known.
	Sent       uint64
	Objectives []Objective
}

// Cuts tells whether statistics leave anything out.
func (r Run) Cuts() bool { return r.Warmup != Cut{} || r.Cooldown != Cut{} }

// Compute makes the statistics of requests that are in memory, which it puts
// into the order of their sending, noting the phase of each. events adds up what
// single events tell; nil: nothing is known of them.
func Compute(run Run, requests []Request, events *EventStats) Aggregate {
	slices.SortStableFunc(requests, func(a, b Request) int { return cmp.Compare(a.Index, b.Index) })
	t := tableOf(requests)
	t.events = events
	a, err := t.Aggregate(run)
	if err != nil {
		panic(err) // memory can be written and read
	}
	for i := range requests {
		requests[i].Phase = t.phases[i].phase()
	}
	return a
}

// tableOf is a table in memory.
func tableOf(requests []Request) *Table {
	t := NewTable(NewMemory(), false)
	for i := range requests {
		if err := t.Add(&requests[i], nil); err != nil {
			panic(err) // memory can be written
		}
	}
	return t
}

// Aggregate makes the statistics of a run, a metric at a time.
func (t *Table) Aggregate(run Run) (Aggregate, error) {
	if err := t.flush(); err != nil {
		return Aggregate{}, err
	}
	a := t.tally.figures()
	a.Window = Window{RunStart: run.Start, RunEnd: run.End, SendEnd: run.sendEnd(), Limit: run.Limit}
	g := aggregation{Table: t, run: run, a: &a}
	for _, step := range []func() error{g.sort, g.phases, g.window, g.throughput, g.laws, g.forget, g.statistics, g.turns, g.eventStatistics} {
		if err := step(); err != nil {
			return a, err
		}
	}
	total := run.End.Sub(run.Start).Seconds()
	a.ReferenceStyle = ReferenceStyle{
		RunDuration:       total,
		RequestsPerSecond: ratio(Value(a.NumCompletedRequests), Value(total)),
		OutputThroughput:  ratio(a.Stats.OutputTokens.Sum, Value(total)),
		InputThroughput:   ratio(a.Stats.InputTokens.Sum, Value(total)),
	}
	return a, nil
}

// figures are the counts of all requests of a run by how they ended.
func (t *tally) figures() Aggregate {
	a := Aggregate{
		ErrorCodesFrequency: t.codes, ErrorClasses: t.errorClasses, ErrorExamples: t.messages, Clocks: t.clocks,
		NumCompletedRequests: t.completed, NumErrorRequests: t.errors, NumCancelledRequests: t.cancelled, NumAbortedRequests: t.aborted,
		NumRequests: t.completed + t.errors, Short: t.short,
		Tokens: t.truth.truth(),
	}
	n := None()
	a.TaskRates = TaskRates{n, n, n, n, n}
	if a.NumRequests > 0 {
		a.ErrorRate = Value(a.NumErrorRequests) / Value(a.NumRequests)
	}
	return a
}

// PythonTool computes a run's figures by the Python tool's own rules, for
// comparison and to read its folders: requests in the order of their
// completion, warm-up and cool-down cut by that order, tokens of what is left
// over the whole duration, requests per second of all.
func PythonTool(requests []Request, duration time.Duration, warmupRatio, cooldownRatio float64) Aggregate {
	t := tableOf(requests)
	a := t.tally.figures()
	g := aggregation{Table: t, run: Run{Warmup: Cut{Ratio: warmupRatio}, Cooldown: Cut{Ratio: cooldownRatio}}, a: &a}
	t.events = nil
	for _, step := range []func() error{t.flush, g.asAdded, g.phases, g.statistics, g.eventStatistics} {
		if err := step(); err != nil {
			panic(err) // memory can be written and read
		}
	}
	seconds := Value(duration.Seconds())
	a.RunDuration = duration.Seconds()
	a.RequestsPerSecond = ratio(Value(a.NumCompletedRequests), seconds)
	a.MeanInputThroughput = ratio(a.Stats.InputTokens.Sum, seconds)
	a.MeanOutputThroughput = ratio(a.Stats.OutputTokens.Sum, seconds)
	a.MeanTotalThroughput = ratio(a.Stats.TotalTokens.Sum, seconds)
	return a
}
