package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
	"github.com/genai-bench/genai-bench/sdk/stamp"
)

// predict is the predict method: embeddings, by
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api,
// and the older models of text.
type predict struct{}

var _ shape = predict{}

func (predict) streams() bool { return false }

func (predict) url(t target, model string, _ bool) string { return t.model("google", model, "predict") }

func (predict) body(r *backend.Request, _ string, _ bool) (jsonhttp.Object, *fault.Error) {
	instance := func(text, task string) json.RawMessage {
		o := jsonhttp.Object{{Name: "content", Value: jsonhttp.Quoted(text)}}
		if task != "" {
			o.Set("task_type", jsonhttp.Quoted(task))
		}
		return o.Text()
	}
	if r.Embed == nil {
		var text string
		for _, m := range r.Chat.Messages {
			if m.HasImages() {
				return nil, fault.New(fault.InvalidRequest, "predict takes no pictures")
			}
			if text != "" {
				text += "\n"
			}
			text += m.TextOf()
		}
		body := jsonhttp.Object{{Name: "instances", Value: jsonhttp.List(instance(text, ""))}}
		if r.Chat.MaxTokens > 0 {
			body.MergeAt("parameters.maxOutputTokens", jsonhttp.Number(r.Chat.MaxTokens))
		}
		return body, nil
	}
	if len(r.Embed.Images) > 0 {
		return nil, fault.New(fault.InvalidRequest, "this API has no embeddings of images")
	}
	var instances []json.RawMessage
	for _, text := range r.Embed.Inputs {
		instances = append(instances, instance(text, r.Embed.InputType))
	}
	body := jsonhttp.Object{{Name: "instances", Value: jsonhttp.List(instances...)}}
	if r.Embed.Dimensions > 0 {
		body.MergeAt("parameters.outputDimensionality", jsonhttp.Number(r.Embed.Dimensions))
	}
	return body, nil
}

// parameterNames are other spellings of parameters.
var parameterNames = map[string]string{
	"top_p": "topP", "top_k": "topK", "max_tokens": "maxOutputTokens", "max_output_tokens": "maxOutputTokens", "stop": "stopSequences",
	"stop_sequences": "stopSequences", "n": "candidateCount", "dimensions": "outputDimensionality", "output_dimensionality": "outputDimensionality",
	"auto_truncate": "autoTruncate",
}

func (predict) merge(body *jsonhttp.Object, params jsonhttp.Object) {
	for _, p := range params {
		switch name, other := parameterNames[p.Name]; {
		case p.Name == "instances" || p.Name == "parameters" || p.Name == "labels":
			body.Merge(jsonhttp.Object{p})
		case other:
			body.MergeAt("parameters."+name, p.Value)
		default:
			body.MergeAt("parameters."+p.Name, p.Value)
		}
	}
}

type predictAnswer struct {
	Predictions []struct {
		Content    *string `json:"content"`
		Embeddings *struct {
			Values     []float32 `json:"values"`
			Statistics struct {
				Tokens *float64 `json:"token_count"`
			} `json:"statistics"`
		} `json:"embeddings"`
	} `json:"predictions"`
	Metadata struct {
		Tokens struct {
			Input  tokenTotal `json:"inputTokenCount"`
			Output tokenTotal `json:"outputTokenCount"`
		} `json:"tokenMetadata"`
	} `json:"metadata"`
	Error json.RawMessage `json:"error"`
}

type tokenTotal struct {
	Total *int64 `json:"totalTokens"`
}

func (predict) event(data []byte, at stamp.Arrival, a *answer) *fault.Error {
	var p predictAnswer
	if err := json.Unmarshal(data, &p); err != nil {
		return unreadable(data)
	}
	if len(p.Error) > 0 && string(p.Error) != "null" {
		return jsonhttp.StreamFailure(jsonhttp.ReadReport(data), classify)
	}
	if len(p.Predictions) == 0 {
		return unreadable(data)
	}
	if p.Predictions[0].Embeddings != nil {
		return a.takeVectors(&p)
	}
	usage := count(&a.usage.Input, p.Metadata.Tokens.Input.Total)
	usage = count(&a.usage.Output, p.Metadata.Tokens.Output.Total) || usage
	if usage {
		a.usage.Source = backend.UsageFinal
	}
	for i, prediction := range p.Predictions {
		if prediction.Content == nil {
			return unreadable(data)
		}
		// The API tells no finish reason; an answer that is whole has ended.
		a.record(said{choice: i, text: backend.EventText{Text: []byte(*prediction.Content)}, ends: true},
			usage && i == len(p.Predictions)-1, at)
	}
	return nil
}

// takeVectors records the shape of embeddings and the sum of their tokens.
func (a *answer) takeVectors(p *predictAnswer) *fault.Error {
	vectors := backend.Vectors{Count: int32(len(p.Predictions))}
	var tokens int64
	counted := true
	for _, one := range p.Predictions {
		if one.Embeddings == nil || len(one.Embeddings.Values) == 0 {
			return fault.New(fault.Protocol, "a prediction has no embedding")
		}
		vectors.Dimensions = int32(len(one.Embeddings.Values))
		if n := one.Embeddings.Statistics.Tokens; n != nil {
			tokens += int64(*n)
		} else {
			counted = false
		}
	}
	if counted {
		a.usage.Input, a.usage.Source = &tokens, backend.UsageFinal
	}
	a.rec.Vectors(vectors)
	a.vectors = true
	return nil
}
