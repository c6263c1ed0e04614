package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"math/bits"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Record is the truth about one request. All moments are on CLOCK_MONOTONIC; 0
// is "did not happen". A Record that a Server hands out does not change and is
// read-only.
type Record struct {
	Index   uint64 `json:"index"`   // in the order of ending, from 1
	Arrival uint64 `json:"arrival"` // in the order of arrival, from 1
	ID      string `json:"id"`      // X-Request-Id, else the server's own, which its answer carries

	Protocol      string `json:"protocol"` // "HTTP/1.1", "HTTP/2.0"
	Exact         bool   `json:"exact"`    // After is the end of the write itself
	Method        string `json:"method"`
	Path          string `json:"path"`
	Remote        string `json:"remote"`
	Connection    uint64 `json:"connection,omitempty"`     // number of the connection; 0: not known (HTTP/2)
	ConnectionUse int    `json:"connection_use,omitempty"` // 1 is its first request

	Model  string `json:"model,omitempty"`
	Stream bool   `json:"stream,omitempty"`
	Fault  string `json:"fault,omitempty"`
	Status int    `json:"status"` // sent; 0: none was
	End    End    `json:"end"`
	// ErrorCode is the code of the error that was sent, as it stands in the
	// answer; "" where it has none.
	ErrorCode string `json:"error_code,omitempty"`
	// Aside: a Protocol answered without the engine (a token, a list of models).
	Aside bool `json:"aside,omitempty"`

	PromptTokens    int      `json:"prompt_tokens,omitempty"`
	CachedTokens    int      `json:"cached_tokens,omitempty"`    // of these, found in the prefix cache
	OutputTokens    int      `json:"output_tokens,omitempty"`    // sent, over all choices
	ReasoningTokens int      `json:"reasoning_tokens,omitempty"` // of these
	UsageSent       bool     `json:"usage_sent,omitempty"`
	Choices         []Choice `json:"choices,omitempty"`

	Accepted stamp.Nanos `json:"accepted,omitempty"` // the connection
	// RequestReceived is when the kernel received the request's first bytes, by
	// the socket's own stamp and however late they were read; RequestStart is when
	// this server had read them. Over HTTP/1.1 only, the former on Linux. Where
	// several segments waited together it is the last one's.
	RequestReceived stamp.Nanos `json:"request_received,omitempty"`
	RequestStart    stamp.Nanos `json:"request_start,omitempty"`
	HeadRead        stamp.Nanos `json:"head_read"`
	BodyRead        stamp.Nanos `json:"body_read,omitempty"`
	Queued          stamp.Nanos `json:"queued,omitempty"` // handed to the engine
	// As the engine scheduled them: the first choice's admission, the end of the
	// last prompt's prefill, the last token of all.
	Admitted  stamp.Nanos `json:"admitted,omitempty"`
	Prefilled stamp.Nanos `json:"prefilled,omitempty"`
	Decoded   stamp.Nanos `json:"decoded,omitempty"`
	// Spread is how long after the engine made them the tokens of the first choice
	// were due to leave (Config.SpreadTokens).
	Spread time.Duration `json:"spread_ns,omitempty"`
	Ended  stamp.Nanos   `json:"ended"` // nothing more was done for the request

	RequestBytes  int64   `json:"request_bytes"` // body
	ResponseBytes int64   `json:"response_bytes"`
	Writes        []Write `json:"writes"`
	Events        []Event `json:"events"`

	// With Config.KeepBodies. The header has no credentials. Prompts are the texts
	// as they were read from the body.
	Header  http.Header `json:"header,omitempty"`
	Body    []byte      `json:"body,omitempty"`
	Prompts []string    `json:"prompts,omitempty"`
}

// End says how a request ended.
type End string

// The ways a request can end.
const (
	EndComplete   End = "complete"    // everything was sent, faults included that leave the body whole
	EndCut        End = "cut"         // the server broke off, because a fault said so
	EndClientGone End = "client_gone" // the client closed the connection or reset the stream
)

// Choice is the truth about one of the answers: what was sent of it.
type Choice struct {
	Text      string `json:"text,omitempty"`
	Reasoning string `json:"reasoning,omitempty"`
	Tool      string `json:"tool,omitempty"`
	Refusal   string `json:"refusal,omitempty"`
	Finish    string `json:"finish,omitempty"` // as it was sent; "": none was
	Reason    string `json:"reason,omitempty"` // what Finish means, in OpenAI's words
	Tokens    int    `json:"tokens"`
}

// Write is one write to the connection.
type Write struct {
	Before stamp.Nanos `json:"before"`
	After  stamp.Nanos `json:"after"`
	Offset int64       `json:"offset"` // of its first byte in the body, before any framing
	Bytes  int         `json:"bytes"`  // of the body; 0: only the head, or the mark of the body's end
	// Queued: the kernel had not sent all of it by After, because a window was
	// full or because it paces what it sends (BBR). When it left is not known.
	Queued bool `json:"queued,omitempty"`
}

