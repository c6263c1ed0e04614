package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/simulator"
)

// emulator answers as Cohere's API does and verifies what it gets: methods and
// paths, the bearer key, the content type, and that bodies have the fields of the
// API, with their types and words, and no other. Paths, fields and the form of
// errors follow https://github.com/cohere-ai/cohere-developer-experience,
// cohere-openapi.yaml of 2026-08-20; the words of errors
// https://docs.cohere.com/reference/errors, where it has them, else memory.
type emulator struct {
	withoutModels bool     // as a gateway that has no /v1/models
	endpoints     []string // of every model; nil: all three
}

func (e *emulator) Match(*http.Request) bool { return true }

func refuse(status int, format string, args ...any) simulator.Call {
	reply := errorReply(simulator.Failure{Status: status, Message: fmt.Sprintf(format, args...)})
	return simulator.Call{Reply: &reply}
}

func errorReply(f simulator.Failure) simulator.Reply {
	return simulator.Reply{Status: f.Status, Body: encode(map[string]string{"id": "emulated-error", "message": f.Message})}
}

// Error implements simulator.Protocol. Errors have no code.
func (e *emulator) Error(f simulator.Failure) simulator.Reply { return errorReply(f) }

// Lacks implements simulator.Protocol.
func (e *emulator) Lacks() []simulator.Lack {
	const once = "usage is in message-end alone"
	const noCodes = "message-end tells an error by a text, without a code"
	return []simulator.Lack{
		{What: "n", Why: "Cohere gives one answer to a request"},
		{What: "usage.reasoning", Why: "Cohere does not report reasoning tokens"},
		{What: "rerank.usage", Why: "rerank is billed by search units"},
		{What: "output=refusal", Why: "a refusal is text"},
		{What: "finish=content_filter", Why: "what is blocked is refused with 498"},
		{What: "usage=cumulative", Why: once},
		{What: "usage=last", Why: once},
		{What: "stream-error=400", Why: noCodes},
		{What: "stream-error=rate_limit_exceeded", Why: noCodes},
		{What: "code=model_not_found", Why: "errors have no code"},
		{What: "cut=done", Why: "streams have no mark of their end"},
	}
}

// Read implements simulator.Protocol.
func (e *emulator) Read(r *simulator.Request) simulator.Call {
	path := r.HTTP.URL.Path
	key, ok := strings.CutPrefix(r.HTTP.Header.Get("Authorization"), "Bearer ")
	switch want := r.Config.APIKey; {
	case want.IsZero():
	case !ok:
		return refuse(401, "no api key supplied")
	case key != want.Reveal():
		return refuse(401, "invalid api token")
	}
	if model, ok := strings.CutPrefix(path, "/v1/models/"); ok && r.HTTP.Method == http.MethodGet && !e.withoutModels {
		return e.describe(r, model)
	}
	kind, ok := strings.CutPrefix(path, "/v2/")
	if !ok || !slices.Contains([]string{"chat", "embed", "rerank"}, kind) {
		return refuse(404, "404 page not found")
	}
	if r.HTTP.Method != http.MethodPost {
		return refuse(405, "405 method not allowed")
	}
	if got := r.HTTP.Header.Get("Content-Type"); got != "application/json" {
		return refuse(400, "the content type is %q", got)
	}
	var call simulator.Call
	switch kind {
	case "chat":
		call = readChat(r.Body)
	case "embed":
		call = readEmbed(r.Body)
	default:
		call = readRerank(r.Body)
	}
	call.Credential = key
	if call.Model == "" && call.Reply == nil {
		return refuse(400, "a model parameter is required for this endpoint.")
	}
	return call
}

