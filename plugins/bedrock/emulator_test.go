package main

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// emulator is the Amazon Bedrock runtime in front of the simulator's engine. It
// verifies what it receives: signature or bearer token, paths, content types,
// and that bodies have only fields of the API. It follows the Amazon Bedrock
// API reference (Converse, ConverseStream, InvokeModel,
// InvokeModelWithResponseStream, CountTokens) and, for bodies of Anthropic and of
// Cohere Embed, the user guide.
type emulator struct {
	// keys verify signatures; nil: requests come with a bearer token.
	keys *verifier
}

var _ simulator.Protocol = (*emulator)(nil)

// Match implements simulator.Protocol.
func (*emulator) Match(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/model/") }

// Read implements simulator.Protocol.
func (e *emulator) Read(r *simulator.Request) simulator.Call {
	call := e.read(r)
	if e.keys != nil {
		call.Credential = r.HTTP.Header.Get("Authorization") + " " + e.keys.token
	}
	return call
}

func (e *emulator) read(r *simulator.Request) simulator.Call {
	if refused := e.authorize(r); refused != nil {
		return refuse(403, refused.code, refused.message)
	}
	rest := strings.TrimPrefix(r.HTTP.URL.EscapedPath(), "/model/")
	label, op, _ := strings.Cut(rest, "/") // a slash within the id comes escaped
	model, err := url.PathUnescape(label)
	if err != nil || strings.ContainsAny(label, ":/") {
		return refuse(404, "UnknownOperationException", "")
	}
	if r.HTTP.Method != http.MethodPost || r.HTTP.Header.Get("Content-Type") != "application/json" {
		return refuse(415, "UnsupportedMediaTypeException", "Unsupported media type")
	}
	if v := r.HTTP.Header.Get("Accept-Encoding"); v != "identity" {
		return refuse(400, "ValidationException", "this emulator does not compress: "+v)
	}
	var asked simulator.Call
	switch operation(op) {
	case opCountTokens:
		return countTokens(r, model)
	case opConverse:
		asked = readConverse(r, false)
	case opConverseStream:
		asked = readConverse(r, true)
	case opInvoke:
		if accept := r.HTTP.Header.Get("Accept"); accept != "application/json" {
			return refuse(400, "ValidationException", "accept: "+accept)
		}
		asked = readInvoke(r, false)
	case opInvokeStream:
		if accept := r.HTTP.Header.Get("X-Amzn-Bedrock-Accept"); accept != "application/json" {
			return refuse(400, "ValidationException", "x-amzn-bedrock-accept: "+accept)
		}
		asked = readInvoke(r, true)
	default:
		return refuse(404, "UnknownOperationException", "")
	}
	asked.Model = model
	return asked
}

// authorize is what AWS's front door does.
func (e *emulator) authorize(r *simulator.Request) *refusal {
	if e.keys != nil {
		return e.keys.verify(r.HTTP.Method, r.HTTP.RequestURI, r.HTTP.Host, r.HTTP.Header, r.Body)
	}
	token, ok := strings.CutPrefix(r.HTTP.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(r.Config.APIKey.Reveal())) == 0 {
		return &refusal{"AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."}
	}
	return nil
}

func refuse(status int, code, message string) simulator.Call {
	reply := awsError(status, code, message)
	return simulator.Call{Reply: &reply}
}

// awsError is an error of restJson1, the protocol of the service: the name in a
// header, with a URI after it, and the message in the body.
func awsError(status int, code, message string) simulator.Reply {
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		panic(err) // strings always marshal
	}
	return simulator.Reply{
		Status: status, Code: code, Body: body,
		Header: http.Header{"X-Amzn-Errortype": {code + ":http://internal.amazon.com/coral/com.amazon.bedrock/"}, "X-Amzn-Requestid": {"emulated-request"}},
	}
}

// exceptions are the names of the errors by status and by OpenAI's words, which
// the faults use.
var exceptions = map[string]string{
	"400": "ValidationException", "401": "UnrecognizedClientException", "403": "AccessDeniedException",
	"404": "ResourceNotFoundException", "408": "ModelTimeoutException", "424": "ModelErrorException",
	"429": "ThrottlingException", "500": "InternalServerException", "503": "ServiceUnavailableException",
	"rate_limit_exceeded": "ThrottlingException", "model_not_found": "ResourceNotFoundException",
}

