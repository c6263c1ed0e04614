package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// gemini is generateContent and streamGenerateContent, by
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
type gemini struct{}

var _ shape = gemini{}

func (gemini) streams() bool { return true }

func (gemini) url(t target, model string, stream bool) string {
	if stream {
		return t.model("google", model, "streamGenerateContent") + "?alt=sse"
	}
	return t.model("google", model, "generateContent")
}

func (gemini) body(r *backend.Request, _ string, _ bool) (jsonhttp.Object, *fault.Error) {
	var contents []json.RawMessage
	var system []string
	for _, m := range r.Chat.Messages {
		role := "user"
		switch m.Role {
		case "system", "developer":
			system = append(system, m.TextOf())
			continue
		case "assistant", "model":
			role = "model"
		}
		parts, failure := geminiParts(m)
		if failure != nil {
			return nil, failure
		}
		contents = append(contents, jsonhttp.Object{{Name: "role", Value: jsonhttp.Quoted(role)}, {Name: "parts", Value: parts}}.Text())
	}
	body := jsonhttp.Object{{Name: "contents", Value: jsonhttp.List(contents...)}}
	if len(system) > 0 {
		text := jsonhttp.Object{{Name: "text", Value: jsonhttp.Quoted(strings.Join(system, "\n"))}}
		body.Set("systemInstruction", jsonhttp.Object{{Name: "parts", Value: jsonhttp.List(text.Text())}}.Text())
	}
	var config jsonhttp.Object
	if r.Chat.MaxTokens > 0 {
		config.Set("maxOutputTokens", jsonhttp.Number(r.Chat.MaxTokens))
	}
	if len(r.Chat.Stop) > 0 {
		config.Set("stopSequences", jsonhttp.QuotedList(r.Chat.Stop))
	}
	if len(config) > 0 {
		body.Set("generationConfig", config.Text())
	}
	return body, nil
}

// geminiParts are the parts of a message; adjacent texts are one.
func geminiParts(m backend.Message) (json.RawMessage, *fault.Error) {
	var parts []json.RawMessage
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			parts = append(parts, jsonhttp.Object{{Name: "text", Value: jsonhttp.Quoted(text.String())}}.Text())
			text.Reset()
		}
	}
	for _, p := range m.Parts {
		if p.Image == nil {
			text.WriteString(p.Text)
			continue
		}
		flush()
		mime, data, address, failure := pictureOf(p.Image)
		switch {
		case failure != nil:
			return nil, failure
		case address != "":
			file := jsonhttp.Object{{Name: "mimeType", Value: jsonhttp.Quoted(mime)}, {Name: "fileUri", Value: jsonhttp.Quoted(address)}}
			parts = append(parts, jsonhttp.Object{{Name: "fileData", Value: file.Text()}}.Text())
		default:
			inline := jsonhttp.Object{{Name: "mimeType", Value: jsonhttp.Quoted(mime)}, {Name: "data", Value: jsonhttp.Quoted(data)}}
			parts = append(parts, jsonhttp.Object{{Name: "inlineData", Value: inline.Text()}}.Text())
		}
	}
	flush()
	return jsonhttp.List(parts...), nil
}

// pictureOf is a picture as base64, or its address.
func pictureOf(i *backend.Image) (mime, data, address string, failure *fault.Error) {
	const usual = "image/jpeg"
	switch {
	case len(i.Bytes) > 0:
		if mime = i.MIME; mime == "" {
			mime = usual
		}
		return mime, base64.StdEncoding.EncodeToString(i.Bytes), "", nil
	case strings.HasPrefix(i.URL, "data:"):
		head, data, found := strings.Cut(strings.TrimPrefix(i.URL, "data:"), ",")
		mime, isBase64 := strings.CutSuffix(head, ";base64")
		if !found || !isBase64 {
			return "", "", "", fault.New(fault.InvalidRequest, "a data URL of a picture is not in base64")
		}
		return mime, data, "", nil
	case strings.HasPrefix(i.URL, "http://"), strings.HasPrefix(i.URL, "https://"), strings.HasPrefix(i.URL, "gs://"):
		return mimeOfAddress(i.URL), "", i.URL, nil
	}
	return "", "", "", fault.New(fault.InvalidRequest, "a picture has neither bytes nor an address of http, https, gs or data")
}

// mimeOfAddress guesses a picture's type by its address, which the API demands.
func mimeOfAddress(address string) string {
	address, _, _ = strings.Cut(strings.ToLower(address), "?")
	for end, mime := range map[string]string{".png": "image/png", ".webp": "image/webp", ".gif": "image/gif", ".heic": "image/heic"} {
		if strings.HasSuffix(address, end) {
			return mime
		}
	}
	return "image/jpeg"
}

// generationConfig are the fields of GenerationConfig, by the names under which
// users give them.
var generationConfig = map[string]string{
	"temperature": "", "topP": "", "topK": "", "candidateCount": "", "maxOutputTokens": "", "stopSequences": "", "seed": "",
	"presencePenalty": "", "frequencyPenalty": "", "responseMimeType": "", "responseSchema": "", "responseLogprobs": "", "logprobs": "",
	"thinkingConfig": "", "audioTimestamp": "", "mediaResolution": "", "responseModalities": "", "speechConfig": "", "routingConfig": "",
	"top_p": "topP", "top_k": "topK", "n": "candidateCount", "candidate_count": "candidateCount", "max_tokens": "maxOutputTokens",
	"max_output_tokens": "maxOutputTokens", "stop": "stopSequences", "stop_sequences": "stopSequences", "presence_penalty": "presencePenalty",
	"frequency_penalty": "frequencyPenalty", "response_mime_type": "responseMimeType", "response_schema": "responseSchema",
	"thinking_config": "thinkingConfig",
}