// describe is GET /v1/models/{model}.
func (e *emulator) describe(r *simulator.Request, escaped string) simulator.Call {
	model, err := url.PathUnescape(escaped)
	if err != nil || !slices.Contains(r.Config.Models, model) {
		return refuse(404, "model '%s' not found, make sure the correct model ID was used and that you have access to the model.", model)
	}
	endpoints := e.endpoints
	if endpoints == nil {
		endpoints = []string{"chat", "embed", "rerank"}
	}
	return simulator.Call{Reply: &simulator.Reply{Body: encode(map[string]any{
		"name": model, "endpoints": endpoints, "context_length": 128000, "finetuned": false, "is_deprecated": false,
	})}}
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

func oneOf(field, value string, allowed ...string) error {
	if value != "" && !slices.Contains(allowed, value) {
		return fmt.Errorf("invalid request: %s %q is none of %s", field, value, strings.Join(allowed, ", "))
	}
	return nil
}

type chatBody struct {
	Model    string `json:"model"`
	Messages []struct {
		Role       string          `json:"role"`
		Content    json.RawMessage `json:"content"`
		ToolCalls  json.RawMessage `json:"tool_calls"`
		ToolPlan   string          `json:"tool_plan"`
		ToolCallID string          `json:"tool_call_id"`
		Citations  json.RawMessage `json:"citations"`
	} `json:"messages"`
	Stream           *bool           `json:"stream"`
	MaxTokens        *int            `json:"max_tokens"`
	StopSequences    []string        `json:"stop_sequences"`
	Temperature      *float64        `json:"temperature"`
	Seed             *int64          `json:"seed"`
	FrequencyPenalty *float64        `json:"frequency_penalty"`
	PresencePenalty  *float64        `json:"presence_penalty"`
	K                *int            `json:"k"`
	P                *float64        `json:"p"`
	Logprobs         *bool           `json:"logprobs"`
	SafetyMode       string          `json:"safety_mode"`
	ToolChoice       string          `json:"tool_choice"`
	StrictTools      *bool           `json:"strict_tools"`
	Tools            json.RawMessage `json:"tools"`
	Documents        json.RawMessage `json:"documents"`
	CitationOptions  json.RawMessage `json:"citation_options"`
	ResponseFormat   json.RawMessage `json:"response_format"`
	Thinking         *struct {
		Type        string `json:"type"`
		TokenBudget *int   `json:"token_budget"`
	} `json:"thinking"`
	Priority *int `json:"priority"`
}

// part is one block of a content, or of an input to embed.
type part struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	ImageURL *struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	} `json:"image_url"`
}

// promptOf reads blocks.
func promptOf(parts []part) (simulator.Prompt, error) {
	var p simulator.Prompt
	for _, b := range parts {
		switch {
		case b.Type == "text" && b.Text != nil && b.ImageURL == nil:
			p.Text += *b.Text
		case b.Type == "image_url" && b.Text == nil && b.ImageURL != nil && isPicture(b.ImageURL.URL):
			p.Images++
		default:
			return p, fmt.Errorf("invalid request: a block of the type %q", b.Type)
		}
	}
	return p, nil
}

