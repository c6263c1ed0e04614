package backend

import (
	"context"
	"errors"
	"time"

	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Recorder takes down one request's story and makes its Outcome. It belongs to
// one Do call and is not safe for concurrent use.
type Recorder struct {
	out      Outcome
	want     Want
	abort    Abort
	outputs  uint32
	texts    []choiceText // by choice, only where the text is wanted
	progress func(Kinds)
	stop     context.CancelCauseFunc
	failed   bool
	aborted  bool
}

// ErrAborted is the cause of the context's end where Request.Abort ended it.
var ErrAborted = errors.New("aborted by the client on purpose")

// NewRecorder returns a recorder for one request. progress, which may be nil,
// is told the kinds of each event; stop, which may be nil, ends the request's
// context when Request.Abort asks for it.
func NewRecorder(request *Request, received stamp.Nanos, progress func(Kinds), stop context.CancelCauseFunc) *Recorder {
	r := &Recorder{
		out:      Outcome{Seq: request.Seq, Received: received},
		want:     request.Want,
		abort:    request.Abort,
		progress: progress,
		stop:     stop,
	}
	r.out.Retransmits = -1
	return r
}

// Exchange records what the transport knows. It is called when the answer has
// been read, or has failed.
func (r *Recorder) Exchange(x stamp.Exchange) { r.out.Exchange = x }

// EventText is what an event said. The bytes are copied where the text is
// wanted and are not kept.
type EventText struct {
	Text, Reasoning, Tool []byte
}

type choiceText struct{ text, reasoning, tool []byte }

// Event records one event: what it carried, for which choice, how many output
// tokens it says to hold (0: it does not say) and when it arrived.
func (r *Recorder) Event(kinds Kinds, choice int, at stamp.Arrival, tokens int, text EventText) {
	size := len(text.Text) + len(text.Reasoning) + len(text.Tool)
	if r.want.Events {
		r.out.Events = append(r.out.Events, Event{
			At: at.At, ReadLag: at.Read.Sub(at.At), Kinds: kinds, Flags: at.Flags,
			Choice: int32(choice), Bytes: uint32(size), Tokens: uint32(tokens),
		})
	}
	if r.want.Text && size > 0 {
		r.choice(choice)
		for len(r.texts) < len(r.out.Choices) {
			r.texts = append(r.texts, choiceText{})
		}
		t := &r.texts[boundedIndex(choice)]
		t.text = append(t.text, text.Text...)
		t.reasoning = append(t.reasoning, text.Reasoning...)
		t.tool = append(t.tool, text.Tool...)
	}
	if r.progress != nil {
		r.progress(kinds)
	}
	if kinds&Output != 0 {
		r.outputs++
		if r.abort.AfterEvents != 0 && r.outputs == r.abort.AfterEvents {
			r.aborted = true
			if r.stop != nil {
				r.stop(ErrAborted)
			}
		}
	}
}

// Outputs is how many events with output were recorded so far.
func (r *Recorder) Outputs() int { return int(r.outputs) }

// Usage records the provider's token counts; the last call counts.
func (r *Recorder) Usage(u Usage) { r.out.Usage = u }

// Finish records why a choice ended.
func (r *Recorder) Finish(choice int, finish Finish, raw string) {
	c := r.choice(choice)
	c.Finish, c.FinishRaw = finish, raw
}

// boundedIndex keeps a hostile index from deciding how much memory is taken.
func boundedIndex(index int) int {
	const choicesMax = 1024
	return min(max(index, 0), choicesMax-1)
}

func (r *Recorder) choice(index int) *Choice {
	index = boundedIndex(index)
	for len(r.out.Choices) <= index {
		r.out.Choices = append(r.out.Choices, Choice{})
	}
	return &r.out.Choices[index]
}

// Media records generated audio or pictures.
func (r *Recorder) Media(m Media) { r.out.Media = &m }

// Vectors records the shape of embeddings or scores.
func (r *Recorder) Vectors(v Vectors) { r.out.Vectors = &v }

// ServerTime records a duration that the provider reports of itself.
func (r *Recorder) ServerTime(name string, d time.Duration) {
	if r.out.ServerTimes == nil {
		r.out.ServerTimes = make(map[string]time.Duration)
	}
	r.out.ServerTimes[name] = d
}

// ServerHeader records a response header of the allow-list.
func (r *Recorder) ServerHeader(name, value string) {
	if r.out.ServerHeaders == nil {
		r.out.ServerHeaders = make(map[string]string)
	}
	r.out.ServerHeaders[name] = value
}

// Fail records that the request failed; the first call counts, because what
// follows a failure is its consequence.
func (r *Recorder) Fail(e *fault.Error) {
	if r.failed {
		return
	}
	r.failed = true
	e.Message = fault.Clip(e.Message)
	e.Partial = e.Partial || r.outputs > 0
	r.out.Error = e
}

// Failed tells whether Fail was called.
func (r *Recorder) Failed() bool { return r.failed }

// Outcome ends the recording. ctx is the request's: where it was cancelled,
// a failure is a cancellation or a deliberate abort.
func (r *Recorder) Outcome(ctx context.Context) *Outcome {
	out := &r.out
	cause := context.Cause(ctx)
	switch {
	case r.aborted || errors.Is(cause, ErrAborted):
		out.Status = StatusAborted
		if out.Error == nil {
			out.Error = fault.New(fault.Cancelled, "%v", ErrAborted)
		}
		out.Error.Class = fault.Cancelled
	case !r.failed:
		out.Status = StatusOK
	case errors.Is(cause, context.Canceled):
		out.Status = StatusCancelled
		out.Error.Class = fault.Cancelled
	default:
		out.Status = StatusError
	}
	for i, t := range r.texts {
		c := &out.Choices[i]
		c.Text, c.ReasoningText, c.ToolText = string(t.text), string(t.reasoning), string(t.tool)
	}
	taken := r.out
	return &taken
}
