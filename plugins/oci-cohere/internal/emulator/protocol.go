package emulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	oci "github.com/oracle/oci-go-sdk/v65/generativeaiinference"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// API is OCI's Generative AI inference API as a protocol of the simulator. Its
// fields must not be changed once requests come.
type API struct {
	Keys *Keyring
	// Compartment is the one that callers may use.
	Compartment string
	// Endpoints are the dedicated ones, with the model that each has.
	Endpoints map[string]string
	// Format is the one that chats must have: COHERE, COHEREV2 or GENERIC; "" is
	// any. It decides what the API lacks.
	Format string
}

var _ simulator.Protocol = (*API)(nil)

const version = "/20231130/actions/"

// Match implements simulator.Protocol.
func (p *API) Match(r *http.Request) bool { return strings.Contains(r.URL.Path, version) }

// Error implements simulator.Protocol.
func (p *API) Error(f simulator.Failure) simulator.Reply { return errorReply(f) }

func errorReply(f simulator.Failure) simulator.Reply {
	code := codeOf(f.Status, f.Code)
	return simulator.Reply{
		Status: f.Status, Code: code, Body: errorBody(code, f.Message), Header: http.Header{"Opc-Request-Id": {"emulated"}},
	}
}

func errorBody(code, message string) []byte {
	text, err := json.Marshal(map[string]string{"code": code, "message": message})
	if err != nil {
		panic(err) // strings always marshal
	}
	return text
}

// codeOf is OCI's word for a failure, by the status or by OpenAI's word.
func codeOf(status int, word string) string {
	switch word {
	case "rate_limit_exceeded", "429":
		return "TooManyRequests"
	case "model_not_found", "404":
		return "NotAuthorizedOrNotFound"
	case "400":
		return "InvalidParameter"
	case "500":
		return "InternalServerError"
	case "":
	default:
		return word
	}
	switch status {
	case 401:
		return "NotAuthenticated"
	case 403:
		return "NotAuthorized"
	case 404:
		return "NotAuthorizedOrNotFound"
	case 429:
		return "TooManyRequests"
	case 503:
		return "ServiceUnavailable"
	}
	if status >= 500 {
		return "InternalServerError"
	}
	return "InvalidParameter"
}

func refuse(status int, format string, args ...any) simulator.Call {
	reply := errorReply(simulator.Failure{Status: status, Message: fmt.Sprintf(format, args...)})
	return simulator.Call{Reply: &reply}
}

// notThere is what OCI says of what is not there and of what is not allowed.
func notThere() simulator.Call {
	return refuse(http.StatusNotFound, "Authorization failed or requested resource not found.")
}

// Read implements simulator.Protocol.
func (p *API) Read(r *simulator.Request) simulator.Call {
	if _, err := p.Keys.Verify(r.HTTP, r.Body); err != nil {
		return refuse(http.StatusUnauthorized, "The required information to complete authentication was not provided or was incorrect. (%v)", err)
	}
	_, action, _ := strings.Cut(r.HTTP.URL.Path, version)
	if r.HTTP.Method != http.MethodPost || !slices.Contains([]string{"chat", "embedText", "rerankText"}, action) {
		return refuse(http.StatusNotFound, "there is no %s %s", r.HTTP.Method, r.HTTP.URL.Path)
	}
	if kind := r.HTTP.Header.Get("Content-Type"); kind != "application/json" {
		return refuse(http.StatusBadRequest, "the content type is %q", kind)
	}
	var (
		chat   oci.ChatDetails
		embed  oci.EmbedTextDetails
		rerank oci.RerankTextDetails
		into   any = &rerank
	)
	switch action {
	case "chat":
		into = &chat
	case "embedText":
		into = &embed
	}
	if err := json.Unmarshal(r.Body, into); err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	compartment, serving := rerank.CompartmentId, rerank.ServingMode
	switch action {
	case "chat":
		compartment, serving = chat.CompartmentId, chat.ServingMode
	case "embedText":
		compartment, serving = embed.CompartmentId, embed.ServingMode
	}
	if value(compartment) != p.Compartment {
		return notThere()
	}
	model, ok := p.model(serving)
	if !ok || !slices.Contains(r.Config.Models, model) {
		return notThere()
	}
	call := simulator.Call{}
	switch action {
	case "chat":
		call = p.chat(&chat)
	case "embedText":
		call = readEmbed(&embed)
	default:
		call = readRerank(&rerank)
	}
	call.Model = model
	return call
}