// Error implements simulator.Protocol.
func (*emulator) Error(f simulator.Failure) simulator.Reply {
	name := exceptions[f.Code]
	if name == "" {
		name = exceptions[strconv.Itoa(f.Status)]
	}
	if name == "" {
		name = "Status" + strconv.Itoa(f.Status)
	}
	return awsError(f.Status, name, f.Message)
}

// Lacks implements simulator.Protocol.
func (*emulator) Lacks() []simulator.Lack {
	return []simulator.Lack{
		{What: "n", Why: "Bedrock gives one answer to a request"},
		{What: "usage.reasoning", Why: "Bedrock does not report reasoning tokens"},
		{What: "output=refusal", Why: "a refusal is text, or a stop reason"},
		{What: "usage=finish", Why: "usage has a place of its own at the end"},
		{What: "usage=last", Why: "usage has a place of its own at the end"},
		{What: "usage=null", Why: "usage is reported once"},
		{What: "usage=cumulative", Why: "usage is reported once"},
		{What: "first=none", Why: "a stream begins with the start of a message"},
		{What: "first=no-choices", Why: "a stream begins with the start of a message"},
		{What: "comments", Why: "the binary event stream has none"},
		{What: "newline", Why: "the binary event stream has no lines"},
		{What: "stream-error", Only: "whole", Why: "an answer with status 200 holds no error"},
	}
}

// strict reads a body that may have only the fields of the API.
func strict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("there is more than one value")
	}
	return nil
}

func malformed(err error) simulator.Call {
	return refuse(400, "ValidationException", "Malformed input request: "+err.Error()+", please reformat your input and try again.")
}

func countTokens(r *simulator.Request, model string) simulator.Call {
	var body struct {
		Input struct {
			Converse    *converseRequest `json:"converse"`
			InvokeModel *struct {
				Body []byte `json:"body"`
			} `json:"invokeModel"`
		} `json:"input"`
	}
	if err := strict(r.Body, &body); err != nil {
		return malformed(err)
	}
	for _, known := range r.Config.Models {
		if known == model {
			return simulator.Call{Reply: &simulator.Reply{Body: []byte(`{"inputTokens":8}`)}}
		}
	}
	return refuse(400, "ValidationException", "The provided model identifier is invalid.")
}

// converseRequest is the body of Converse.
type converseRequest struct {
	Messages []struct {
		Role    string `json:"role"`
		Content []struct {
			Text  *string `json:"text,omitempty"`
			Image *struct {
				Format string `json:"format"`
				Source struct {
					Bytes []byte `json:"bytes"`
				} `json:"source"`
			} `json:"image,omitempty"`
		} `json:"content"`
	} `json:"messages"`
	System []struct {
		Text string `json:"text"`
	} `json:"system"`
	InferenceConfig struct {
		MaxTokens     int      `json:"maxTokens"`
		Temperature   *float64 `json:"temperature"`
		TopP          *float64 `json:"topP"`
		StopSequences []string `json:"stopSequences"`
	} `json:"inferenceConfig"`
	Additional map[string]any `json:"additionalModelRequestFields"`
}

func readConverse(r *simulator.Request, stream bool) simulator.Call {
	var body converseRequest
	if err := strict(r.Body, &body); err != nil {
		return malformed(err)
	}
	g := &simulator.Generate{
		MaxTokens: body.InferenceConfig.MaxTokens, Stream: stream,
		Renderer: func() simulator.Renderer { return new(converseRenderer) },
	}
	for _, s := range body.System {
		g.Prompts = append(g.Prompts, simulator.Prompt{Text: s.Text})
	}
	for _, m := range body.Messages {
		var p simulator.Prompt
		if m.Role != "user" && m.Role != "assistant" {
			return refuse(400, "ValidationException", "role "+m.Role)
		}
		for _, c := range m.Content {
			switch {
			case c.Text != nil:
				p.Text += *c.Text
			case c.Image != nil && len(c.Image.Source.Bytes) > 0 && strings.Contains(" png jpeg gif webp ", " "+c.Image.Format+" "):
				p.Images++
			default:
				return refuse(400, "ValidationException", "a content block is neither text nor image")
			}
		}
		g.Prompts = append(g.Prompts, p)
	}
	return simulator.Call{Generate: g}
}