func isPicture(address string) bool {
	return strings.HasPrefix(address, "data:image/") || strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

func readChat(body []byte) simulator.Call {
	var b chatBody
	if err := strict(body, &b); err != nil {
		return refuse(400, "invalid json syntax: %v", err)
	}
	g := &simulator.Generate{Seed: b.Seed, Usage: true, Renderer: func() simulator.Renderer { return new(renderer) }}
	if b.Stream != nil {
		g.Stream = *b.Stream
	}
	if b.MaxTokens != nil {
		g.MaxTokens = *b.MaxTokens
	}
	if len(b.Messages) == 0 {
		return refuse(400, "invalid request: message must be at least 1 token long or tool results must be specified.")
	}
	for i, m := range b.Messages {
		var p simulator.Prompt
		err := oneOf("role", m.Role, "user", "assistant", "system", "tool")
		if m.Role == "" {
			err = fmt.Errorf("invalid request: message %d has no role", i)
		}
		var parts []part
		switch {
		case err != nil:
		case json.Unmarshal(m.Content, &p.Text) == nil:
		default:
			if err = strict(m.Content, &parts); err == nil {
				p, err = promptOf(parts)
			}
		}
		if err != nil {
			return refuse(400, "%v", err)
		}
		g.Prompts = append(g.Prompts, p)
	}
	if err := oneOf("safety_mode", b.SafetyMode, "CONTEXTUAL", "STRICT", "OFF"); err != nil {
		return refuse(400, "%v", err)
	}
	return simulator.Call{Model: b.Model, Generate: g}
}

func readEmbed(body []byte) simulator.Call {
	var b struct {
		Model  string   `json:"model"`
		Texts  []string `json:"texts"`
		Images []string `json:"images"`
		Inputs []struct {
			Content []part `json:"content"`
		} `json:"inputs"`
		InputType       string   `json:"input_type"`
		EmbeddingTypes  []string `json:"embedding_types"`
		Truncate        string   `json:"truncate"`
		OutputDimension int      `json:"output_dimension"`
		MaxTokens       *int     `json:"max_tokens"`
		Priority        *int     `json:"priority"`
	}
	if err := strict(body, &b); err != nil {
		return refuse(400, "invalid json syntax: %v", err)
	}
	errs := []error{
		oneOf("input_type", b.InputType, "search_document", "search_query", "classification", "clustering", "image"),
		oneOf("truncate", b.Truncate, "NONE", "START", "END"),
	}
	for _, kind := range b.EmbeddingTypes {
		errs = append(errs, oneOf("embedding_types", kind, "float", "int8", "uint8", "binary", "ubinary", "base64"))
	}
	for _, err := range errs {
		if err != nil {
			return refuse(400, "%v", err)
		}
	}
	e := &simulator.Embed{Dimensions: b.OutputDimension}
	for _, text := range b.Texts {
		e.Prompts = append(e.Prompts, simulator.Prompt{Text: text})
	}
	for _, picture := range b.Images {
		if !strings.HasPrefix(picture, "data:image/") {
			return refuse(400, "invalid request: image must be a data URI")
		}
		e.Prompts = append(e.Prompts, simulator.Prompt{Images: 1})
	}
	for _, input := range b.Inputs {
		p, err := promptOf(input.Content)
		if err != nil {
			return refuse(400, "%v", err)
		}
		e.Prompts = append(e.Prompts, p)
	}
	switch {
	case b.InputType == "":
		return refuse(400, "invalid request: valid input_type must be provided with the provided model")
	case len(b.EmbeddingTypes) == 0:
		return refuse(400, "embedding_types parameter is required")
	case len(b.Images) > 0 && b.InputType != "image":
		return refuse(400, "invalid request: images must be used with input_type=image")
	case len(b.Texts) > 96:
		return refuse(400, "invalid request: total number of texts must be at most 96 - received %d", len(b.Texts))
	}
	e.Render = func(v simulator.Vectors) simulator.Reply {
		billed := map[string]any{"input_tokens": v.PromptTokens}
		if v.Images > 0 {
			billed["images"] = v.Images
		}
		answer := map[string]any{"id": "emulated", "embeddings": map[string]any{"float": v.Vectors}, "texts": b.Texts}
		usage := v.Fault.Usage != "none"
		if usage {
			answer["meta"] = map[string]any{"api_version": map[string]string{"version": "2"}, "billed_units": billed}
		}
		return simulator.Reply{Usage: usage, Body: encode(answer)}
	}
	return simulator.Call{Model: b.Model, Embed: e}
}

func readRerank(body []byte) simulator.Call {
	var b struct {
		Model           string   `json:"model"`
		Query           string   `json:"query"`
		Documents       []string `json:"documents"`
		TopN            int      `json:"top_n"`
		MaxTokensPerDoc *int     `json:"max_tokens_per_doc"`
		Priority        *int     `json:"priority"`
	}
	if err := strict(body, &b); err != nil {
		return refuse(400, "invalid json syntax: %v", err)
	}
	switch {
	case strings.TrimSpace(b.Query) == "":
		return refuse(400, "invalid request: query must not be empty or be only whitespace")
	case len(b.Documents) == 0:
		return refuse(400, "invalid request: list of documents must not be empty")
	}
	ranking := &simulator.Rerank{Query: b.Query, TopN: b.TopN}
	for _, text := range b.Documents {
		ranking.Documents = append(ranking.Documents, simulator.Prompt{Text: text})
	}
	ranking.Render = func(r simulator.Ranking) simulator.Reply {
		var results []map[string]any
		for _, one := range r.Results {
			results = append(results, map[string]any{"index": one.Index, "relevance_score": one.Score})
		}
		return simulator.Reply{Body: encode(map[string]any{
			"id": "emulated", "results": results,
			"meta": map[string]any{"api_version": map[string]string{"version": "2"}, "billed_units": map[string]int{"search_units": 1}},
		})}
	}
	return simulator.Call{Model: b.Model, Rerank: ranking}
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // of strings and numbers
	}
	return text
}