// topLevel are other spellings of fields of the body.
var topLevel = map[string]string{
	"safety_settings": "safetySettings", "system_instruction": "systemInstruction", "tool_config": "toolConfig", "cached_content": "cachedContent",
	"generation_config": "generationConfig",
}

func (gemini) merge(body *jsonhttp.Object, params jsonhttp.Object) {
	for _, p := range params {
		if name, ok := generationConfig[p.Name]; ok {
			if name == "" {
				name = p.Name
			}
			body.MergeAt("generationConfig."+name, p.Value)
			continue
		}
		if name, ok := topLevel[p.Name]; ok {
			p.Name = name
		}
		body.Merge(jsonhttp.Object{p})
	}
}

// geminiAnswer is GenerateContentResponse.
type geminiAnswer struct {
	Candidates []struct {
		Index   int `json:"index"`
		Content struct {
			Role  string       `json:"role"`
			Parts []geminiPart `json:"parts"`
		} `json:"content"`
		FinishReason string `json:"finishReason"`
	} `json:"candidates"`
	PromptFeedback *struct {
		BlockReason        string `json:"blockReason"`
		BlockReasonMessage string `json:"blockReasonMessage"`
	} `json:"promptFeedback"`
	Usage *geminiUsage    `json:"usageMetadata"`
	Error json.RawMessage `json:"error"`
}

type geminiPart struct {
	Text         string        `json:"text"`
	Thought      bool          `json:"thought"`
	FunctionCall *functionCall `json:"functionCall"`
}

// functionCall has its arguments whole, or, where the user asked for that, a
// piece of one of them.
type functionCall struct {
	Name    string          `json:"name"`
	Args    json.RawMessage `json:"args"`
	Partial []struct {
		String string           `json:"stringValue"`
		Number *json.RawMessage `json:"numberValue"`
		Bool   *json.RawMessage `json:"boolValue"`
	} `json:"partialArgs"`
}

// appendText appends what the model said to make the call: its name, then the
// arguments as they came.
func (c *functionCall) appendText(dst []byte) []byte {
	dst = append(append(dst, c.Name...), c.Args...)
	for _, p := range c.Partial {
		dst = append(dst, p.String...)
		for _, other := range []*json.RawMessage{p.Number, p.Bool} {
			if other != nil {
				dst = append(dst, *other...)
			}
		}
	}
	return dst
}

// geminiUsage counts thoughts apart from candidates; the total has both.
type geminiUsage struct {
	Prompt     *int64 `json:"promptTokenCount"`
	Candidates *int64 `json:"candidatesTokenCount"`
	Thoughts   *int64 `json:"thoughtsTokenCount"`
	Cached     *int64 `json:"cachedContentTokenCount"`
}

// take lays a report over what is known; it tells whether there was one.
func (u *geminiUsage) take(into *backend.Usage) bool {
	if u == nil {
		return false
	}
	in := count(&into.Input, u.Prompt)
	out := count(&into.Output, sum(u.Candidates, u.Thoughts))
	thoughts := count(&into.Reasoning, u.Thoughts)
	cached := count(&into.CachedInput, u.Cached)
	if !in && !out && !thoughts && !cached {
		return false
	}
	into.Source = backend.UsageCumulative
	return true
}

func (gemini) event(data []byte, at stamp.Arrival, a *answer) *fault.Error {
	var g geminiAnswer
	if err := json.Unmarshal(data, &g); err != nil {
		return unreadable(data)
	}
	if len(g.Error) > 0 && string(g.Error) != "null" {
		return jsonhttp.StreamFailure(jsonhttp.ReadReport(data), classify)
	}
	usage := g.Usage.take(&a.usage)
	if p := g.PromptFeedback; p != nil && p.BlockReason != "" {
		failure := fault.New(fault.ContentFilter, "the prompt was blocked: %s", strings.TrimSpace(p.BlockReason+" "+p.BlockReasonMessage))
		failure.ProviderCode = p.BlockReason
		return failure
	}
	if len(g.Candidates) == 0 {
		a.record(said{choice: backend.NoChoice}, usage, at)
		return nil
	}
	for i, c := range g.Candidates {
		s := said{choice: c.Index, finish: c.FinishReason, means: finishOf(c.FinishReason)}
		for _, p := range c.Content.Parts {
			switch {
			case p.FunctionCall != nil:
				s.text.Tool = p.FunctionCall.appendText(s.text.Tool)
				s.kinds |= backend.Tool
				a.called(c.Index)
			case p.Thought:
				s.text.Reasoning = append(s.text.Reasoning, p.Text...)
			default:
				s.text.Text = append(s.text.Text, p.Text...)
			}
		}
		if s.means == backend.FinishStop && a.calls[c.Index] {
			s.means = backend.FinishTool // Gemini stops for a call as it does at an end
		}
		a.record(s, usage && i == len(g.Candidates)-1, at)
	}
	return nil
}