// model is what answers in a serving mode.
func (p *API) model(mode oci.ServingMode) (string, bool) {
	switch m := mode.(type) {
	case oci.OnDemandServingMode:
		return value(m.ModelId), m.ModelId != nil
	case oci.DedicatedServingMode:
		model, ok := p.Endpoints[value(m.EndpointId)]
		return model, ok
	}
	return "", false
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// conversation is a chat in whatever format.
type conversation struct {
	format      string
	prompts     []simulator.Prompt
	maxTokens   int
	choices     int
	seed        *int
	stream      bool
	usageOption bool
}

func (p *API) chat(details *oci.ChatDetails) simulator.Call {
	c, err := converse(details.ChatRequest)
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "%v", err)
	case p.Format != "" && p.Format != c.format:
		return refuse(http.StatusBadRequest, "the model takes the format %s, not %s", p.Format, c.format)
	case c.stream && !c.usageOption:
		return refuse(http.StatusBadRequest, "the stream asks for no usage")
	}
	g := &simulator.Generate{
		Prompts: c.prompts, MaxTokens: c.maxTokens, N: c.choices, Stream: c.stream, Usage: true,
		Renderer: func() simulator.Renderer { return &renderer{format: c.format} },
	}
	if c.seed != nil {
		seed := int64(*c.seed)
		g.Seed = &seed
	}
	return simulator.Call{Generate: g}
}

// converse reads a chat. The SDK's types refuse what has the wrong type.
func converse(request oci.BaseChatRequest) (conversation, error) {
	switch r := request.(type) {
	case oci.CohereChatRequest:
		c := conversation{format: "COHERE", maxTokens: value(r.MaxTokens), seed: r.Seed, stream: value(r.IsStream)}
		c.usageOption = r.StreamOptions != nil && value(r.StreamOptions.IsIncludeUsage)
		if r.Message == nil {
			return c, fmt.Errorf("message is missing")
		}
		if r.PreambleOverride != nil {
			c.prompts = append(c.prompts, simulator.Prompt{Text: *r.PreambleOverride})
		}
		for _, turn := range r.ChatHistory {
			c.prompts = append(c.prompts, simulator.Prompt{Text: fmt.Sprint(turn)})
		}
		c.prompts = append(c.prompts, simulator.Prompt{Text: *r.Message})
		return c, nil
	case oci.CohereChatRequestV2:
		c := conversation{format: "COHEREV2", maxTokens: value(r.MaxTokens), seed: r.Seed, stream: value(r.IsStream)}
		c.usageOption = r.StreamOptions != nil && value(r.StreamOptions.IsIncludeUsage)
		for _, m := range r.Messages {
			prompt := simulator.Prompt{}
			for _, content := range m.GetContent() {
				switch part := content.(type) {
				case oci.CohereTextContentV2:
					prompt.Text += value(part.Text)
				case oci.CohereImageContentV2:
					if part.ImageUrl == nil || value(part.ImageUrl.Url) == "" {
						return c, fmt.Errorf("an image has no address")
					}
					prompt.Images++
				}
			}
			c.prompts = append(c.prompts, prompt)
		}
		return c, nil
	case oci.GenericChatRequest:
		c := conversation{format: "GENERIC", maxTokens: value(r.MaxTokens), seed: r.Seed, stream: value(r.IsStream), choices: value(r.NumGenerations)}
		c.usageOption = r.StreamOptions != nil && value(r.StreamOptions.IsIncludeUsage)
		for _, m := range r.Messages {
			prompt := simulator.Prompt{}
			for _, content := range m.GetContent() {
				switch part := content.(type) {
				case oci.TextContent:
					prompt.Text += value(part.Text)
				case oci.ImageContent:
					if part.ImageUrl == nil || value(part.ImageUrl.Url) == "" {
						return c, fmt.Errorf("an image has no address")
					}
					prompt.Images++
				}
			}
			c.prompts = append(c.prompts, prompt)
		}
		return c, nil
	}
	return conversation{}, fmt.Errorf("chatRequest is missing, or its apiFormat is none")
}