func quote(s string) string { return string(encode(s)) }

// renderer writes a chat's answer: the events of StreamedChatResponseV2, or
// ChatResponseV2.
type renderer struct {
	buf   []byte
	kind  simulator.Kinds // of the block that is open; 0: none
	index int             // of the next block
}

var _ simulator.Renderer = (*renderer)(nil)

// Finish implements simulator.Renderer.
func (*renderer) Finish(reason string) (sent, means string) {
	if word, ok := map[string]string{"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}[reason]; ok {
		return word, reason
	}
	return reason, reason
}

// Head implements simulator.Renderer.
func (*renderer) Head(*simulator.Answer) simulator.Reply {
	return simulator.Reply{ContentType: "text/event-stream"}
}

// send sends an event of a type: its JSON after the type.
func (w *renderer) send(a *simulator.Answer, kinds simulator.Kinds, choice, tokens int, name string, rest func()) {
	w.buf = append(append(append(w.buf[:0], `{"type":"`...), name...), '"')
	rest()
	w.buf = append(w.buf, '}')
	a.SendSSE(kinds, choice, tokens, name, w.buf)
}

func (w *renderer) add(s string) { w.buf = append(w.buf, s...) }

func (w *renderer) addIndex(index int) { w.add(`,"index":` + strconv.Itoa(index)) }

// Start implements simulator.Renderer.
func (w *renderer) Start(a *simulator.Answer) {
	switch a.Fault().First {
	case "none":
		return
	case "no-choices":
		w.send(a, simulator.Other, -1, 0, "debug", func() { w.add(`,"prompt":"<BOS_TOKEN>"`) })
	}
	w.send(a, simulator.Role, 0, 0, "message-start", func() {
		w.add(`,"id":"emulated","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}`)
	})
}

// open opens the block that tokens of a kind belong to.
func (w *renderer) open(a *simulator.Answer, kind simulator.Kinds) {
	if w.kind == kind {
		return
	}
	w.close(a)
	w.kind = kind
	if kind == simulator.Tool {
		w.send(a, simulator.Tool, 0, 0, "tool-call-start", func() {
			w.addIndex(w.index)
			w.add(`,"delta":{"message":{"tool_calls":{"id":"simulate_0","type":"function","function":{"name":"simulate","arguments":""}}}}`)
		})
		return
	}
	w.send(a, simulator.Other, -1, 0, "content-start", func() {
		w.addIndex(w.index)
		if kind == simulator.Reasoning {
			w.add(`,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}`)
		} else {
			w.add(`,"delta":{"message":{"content":{"type":"text","text":""}}}`)
		}
	})
}

func (w *renderer) close(a *simulator.Answer) {
	if w.kind == 0 {
		return
	}
	name := "content-end"
	if w.kind == simulator.Tool {
		name = "tool-call-end"
	}
	w.send(a, simulator.Other, -1, 0, name, func() { w.addIndex(w.index) })
	w.kind = 0
	w.index++
}

