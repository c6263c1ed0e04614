package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
)

// Format is one of the forms that chat has in OCI.
type Format string

// The values of "apiFormat".
const (
	Cohere   Format = "COHERE"   // Command R and its like: one "message" and a history
	CohereV2 Format = "COHEREV2" // Command A and its like: "messages"
	Generic  Format = "GENERIC"  // Llama, Grok, OpenAI's and other models
)

// Paths below the address.
const (
	PathChat   = "/20231130/actions/chat"
	PathEmbed  = "/20231130/actions/embedText"
	PathRerank = "/20231130/actions/rerankText"
)

// Names of fields that more than one place knows.
const (
	fieldCompartment = "compartmentId"
	fieldServingMode = "servingMode"
	fieldServingType = "servingType"
	fieldEndpoint    = "endpointId"
	fieldChatRequest = "chatRequest"
	fieldStream      = "isStream"
	fieldMaxTokens   = "maxTokens"
	fieldMaxOutput   = "maxCompletionTokens"
	fieldMessage     = "message"
	fieldMessages    = "messages"
	fieldHistory     = "chatHistory"
	fieldSystem      = "systemMessage"
	fieldPreamble    = "preambleOverride"
	fieldUsageOption = "streamOptions"
)

// defaults are the sampling parameters that the reference tool sends where the
// user says nothing; that of topK and topP, which it swaps in the first format,
// the right way round.
var defaults = map[Format]string{
	Cohere:   `{"temperature":0.1,"topP":0.75,"topK":0,"frequencyPenalty":0,"presencePenalty":0}`,
	CohereV2: `{"temperature":0.1,"topP":0,"topK":0,"frequencyPenalty":0,"presencePenalty":0}`,
	Generic:  `{"temperature":0.75,"topP":0.7,"topK":1,"numGenerations":1}`,
}

// Serving is what answers: a model on shared hardware, or an endpoint of one's
// own, which decides about the model.
type Serving struct {
	Dedicated bool
	Endpoint  string // OCID, where Dedicated
}

// Settings are what all bodies of a run share.
type Settings struct {
	Format      Format
	Compartment string
	Serving     Serving
	Model       string
	Params      map[string]json.RawMessage // of ParseParams
}

// Builder makes the bodies of requests. It is immutable.
type Builder struct {
	settings Settings
	chat     [2]chatTemplate // whole, stream
	beside   []byte          // parameters of embeddings and rerank: members with a comma before each
	given    map[string]bool // names in Params that are not null
	nulled   map[string]bool // names in Params that are null
}

// chatTemplate is a chatRequest without what differs between requests.
type chatTemplate struct {
	fixed  []byte          // members with commas between
	has    map[string]bool // names in fixed
	stream bool
	before []json.RawMessage // messages of the parameters chatHistory and systemMessage
}

// Body is one request as it is sent.
type Body struct {
	Path   string
	JSON   []byte
	Stream bool // a stream was asked for
}