func readEmbed(d *oci.EmbedTextDetails) simulator.Call {
	if len(d.Inputs) == 0 {
		return refuse(http.StatusBadRequest, "inputs is missing")
	}
	picture := d.InputType == oci.EmbedTextDetailsInputTypeImage
	if picture && (len(d.Inputs) > 1 || !strings.HasPrefix(d.Inputs[0], "data:image/")) {
		return refuse(http.StatusBadRequest, "one picture as a data URL is taken")
	}
	if !picture && d.InputType == "" {
		return refuse(http.StatusBadRequest, "inputType is missing")
	}
	e := &simulator.Embed{Dimensions: value(d.OutputDimensions), Render: renderVectors}
	for _, text := range d.Inputs {
		if picture {
			e.Prompts = append(e.Prompts, simulator.Prompt{Images: 1})
		} else {
			e.Prompts = append(e.Prompts, simulator.Prompt{Text: text})
		}
	}
	return simulator.Call{Embed: e}
}

func readRerank(d *oci.RerankTextDetails) simulator.Call {
	if d.Input == nil || len(d.Documents) == 0 {
		return refuse(http.StatusBadRequest, "input or documents are missing")
	}
	r := &simulator.Rerank{Query: *d.Input, TopN: value(d.TopN), Render: renderRanks}
	for _, text := range d.Documents {
		r.Documents = append(r.Documents, simulator.Prompt{Text: text})
	}
	return simulator.Call{Rerank: r}
}

func renderVectors(v simulator.Vectors) simulator.Reply {
	answer := map[string]any{"id": "emulated", "embeddings": v.Vectors, "modelId": "emulated", "modelVersion": "1"}
	usage := v.Fault.Usage != "none"
	if usage {
		answer["usage"] = map[string]int{"promptTokens": v.PromptTokens, "totalTokens": v.PromptTokens}
	}
	return simulator.Reply{Body: encode(answer), Usage: usage}
}

// renderRanks: RerankTextResult has no usage.
func renderRanks(r simulator.Ranking) simulator.Reply {
	var ranks []map[string]any
	for _, one := range r.Results {
		ranks = append(ranks, map[string]any{"index": one.Index, "relevanceScore": one.Score})
	}
	return simulator.Reply{Body: encode(map[string]any{"id": "emulated", "documentRanks": ranks, "modelId": "emulated", "modelVersion": "1"})}
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // of strings and numbers
	}
	return text
}

// Lacks implements simulator.Protocol.
func (p *API) Lacks() []simulator.Lack {
	lacks := []simulator.Lack{
		{What: "rerank.usage", Why: "RerankTextResult has no usage"},
		{What: "cut=done", Why: "OCI's streams have no mark of their end"},
		{What: "first=no-choices", Why: "OCI's events are not lists of choices"},
	}
	const noReasoning = "the COHERE format has no reasoning"
	const noRefusal = "Cohere's formats have no refusals"
	switch p.Format {
	case "COHERE":
		lacks = append(
			lacks,
			simulator.Lack{What: "n", Why: "Cohere's formats have one answer"},
			simulator.Lack{What: "reasoning", Why: noReasoning},
			simulator.Lack{What: "output=refusal", Why: noRefusal},
			simulator.Lack{What: "output=tool", Why: "the COHERE format has tool calls as whole objects, not as text in pieces"},
			simulator.Lack{What: "first=early-role", Why: "the COHERE format names no role"},
		)
	case "COHEREV2":
		lacks = append(
			lacks,
			simulator.Lack{What: "n", Why: "Cohere's formats have one answer"},
			simulator.Lack{What: "output=refusal", Why: noRefusal},
			simulator.Lack{What: "finish=content_filter", Why: "CohereChatResponseV2 has no such finishReason"},
		)
	}
	return lacks
}

// Serve answers requests until ctx ends, for tests that need no more than a
// server.
func Serve(ctx context.Context, config simulator.Config) (*simulator.Server, error) {
	s, err := simulator.New(config)
	if err != nil {
		return nil, err
	}
	if err := s.Listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = s.Close() }) // nobody is left to tell
	return s, nil
}