// Tokens implements simulator.Renderer.
func (w *renderer) Tokens(a *simulator.Answer, t simulator.Tokens) {
	if t.Count() > 0 {
		w.open(a, t.Kind)
		name, before, after := "content-delta", `,"delta":{"message":{"content":{"text":`, `}}}`
		switch t.Kind {
		case simulator.Reasoning:
			before = `,"delta":{"message":{"content":{"thinking":`
		case simulator.Tool:
			name, before, after = "tool-call-delta", `,"delta":{"message":{"tool_calls":{"function":{"arguments":`, `}}}}`
		}
		w.send(a, t.Kind, 0, t.Count(), name, func() {
			w.addIndex(w.index)
			w.add(before)
			w.buf = a.AppendText(w.buf, 0, t.First, t.Last)
			w.add(after)
		})
	}
	if !t.Ends {
		return
	}
	w.close(a)
	kinds := simulator.FinishReason
	usage := a.Fault().Usage != "none"
	if usage {
		kinds |= simulator.UsageReport
	}
	w.send(a, kinds, 0, 0, "message-end", func() {
		w.add(`,"delta":{"finish_reason":` + quote(t.Finish))
		if usage {
			w.add(`,"usage":` + usageOf(a))
		}
		w.add(`}`)
	})
}

// usageOf is the data type Usage. Cohere bills less than the model reads.
func usageOf(a *simulator.Answer) string {
	output, _ := a.Sent()
	input := a.PromptTokens()
	return fmt.Sprintf(`{"billed_units":{"input_tokens":%d.0,"output_tokens":%d},"tokens":{"input_tokens":%d,"output_tokens":%d}}`,
		input/2, output, input, output)
}

// End implements simulator.Renderer: message-end was the last.
func (*renderer) End(*simulator.Answer) {}

// Terminate implements simulator.Renderer: the stream just ends.
func (*renderer) Terminate(*simulator.Answer) {}

// Fail implements simulator.Renderer.
func (w *renderer) Fail(a *simulator.Answer, f simulator.Failure) string {
	w.send(a, simulator.Error, 0, 0, "message-end", func() {
		w.add(`,"delta":{"finish_reason":"ERROR","error":` + quote(f.Message) + `}`)
	})
	return "ERROR"
}

// Garbage implements simulator.Renderer.
func (w *renderer) Garbage(a *simulator.Answer, kind string) {
	data := `{"type":"content-delta","index":0,"delta":{"message":{"content":{`
	if kind == "bytes" {
		data = "\x00\xff\xfe\x80\x01\x02: \xf0\x28\x8c"
	}
	a.SendSSE(simulator.Garbage, -1, 0, "content-delta", []byte(data))
}

// Comment implements simulator.Renderer.
func (*renderer) Comment(a *simulator.Answer) { a.SendComment("keep-alive") }

// Whole implements simulator.Renderer.
func (*renderer) Whole(a *simulator.Answer) simulator.Reply {
	said := a.Choice(0)
	message := map[string]any{"role": "assistant"}
	var content []map[string]any
	if said.Reasoning != "" {
		content = append(content, map[string]any{"type": "thinking", "thinking": said.Reasoning})
	}
	if said.Text != "" {
		content = append(content, map[string]any{"type": "text", "text": said.Text})
	}
	if content != nil {
		message["content"] = content
	}
	if said.Tool != "" {
		message["tool_calls"] = []any{map[string]any{"id": "simulate_0", "type": "function", "function": map[string]any{"name": "simulate", "arguments": said.Tool}}}
	}
	answer := map[string]any{"id": "emulated", "message": message, "finish_reason": said.Finish}
	code := ""
	if a.Fault().StreamError != "" {
		answer["finish_reason"], code = "ERROR", "ERROR"
	}
	usage := a.Fault().Usage != "none"
	if usage {
		answer["usage"] = json.RawMessage(usageOf(a))
	}
	return simulator.Reply{Usage: usage, Body: encode(answer), Code: code}
}
