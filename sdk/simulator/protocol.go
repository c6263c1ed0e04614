package simulator

import "net/http"

// Protocol is another provider's interface to the same engine: it reads that
// provider's requests and writes its answers, and the simulator does the rest.
// Timing, faults, the count of tokens and the Record are not its business.
//
// The package's documentation has a section on how to write one. Its methods are
// called concurrently.
type Protocol interface {
	// Match tells by method, URL and header whether a request is this
	// protocol's. Protocols are asked in the order of Config.Protocols, OpenAI's
	// routes come last.
	Match(r *http.Request) bool
	// Read verifies a request that matched (its signature, its token, its
	// required fields) and says what it asks for.
	Read(r *Request) Call
	// Error is an error answer in the provider's form: for Fault.Error, and for
	// what the simulator itself refuses (an unknown model, a prompt that is too
	// long). Retry-After is added by the simulator.
	Error(f Failure) Reply
	// Lacks lists what has no form in this protocol. A Fault that asks for it is
	// refused with status 400, and the conformance suite skips it with the reason.
	Lacks() []Lack
}

// Lack is something that a protocol has no form for.
type Lack struct {
	// What is a key of a Fault ("newline"), a key with a value ("usage=none"), or
	// one of
	//
	//	n                 several choices for one request
	//	usage.input, usage.output, usage.reasoning
	//	                  that number in reports of usage
	//	embed.usage, rerank.usage
	//	                  the report of usage with embeddings, with rerank
	What string
	// Only is "stream" or "whole" where the other form of answer has it.
	Only string
	Why  string // for who reads that a test was skipped
}

// Request is what a Protocol reads.
type Request struct {
	HTTP   *http.Request // its Body was read to the end
	Body   []byte
	Config Config // the server's; its APIKey is what Read may hold a key against
	// Arrival is the request's number, from 1: the seed of whatever is drawn.
	Arrival uint64
}

// Call is what a request asks for. Exactly one of Reply, OpenAI, Generate, Embed
// and Rerank is set.
type Call struct {
	// Reply is sent at once and as it is, whatever fault was asked for: a
	// refusal, a list of models, a token. Where it is no error the Record is
	// marked Aside.
	Reply *Reply
	// OpenAI is the path of an OpenAI route ("/v1/chat/completions") that
	// answers the request, for providers that took over OpenAI's bodies. Where
	// Model is set it replaces the body's. Authentication was Read's; errors are
	// in the form of Protocol.Error.
	OpenAI   string
	Generate *Generate
	Embed    *Embed
	Rerank   *Rerank

	// Model is held against Config.Models; "" where nobody names one.
	Model string
	// Credential is what Fault.EchoKey repeats; "": the bearer token or the
	// header Api-Key.
	Credential string
}

// Prompt is one message, document or text to embed.
type Prompt struct {
	Text   string
	Images int // each counts Config.ImageTokens
	Tokens int // besides those of Text: of token ids, for example
}

// Generate asks for generated text.
type Generate struct {
	// Prompts are the messages, for one answer. With Completion each is a prompt
	// of its own and Config.ChatTokensPerMessage is not added.
	Prompts    []Prompt
	Completion bool
	MaxTokens  int // 0: not given, Config.DefaultMaxTokens
	MinTokens  int
	IgnoreEOS  bool
	N          int // choices for each prompt; 0 is 1
	Seed       *int64
	Stream     bool
	// Usage says that usage was asked for. Only the Renderer looks at it.
	Usage bool
	// Renderer makes what writes the answer: once for each answer, and once more
	// for a rehearsal where the length must be known beforehand.
	Renderer func() Renderer
}

// Renderer writes one answer. Its methods are called by one goroutine: for a
// stream Start, then Tokens for each chunk, End, Terminate; else Whole alone. Each
// of them sends as many events as the provider would, with Answer.Send or
// Answer.SendSSE: several, or none.
type Renderer interface {
	// Finish spells a finish reason. reason is OpenAI's word (stop, length,
	// tool_calls, content_filter), or what Fault.Finish says. sent is what stands
	// in the answer, means the OpenAI word as which a client should understand
	// it; a reason that the renderer does not know goes out as it is, and means
	// itself.
	Finish(reason string) (sent, means string)
	// Head is the head of a stream; Body and Usage are not looked at.
	Head(a *Answer) Reply
	// Start comes before the first token, with Fault.First "early-role" and
	// "no-choices" as soon as the head is out.
	Start(a *Answer)
	// Tokens sends some tokens of one choice, and what belongs to its end.
	Tokens(a *Answer, t Tokens)
	// End sends what follows the last token of all choices, such as usage.
	End(a *Answer)
	// Terminate sends the mark of the end, where there is one; it is left out
	// with Fault.Cut "done".
	Terminate(a *Answer)
	// Fail sends an error within the stream, and what may follow it, and returns
	// the code as it stands there ("" where errors have none). Code is a status
	// ("500") or a word as in OpenAI's errors ("rate_limit_exceeded").
	Fail(a *Answer, f Failure) (code string)
	// Garbage sends what no client can read, with the kind Garbage: of kind
	// "json", something that is well framed but has no end, or "bytes".
	Garbage(a *Answer, kind string)
	// Comment sends what keeps a connection alive and means nothing.
	Comment(a *Answer)
	// Whole is the answer that does not stream; with Fault.StreamError an error
	// object in its place.
	Whole(a *Answer) Reply
}

// Tokens are some tokens of one choice.
type Tokens struct {
	Choice      int
	First, Last int // of the choice, from 1; none where Last is less than First
	// Kind is Text, Reasoning, Tool or Refusal.
	Kind Kinds
	// Opens: they are the first of their kind.
	Opens bool
	// Ends: they are the last of their choice, which ends for the reason Finish,
	// as Renderer.Finish spelt it.
	Ends   bool
	Finish string
	// Final: no choice has more to come.
	Final bool
}

// Count is how many they are.
func (t Tokens) Count() int { return max(0, t.Last-t.First+1) }

// Failure is an error to be told.
type Failure struct {
	Status  int    // of the answer; 0 within a stream
	Code    string // as asked for by the fault; "": what goes with the status
	Message string
}

// Reply is an answer that is known in whole.
type Reply struct {
	Status      int    // 0 is 200
	ContentType string // "" is application/json
	Header      http.Header
	Body        []byte
	Code        string // of an error: the code as it stands in the answer
	Usage       bool   // the answer reports usage
}

// Embed asks for vectors, one for each prompt.
type Embed struct {
	Prompts    []Prompt
	Dimensions int // 0 is Config.EmbeddingDimensions
	Render     func(v Vectors) Reply
}

// Vectors are the answer to Embed.
type Vectors struct {
	Vectors      [][]float32 // of length 1
	PromptTokens int
	Images       int
	Fault        Fault
}

// Rerank asks for the documents by relevance.
type Rerank struct {
	Query     string
	Documents []Prompt
	TopN      int // 0: all
	Render    func(r Ranking) Reply
}

// Ranking is the answer to Rerank, the most relevant document first.
type Ranking struct {
	Results      []Rank
	PromptTokens int
	Fault        Fault
}

// Rank is one document's place.
type Rank struct {
	Index int     // of the document in the request
	Score float64 // 0 to 1
}
