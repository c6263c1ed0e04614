package backend

import (
	"encoding/json"
	"time"

	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// Request is one request as core means it; how the provider is told is the
// plugin's business. Exactly one of the pointers Chat … Speech is set. A
// Request and all that it points to is read-only: texts and images may be
// shared between requests.
type Request struct {
	Seq  uint64 // unique in the life of a worker process
	Task Task
	ID   string // goes out as X-Request-Id where the provider lets it

	// StartAt is when the request's first byte should be sent, up to a second
	// ahead; 0 is now. Whoever drives the backend over the contract (the sdk)
	// gets the request to Do early, and Do hands the time to its transport,
	// which makes the connection ready first and then waits.
	StartAt stamp.Nanos
	// Timeout bounds the request from its sending to its last byte; 0: none.
	Timeout time.Duration

	Model  string          // overrides the model of Open where not empty
	Params json.RawMessage // a JSON object merged last into the body; may be nil
	Header []HeaderField   // sent besides the plugin's own

	// FixOutputLength asks that the answer have exactly MaxTokens tokens,
	// whatever the model would have said (ignore_eos, min_tokens).
	FixOutputLength bool

	// ConnectionKey asks that requests of the same key share a connection;
	// FreshConnection that this one has a new connection.
	ConnectionKey   string
	FreshConnection bool

	Abort Abort
	Want  Want

	Chat       *Chat
	Completion *Completion
	Embed      *Embed
	Rerank     *Rerank
	Image      *ImageGeneration
	Speech     *Speech
}

// Kind tells which of the forms is set; "" where none is.
func (r *Request) Kind() Kind {
	switch {
	case r.Chat != nil:
		return KindChat
	case r.Completion != nil:
		return KindCompletion
	case r.Embed != nil:
		return KindEmbed
	case r.Rerank != nil:
		return KindRerank
	case r.Image != nil:
		return KindImage
	case r.Speech != nil:
		return KindSpeech
	}
	return ""
}

// HeaderField is one header line.
type HeaderField struct{ Name, Value string }

// Abort is a deliberate abort by the client: whichever comes first. The zero
// value never aborts.
type Abort struct {
	AfterEvents uint32        // after so many output events
	After       time.Duration // so long after the send
}

// Want says what the outcome shall carry besides times and usage.
type Want struct {
	Events bool // one entry per event of the stream
	Text   bool // the text of every choice
}

// Chat is a conversation to be answered.
type Chat struct {
	Messages  []Message
	MaxTokens uint32 // 0: not limited
	Stop      []string
	Stream    bool
}

// Message is one turn of a Chat.
type Message struct {
	Role  string // "system", "user", "assistant", "tool"
	Parts []Part // adjacent text parts are one string on the wire
}

// Part is a piece of a message: text, or one image.
type Part struct {
	Text  string
	Image *Image
}

// Image is a picture, either by its bytes or by an address that the provider
// fetches.
type Image struct {
	Bytes []byte
	MIME  string // of Bytes, "image/jpeg"
	URL   string // http(s) or data URL, passed through
}

// TextOf returns the message's text parts as one string.
func (m Message) TextOf() string {
	if len(m.Parts) == 1 {
		return m.Parts[0].Text
	}
	n := 0
	for _, p := range m.Parts {
		n += len(p.Text)
	}
	b := make([]byte, 0, n)
	for _, p := range m.Parts {
		b = append(b, p.Text...)
	}
	return string(b)
}

// HasImages tells whether any part is an image.
func (m Message) HasImages() bool {
	for _, p := range m.Parts {
		if p.Image != nil {
			return true
		}
	}
	return false
}

// UserText makes the most common message.
func UserText(text string) Message {
	return Message{Role: "user", Parts: []Part{{Text: text}}}
}

// Completion is a text to be continued: by text or by token ids.
type Completion struct {
	Prompt    string
	TokenIDs  []uint32 // instead of Prompt where not empty
	MaxTokens uint32   // 0: not limited
	Stop      []string
	Stream    bool
}

// Embed asks for vectors of texts or of images.
type Embed struct {
	Inputs     []string
	Images     []Image
	InputType  string // provider's word, e.g. "search_document"; "" is its default
	Dimensions uint32 // 0: the model's own
}

// Rerank asks for the order of documents by relevance to a query.
type Rerank struct {
	Query     string
	Documents []string
	TopN      uint32 // 0: all
}

// ImageGeneration asks for pictures.
type ImageGeneration struct {
	Prompt        string
	N             uint32 // at least 1
	Width, Height uint32 // pixels; 0: the provider's default
}

// Speech asks for spoken text.
type Speech struct {
	Text   string
	Voice  string
	Format string // "mp3", "wav", …; "" is the provider's default
}