// anthropicRequest is the body of Anthropic's models in InvokeModel.
type anthropicRequest struct {
	Version  string `json:"anthropic_version"`
	Messages []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
	System      string   `json:"system"`
	MaxTokens   int      `json:"max_tokens"`
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"top_p"`
	TopK        *int     `json:"top_k"`
	Stop        []string `json:"stop_sequences"`
}

// cohereRequest is the body of Cohere Embed.
type cohereRequest struct {
	Texts     []string `json:"texts"`
	InputType string   `json:"input_type"`
}

func readInvoke(r *simulator.Request, stream bool) simulator.Call {
	var embed cohereRequest
	if strict(r.Body, &embed) == nil && embed.Texts != nil && !stream {
		return readEmbed(embed)
	}
	var body anthropicRequest
	if err := strict(r.Body, &body); err != nil {
		return malformed(err)
	}
	if body.Version != "bedrock-2023-05-31" || body.MaxTokens < 1 {
		return malformed(fmt.Errorf("#: required key [anthropic_version] or [max_tokens] not found"))
	}
	g := &simulator.Generate{
		MaxTokens: body.MaxTokens, Stream: stream,
		Renderer: func() simulator.Renderer { return new(anthropicRenderer) },
	}
	if body.System != "" {
		g.Prompts = append(g.Prompts, simulator.Prompt{Text: body.System})
	}
	for _, m := range body.Messages {
		var p simulator.Prompt
		if json.Unmarshal(m.Content, &p.Text) != nil {
			var blocks []struct {
				Type   string `json:"type"`
				Text   string `json:"text"`
				Source struct {
					Type      string `json:"type"`
					MediaType string `json:"media_type"`
					Data      []byte `json:"data"`
				} `json:"source"`
			}
			if err := strict(m.Content, &blocks); err != nil {
				return malformed(err)
			}
			for _, b := range blocks {
				p.Text += b.Text
				if b.Type == "image" && b.Source.Type == "base64" && b.Source.MediaType != "" && len(b.Source.Data) > 0 {
					p.Images++
				}
			}
		}
		g.Prompts = append(g.Prompts, p)
	}
	return simulator.Call{Generate: g}
}

func readEmbed(body cohereRequest) simulator.Call {
	e := &simulator.Embed{Render: func(v simulator.Vectors) simulator.Reply {
		text, err := json.Marshal(map[string]any{"id": "e", "response_type": "embeddings_floats", "embeddings": v.Vectors})
		if err != nil {
			panic(err) // numbers of length 1
		}
		return simulator.Reply{Body: text, Usage: true, Header: http.Header{"X-Amzn-Bedrock-Input-Token-Count": {strconv.Itoa(v.PromptTokens)}}}
	}}
	if body.InputType == "" {
		return malformed(fmt.Errorf("#: required key [input_type] not found"))
	}
	for _, t := range body.Texts {
		e.Prompts = append(e.Prompts, simulator.Prompt{Text: t})
	}
	return simulator.Call{Embed: e}
}

// framer makes messages of the binary event stream.
type framer struct {
	encoder *eventstream.Encoder
	frame   bytes.Buffer
}

func (f *framer) message(kind, name string, payload []byte) []byte {
	if f.encoder == nil {
		f.encoder = eventstream.NewEncoder()
	}
	var m eventstream.Message
	m.Headers.Set(":"+kind+"-type", eventstream.StringValue(name))
	m.Headers.Set(":content-type", eventstream.StringValue("application/json"))
	m.Headers.Set(":message-type", eventstream.StringValue(kind))
	m.Payload = payload
	f.frame.Reset()
	if err := f.encoder.Encode(&f.frame, m); err != nil {
		panic(err) // a buffer takes everything
	}
	return f.frame.Bytes()
}

func (f *framer) chunk(payload []byte) []byte {
	return f.message("event", "chunk", fmt.Appendf(nil, `{"bytes":%q,"p":"abcdefghijkl"}`, base64.StdEncoding.EncodeToString(payload)))
}

// fail sends an exception, whose name begins in lower case in streams.
func (f *framer) fail(a *simulator.Answer, failure simulator.Failure) string {
	name := exceptions[failure.Code]
	if name == "" {
		name = "InternalServerException"
	}
	name = strings.ToLower(name[:1]) + name[1:]
	body, err := json.Marshal(map[string]string{"message": failure.Message})
	if err != nil {
		panic(err) // strings always marshal
	}
	a.Send(simulator.Error, -1, 0, f.message("exception", name, body))
	return name
}

func (f *framer) garbage(a *simulator.Answer, kind string) {
	frame := f.message("event", "contentBlockDelta", []byte(`{"delta":{"text":`))
	if kind == "bytes" {
		frame = []byte("\x00\xff\xfe\x80data\x01\x02: \xf0\x28\x8c and more")
	}
	a.Send(simulator.Garbage, -1, 0, frame)
}