// Event is one piece of the answer that means something.
type Event struct {
	Kinds  Kinds `json:"kinds"`
	Choice int   `json:"choice"` // index, or -1
	Tokens int   `json:"tokens,omitempty"`
	Offset int64 `json:"offset"`
	Bytes  int   `json:"bytes"` // with the blank line that ends it
	// Write is the index in Record.Writes of the write that completed the event:
	// the one with its last byte or, where lines end in CR LF, with the carriage
	// return before it, since what follows cannot change the event any more.
	Write int `json:"write"`
}

// Kinds says what an event is. The low bits are those of backend.Kinds.
type Kinds uint16

// Kinds beyond those of sdk/backend.
const (
	Head     Kinds = 1 << (iota + 9) // status line and header
	Done                             // the mark of the end: data: [DONE]
	Comment                          // a comment line
	Error                            // an error object
	Garbage                          // what no client can read
	Body                             // a body that is no stream
	LastByte                         // the end of the response
)

// Backend returns the kinds that a client should see.
func (k Kinds) Backend() backend.Kinds { return backend.Kinds(k & (1<<9 - 1)) }

func kindNames() [16]string {
	return [16]string{
		"role", "reasoning", "text", "tool", "refusal", "audio", "usage", "finish", "other",
		"head", "done", "comment", "error", "garbage", "body", "end",
	}
}

// String joins the names of the kinds with "+".
func (k Kinds) String() string {
	names := kindNames()
	parts := make([]string, 0, bits.OnesCount16(uint16(k)))
	for i, name := range names {
		if k>>i&1 == 1 {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, "+")
}

// MarshalText writes String.
func (k Kinds) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads String.
func (k *Kinds) UnmarshalText(text []byte) error {
	*k = 0
	for _, word := range strings.Split(string(text), "+") {
		found := word == ""
		for i, name := range kindNames() {
			if name == word {
				*k |= 1 << i
				found = true
			}
		}
		if !found {
			return fmt.Errorf("no kind of event is named %q", word)
		}
	}
	return nil
}

// Interval returns when the write that completed the event began and ended. The
// event may have left later where the Write says Queued.
func (r *Record) Interval(e Event) (before, after stamp.Nanos) {
	w := r.Writes[e.Write]
	return w.Before, w.After
}

// First returns the first event that has any of the kinds.
func (r *Record) First(kinds Kinds) (Event, bool) {
	for _, e := range r.Events {
		if e.Kinds&kinds != 0 {
			return e, true
		}
	}
	return Event{}, false
}

// Last returns the last event that has any of the kinds.
func (r *Record) Last(kinds Kinds) (Event, bool) {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if r.Events[i].Kinds&kinds != 0 {
			return r.Events[i], true
		}
	}
	return Event{}, false
}

// journal remembers finished requests.
type journal struct {
	mu      sync.Mutex
	limit   int
	last    uint64    // index of the newest record
	records []*Record // a ring once it is full: index i lies at (i-1) % limit
	byID    map[string][]*Record
	changed chan struct{} // closed and replaced at every new record
}

func newJournal(limit int) *journal {
	return &journal{limit: limit, byID: make(map[string][]*Record), changed: make(chan struct{})}
}

func (j *journal) add(r *Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	r.Index = j.last
	if len(j.records) < j.limit {
		j.records = append(j.records, r)
	} else {
		slot := &j.records[(r.Index-1)%uint64(j.limit)]
		old := *slot
		*slot = r
		if same := j.byID[old.ID]; len(same) > 1 {
			j.byID[old.ID] = same[1:] // the oldest of an id comes first
		} else {
			delete(j.byID, old.ID)
		}
	}
	j.byID[r.ID] = append(j.byID[r.ID], r)
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) truth(id string) []*Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]*Record(nil), j.byID[id]...)
}

func (j *journal) since(index uint64) []*Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	oldest := j.last - uint64(len(j.records)) + 1
	var found []*Record
	for i := max(index, oldest); i <= j.last && i > 0; i++ {
		found = append(found, j.records[(i-1)%uint64(j.limit)])
	}
	return found
}

// await returns the records of an id as soon as there is one.
func (j *journal) await(ctx context.Context, id string) ([]*Record, error) {
	for {
		j.mu.Lock()
		changed := j.changed
		found := append([]*Record(nil), j.byID[id]...)
		j.mu.Unlock()
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("simulator: no request %q has ended: %w", id, context.Cause(ctx))
		}
	}
}

// serveRecords writes the records from since on as JSON lines.
func encodeRecords(records []*Record) ([]byte, error) {
	var out []byte
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("simulator: record of %q: %w", r.ID, err)
		}
		out = append(append(out, line...), '\n')
	}
	return out, nil
}
