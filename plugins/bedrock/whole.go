package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// wholeAnswer is an answer in one piece, where it differs from a chunk.
type wholeAnswer struct {
	chunk
	Stop    string           `json:"stopReason"` // Converse, Nova
	Latency *converseMetrics `json:"metrics"`    // Converse
}

// readWhole takes an answer that came in one piece, all of which arrived when
// its last byte did.
func (a *answer) readWhole(body []byte, at stamp.Arrival) *fault.Error {
	var w wholeAnswer
	if !decode(body, &w) {
		return jsonhttp.NotProtocol(body)
	}
	if w.failed() {
		return streamFailure("", body)
	}
	switch {
	case isObject(w.Output):
		var output struct {
			Message struct {
				Role    string          `json:"role"`
				Content []converseBlock `json:"content"`
			} `json:"message"`
		}
		decode(w.Output, &output)
		e := event{kinds: backend.Role, finish: w.Stop, report: w.Usage.tokens()}
		for i := range output.Message.Content {
			output.Message.Content[i].add(&e)
		}
		a.latency(w.Latency)
		a.record(e, at)
	case w.Content != nil:
		e := event{kinds: backend.Role, finish: w.StopReason, report: w.Usage.tokens()}
		for _, b := range w.Content {
			if b == nil {
				continue
			}
			e.text.Text = append(e.text.Text, b.Text...)
			e.text.Reasoning = append(e.text.Reasoning, b.Thinking...)
			if b.Type == "tool_use" {
				e.text.Tool = append(append(e.text.Tool, b.Name...), toolInput(b.Input)...)
			}
		}
		a.record(e, at)
	case len(w.Results) > 0:
		for i, r := range w.Results {
			e := event{choice: i, text: backend.EventText{Text: []byte(r.OutputText)}, finish: r.CompletionReason}
			e.report = tokens{input: first(w.InputTextTokens), output: first(r.TokenCount), source: backend.UsageFinal}
			a.record(e, at)
		}
	case len(w.Choices)+len(w.Outputs) > 0, w.Generation != nil, w.Text != nil, w.Completion != nil, stringOf(w.Output) != "":
		a.plain(&w.chunk, at)
		if a.usage.source == backend.UsageCumulative {
			a.usage.source = backend.UsageFinal
		}
	default:
		return fault.New(fault.Protocol, "the answer is of no known form: %s", jsonhttp.Excerpt(body))
	}
	return nil
}

// readVectors takes the answer to embeddings: Titan's {"embedding":[…]}, Cohere's
// {"embeddings":[[…]]} or {"embeddings":{"float":[[…]]}}.
func (a *answer) readVectors(body []byte) *fault.Error {
	var reply struct {
		Embedding  json.RawMessage            `json:"embedding"`
		ByType     map[string]json.RawMessage `json:"embeddingsByType"`
		Embeddings json.RawMessage            `json:"embeddings"`
		Input      reported[int64]            `json:"inputTextTokenCount"`
		Error      json.RawMessage            `json:"error"`
		Message    string                     `json:"message"`
	}
	if !decode(body, &reply) {
		return jsonhttp.NotProtocol(body)
	}
	if failed := (&chunk{Error: reply.Error}).failed(); failed {
		return streamFailure("", body)
	}
	var vectors []json.RawMessage
	switch {
	case len(reply.Embedding) > 0 && !isNull(reply.Embedding):
		vectors = []json.RawMessage{reply.Embedding}
	case len(reply.ByType) > 0:
		for _, v := range reply.ByType { // the same vector in several types
			vectors = []json.RawMessage{v}
		}
	case isObject(reply.Embeddings):
		var byType map[string][]json.RawMessage
		decode(reply.Embeddings, &byType)
		for _, all := range byType {
			vectors = all
		}
	case len(reply.Embeddings) > 0:
		if json.Unmarshal(reply.Embeddings, &vectors) != nil {
			vectors = nil
		}
	}
	if len(vectors) == 0 {
		return fault.New(fault.Protocol, "the answer has no embeddings: %s", jsonhttp.Excerpt(body))
	}
	var numbers []json.RawMessage
	if json.Unmarshal(vectors[0], &numbers) != nil {
		return fault.New(fault.Protocol, "the answer's embedding is no list of numbers: %s", jsonhttp.Excerpt(vectors[0]))
	}
	a.rec.Vectors(backend.Vectors{Count: int32(min(len(vectors), 1<<30)), Dimensions: int32(min(len(numbers), 1<<30))})
	a.usage.lay(tokens{input: first(reply.Input), source: backend.UsageFinal})
	return nil
}
