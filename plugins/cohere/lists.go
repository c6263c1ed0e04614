package main

import (
	"encoding/json"
	"slices"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// readVectors reads the answer of POST /v2/embed (EmbedByTypeResponse): a list of
// vectors for each type that was asked for.
func readVectors(body []byte, rec *backend.Recorder) *fault.Error {
	var answer struct {
		Embeddings map[string][]json.RawMessage `json:"embeddings"`
		Meta       json.RawMessage              `json:"meta"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return notProtocol(body)
	}
	recordUsage(rec, answer.Meta)
	// One type is as good as another to count; float tells the dimensions.
	for _, name := range []string{"float", "int8", "uint8", "base64", "binary", "ubinary"} {
		if vectors := answer.Embeddings[name]; len(vectors) > 0 {
			rec.Vectors(backend.Vectors{Count: int32(len(vectors)), Dimensions: dimensions(name, vectors[0])})
			return nil
		}
	}
	return emptyList(body, "embeddings")
}

// dimensions of a vector; those of one in base64 are not known (0).
func dimensions(kind string, vector json.RawMessage) int32 {
	var numbers []json.Number
	if json.Unmarshal(vector, &numbers) != nil {
		return 0
	}
	n := int32(len(numbers))
	if slices.Contains([]string{"binary", "ubinary"}, kind) {
		n *= 8 // packed, a bit a dimension
	}
	return n
}

// readRanks reads the answer of POST /v2/rerank.
func readRanks(body []byte, rec *backend.Recorder) *fault.Error {
	var answer struct {
		Results []json.RawMessage `json:"results"`
		Meta    json.RawMessage   `json:"meta"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return notProtocol(body)
	}
	recordUsage(rec, answer.Meta)
	if len(answer.Results) == 0 {
		return emptyList(body, "results")
	}
	rec.Vectors(backend.Vectors{Count: int32(len(answer.Results))})
	return nil
}

func recordUsage(rec *backend.Recorder, meta json.RawMessage) {
	var usage backend.Usage
	if readUsage(meta, &usage) {
		rec.Usage(usage)
	}
}

// emptyList is the failure of a success without what was asked for.
func emptyList(body []byte, name string) *fault.Error {
	var e event
	if json.Unmarshal(body, &e) == nil && e.failed() {
		return jsonhttp.StreamFailure(jsonhttp.ReadReport(body), classify)
	}
	return fault.New(fault.Protocol, "the answer has no %q: %s", name, jsonhttp.Excerpt(body))
}