// NewBuilder makes a builder.
func NewBuilder(s Settings) *Builder {
	b := &Builder{settings: s, given: map[string]bool{}, nulled: map[string]bool{}}
	own := object{}
	for name, value := range s.Params {
		if isNull(value) {
			b.nulled[name] = true
		} else {
			b.given[name] = true
		}
		switch name {
		case fieldCompartment, fieldServingType, fieldEndpoint, fieldServingMode:
		default:
			own[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !isNull(own[name]) && name != fieldChatRequest {
			b.beside = appendMember(append(b.beside, ','), name, own[name])
		}
	}
	for i := range b.chat {
		b.chat[i] = s.chatTemplate(own, i == 1)
	}
	return b
}

// aliases are names of other APIs for a format's fields, in OCI's way of
// spelling.
func (f Format) aliases() map[string]string {
	switch f {
	case Cohere:
		return map[string]string{"stream": fieldStream, "stop": "stopSequences"}
	case CohereV2:
		return map[string]string{"stream": fieldStream, "stop": "stopSequences", "toolChoice": "toolsChoice"}
	}
	return map[string]string{"stream": fieldStream, "stopSequences": "stop", "n": "numGenerations"}
}

func (s Settings) chatTemplate(params object, stream bool) chatTemplate {
	users := object{}
	aliases := s.Format.aliases()
	for name, value := range params {
		if better, ok := aliases[name]; ok {
			if _, taken := params[better]; taken {
				continue
			}
			name = better
		}
		users[name] = value
	}
	if nested, ok := users[fieldChatRequest]; ok {
		delete(users, fieldChatRequest)
		var o object
		if json.Unmarshal(nested, &o) == nil {
			maps.Copy(users, o)
		}
	}
	fields := object{}
	if err := json.Unmarshal([]byte(defaults[s.Format]), &fields); err != nil {
		panic(err) // a constant
	}
	fields["apiFormat"] = quoted(string(s.Format))
	if asked, ok := users[fieldStream]; ok && !isNull(asked) {
		stream = string(asked) == "true"
		delete(users, fieldStream)
	}
	fields[fieldStream] = json.RawMessage("false")
	if stream {
		fields[fieldStream] = json.RawMessage("true")
		fields[fieldUsageOption] = json.RawMessage(`{"isIncludeUsage":true}`)
	} else {
		delete(users, fieldUsageOption) // it means nothing without a stream
	}
	t := chatTemplate{stream: stream}
	if s.Format != Cohere {
		t.before = s.Format.turns(users)
		delete(users, fieldHistory)
		delete(users, fieldSystem)
	} else if system, ok := users[fieldSystem]; ok {
		delete(users, fieldSystem)
		if _, taken := users[fieldPreamble]; !taken {
			users[fieldPreamble] = system
		}
	}
	removed := map[string]bool{}
	for name, value := range users {
		if isNull(value) {
			removed[name] = true // what a request would bring itself is left out too
		}
	}
	overlay(fields, users)
	t.has = removed
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if t.fixed != nil {
			t.fixed = append(t.fixed, ',')
		}
		t.fixed = appendMember(t.fixed, name, fields[name])
		t.has[name] = true
	}
	if t.has[fieldMaxOutput] {
		t.has[fieldMaxTokens] = true // one of the two bounds the answer
	}
	return t
}

// Build makes the body of a request.
func (b *Builder) Build(dst []byte, r *backend.Request) (Body, *fault.Error) {
	if len(r.Params) > 0 {
		own, err := ParseParams(r.Params)
		if err != nil {
			return Body{}, fault.New(fault.InvalidRequest, "the request's parameters: %v", err)
		}
		s := b.settings
		s.Params = maps.Clone(s.Params)
		if s.Params == nil {
			s.Params = object{}
		}
		for name, value := range own {
			if mine, ok := s.Params[name]; ok && !isNull(value) {
				value = merge(mine, value)
			}
			s.Params[name] = value
		}
		b = NewBuilder(s)
	}
	start := len(dst)
	dst = b.head(append(dst, '{'), r.Model)
	body := Body{}
	var failure *fault.Error
	switch {
	case r.Chat != nil:
		body.Path = PathChat
		t := &b.chat[0]
		if r.Chat.Stream {
			t = &b.chat[1]
		}
		body.Stream = t.stream
		dst, failure = b.appendChat(dst, t, r.Chat)
	case r.Embed != nil:
		body.Path = PathEmbed
		dst, failure = b.appendEmbed(dst, r.Embed)
	case r.Rerank != nil:
		body.Path = PathRerank
		dst = b.appendRerank(dst, r.Rerank)
	default:
		failure = fault.New(fault.InvalidRequest, "this API has no requests of the kind %q", r.Kind())
	}
	body.JSON = append(dst, '}')[start:]
	return body, failure
}

// Question is a body that names who asks and what for, but asks for nothing: it
// shows whether OCI knows the caller and the model, and costs nothing.
func (b *Builder) Question(path string) Body {
	return Body{Path: path, JSON: append(b.head([]byte{'{'}, ""), '}')}
}

// head appends what every body begins with.
func (b *Builder) head(dst []byte, model string) []byte {
	s := &b.settings
	if model == "" {
		model = s.Model
	}
	compartment := s.Params[fieldCompartment]
	if len(compartment) == 0 || isNull(compartment) {
		compartment = quoted(s.Compartment)
	}
	dst = appendMember(dst, fieldCompartment, compartment)
	dst = append(dst, `,"servingMode":`...)
	if mode := s.Params[fieldServingMode]; len(mode) > 0 && !isNull(mode) {
		return append(dst, mode...)
	}
	if s.Serving.Dedicated {
		dst = append(dst, `{"servingType":"DEDICATED","endpointId":`...)
		dst = appendString(dst, s.Serving.Endpoint)
	} else {
		dst = append(dst, `{"servingType":"ON_DEMAND","modelId":`...)
		dst = appendString(dst, model)
	}
	return append(dst, '}')
}

func (b *Builder) appendChat(dst []byte, t *chatTemplate, chat *backend.Chat) ([]byte, *fault.Error) {
	dst = append(dst, `,"chatRequest":{`...)
	dst = append(dst, t.fixed...)
	var failure *fault.Error
	if b.settings.Format == Cohere {
		dst, failure = appendMessage(dst, t, chat)
	} else {
		dst, failure = appendMessages(dst, t, chat, b.settings.Format)
	}
	if chat.MaxTokens > 0 && !t.has[fieldMaxTokens] {
		dst = append(dst, `,"maxTokens":`...)
		dst = appendUint(dst, chat.MaxTokens)
	}
	stop := "stopSequences"
	if b.settings.Format == Generic {
		stop = "stop"
	}
	if len(chat.Stop) > 0 && !t.has[stop] {
		dst = appendMember(append(dst, ','), stop, nil)
		dst = appendStrings(dst, chat.Stop)
	}
	return append(dst, '}'), failure
}

// inputImage is the input type of pictures.
const inputImage = "IMAGE"

func (b *Builder) appendEmbed(dst []byte, e *backend.Embed) ([]byte, *fault.Error) {
	kind := "SEARCH_DOCUMENT"
	switch {
	case len(e.Images) > 1:
		failure := fault.New(fault.InvalidRequest, "OCI embeds one picture per request, and this one has %d", len(e.Images))
		failure.Hint = "use --batch-size 1"
		return dst, failure
	case len(e.Images) == 1 && len(e.Inputs) > 0:
		return dst, fault.New(fault.InvalidRequest, "OCI embeds either texts or a picture in a request, not both")
	case len(e.Images) == 1:
		kind = inputImage
	case e.InputType != "":
		kind = string(bytes.ToUpper([]byte(e.InputType)))
	}
	if !b.given["inputs"] && !b.given["embedContents"] {
		dst = append(dst, `,"inputs":`...)
		if len(e.Images) == 1 {
			dst = append(dst, '[')
			dst = append(appendImageURL(dst, &e.Images[0]), ']')
		} else {
			dst = appendStrings(dst, e.Inputs)
		}
	}
	missing := func(name string) bool { return !b.given[name] && !b.nulled[name] }
	if missing("inputType") {
		dst = appendMember(append(dst, ','), "inputType", quoted(kind))
	}
	if missing("truncate") {
		dst = append(dst, `,"truncate":"NONE"`...)
	}
	if e.Dimensions > 0 && missing("outputDimensions") {
		dst = append(dst, `,"outputDimensions":`...)
		dst = appendUint(dst, e.Dimensions)
	}
	return append(dst, b.beside...), nil
}

func (b *Builder) appendRerank(dst []byte, r *backend.Rerank) []byte {
	if !b.given["input"] {
		dst = append(dst, `,"input":`...)
		dst = appendString(dst, r.Query)
	}
	if !b.given["documents"] {
		dst = append(dst, `,"documents":`...)
		dst = appendStrings(dst, r.Documents)
	}
	if r.TopN > 0 && !b.given["topN"] && !b.nulled["topN"] {
		dst = append(dst, `,"topN":`...)
		dst = appendUint(dst, r.TopN)
	}
	return append(dst, b.beside...)
}
