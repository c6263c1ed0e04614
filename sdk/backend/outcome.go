package backend

import (
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Status is how a request ended.
type Status uint8

// The numbers are those of the wire.
const (
	StatusUnspecified Status = iota
	StatusOK
	StatusError     // Outcome.Error says what
	StatusCancelled // the host cancelled it (stop, drain deadline)
	StatusAborted   // Request.Abort did its work
)

// String is the status's name in results.
func (s Status) String() string {
	switch s {
	case StatusOK:
		return "ok"
	case StatusError:
		return "error"
	case StatusCancelled:
		return "cancelled"
	case StatusAborted:
		return "aborted"
	}
	return "unspecified"
}

// Kinds is the set of things that one event carried. Real servers put several
// into one: vLLM's last content and its finish reason share a chunk.
type Kinds uint16

// The bits are those of the wire.
const (
	Role Kinds = 1 << iota
	Reasoning
	Text
	Tool
	Refusal
	Audio
	UsageReport
	FinishReason
	Other
)

// Output is any kind that counts as output of the model: the first event that
// has one of them is the first output (TTFT).
const Output = Reasoning | Text | Tool | Refusal | Audio

// NoChoice is the Choice of an event that names none.
const NoChoice = -1

// Event is one event of an answer's stream.
type Event struct {
	At      stamp.Nanos   // when its last byte was deliverable at the host
	ReadLag time.Duration // how much later user space had it
	Kinds   Kinds
	Flags   stamp.Flags
	Choice  int32  // index, or NoChoice
	Bytes   uint32 // of output text (or audio)
	Tokens  uint32 // of output, where the event says; 0: not said
}

// Usage is exactly what the provider reported. A nil field was not reported:
// absent is not zero.
type Usage struct {
	Input       *int64
	CachedInput *int64
	CacheWrite  *int64
	Output      *int64
	Reasoning   *int64
	AudioInput  *int64
	AudioOutput *int64
	Images      *int64
	Extra       map[string]float64 // billed units, search units, …
	Source      UsageSource
}

// Reported tells whether the provider reported anything.
func (u *Usage) Reported() bool { return u.Source != UsageNone }

// UsageSource says how the usage was reported.
type UsageSource uint8

// The numbers are those of the wire.
const (
	UsageNone       UsageSource = iota
	UsageFinal                  // once, at the end
	UsageCumulative             // a growing total with events; the last one counts
	UsagePerChunk               // per event, summed by the plugin
	UsageHeader                 // in response headers
)

// Finish is why a choice ended, in words common to all providers.
type Finish uint8

// The numbers are those of the wire.
const (
	FinishUnspecified   Finish = iota // none was given
	FinishStop                        // end of text or a stop sequence
	FinishLength                      // the token limit
	FinishTool                        // the model calls a tool
	FinishContentFilter               // cut by a filter
	FinishError                       // the provider says that generation failed
	FinishUnknown                     // a word that is not known; FinishRaw has it
)

// String is the reason's name in results; "" for none.
func (f Finish) String() string {
	return [...]string{"", "stop", "length", "tool", "content_filter", "error", "unknown"}[min(f, FinishUnknown)]
}

// Choice is one of the answers to a request.
type Choice struct {
	Finish    Finish
	FinishRaw string
	// The texts, only where Request.Want.Text asked for them.
	Text          string
	ReasoningText string
	ToolText      string
}

// Media is generated audio or pictures.
type Media struct {
	Bytes    int64
	Duration time.Duration // of audio; 0: not known
	Count    int32         // pictures, or audio files
}

// Vectors tells the shape of embeddings or scores.
type Vectors struct {
	Count      int32
	Dimensions int32
}

// Outcome is the end of one request. A failed request is an Outcome: it is
// never left out and never an RPC error.
type Outcome struct {
	Seq    uint64
	Status Status
	Error  *fault.Error // where Status is StatusError; also on Cancelled and Aborted, saying why

	Received stamp.Nanos // the plugin had read the request
	stamp.Exchange

	Events  []Event
	Usage   Usage
	Choices []Choice
	Media   *Media
	Vectors *Vectors

	ServerTimes   map[string]time.Duration // the provider's own: queue, inference, …
	ServerHeaders map[string]string        // an allow-list: request ids, rate-limit remainders, region
}

// Progress counts what happened since the Progress before.
type Progress struct {
	Started, FirstOutputs, Finished, Failed uint32
	InFlight                                uint32 // at this moment
	OutputEvents                            uint64
}
