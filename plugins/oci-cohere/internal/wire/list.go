package wire

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
	"github.com/genai-bench/genai-bench/sdk/fault"
	"github.com/genai-bench/genai-bench/sdk/jsonhttp"
)

// ReadVectors reads the answer to an embedding (EmbedTextResult): "embeddings",
// or "embeddingsByType" with a list for each type that was asked for.
func ReadVectors(body []byte, rec *backend.Recorder) *fault.Error {
	var answer struct {
		Embeddings []json.RawMessage            `json:"embeddings"`
		ByType     map[string][]json.RawMessage `json:"embeddingsByType"`
		Usage      json.RawMessage              `json:"usage"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return jsonhttp.NotProtocol(body)
	}
	vectors := answer.Embeddings
	for _, list := range answer.ByType {
		if len(vectors) == 0 {
			vectors = list
		}
	}
	recordUsage(rec, answer.Usage)
	if len(vectors) == 0 {
		return emptyList(body, "embeddings")
	}
	rec.Vectors(backend.Vectors{Count: int32(len(vectors)), Dimensions: int32(dimensions(vectors[0]))})
	return nil
}

// dimensions of a vector; those of one in base64 are not known.
func dimensions(vector json.RawMessage) int {
	var numbers []json.Number
	if json.Unmarshal(vector, &numbers) != nil {
		return 0
	}
	return len(numbers)
}

// ReadRanks reads the answer to a rerank (RerankTextResult).
func ReadRanks(body []byte, rec *backend.Recorder) *fault.Error {
	var answer struct {
		Ranks []json.RawMessage `json:"documentRanks"`
		Usage json.RawMessage   `json:"usage"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return jsonhttp.NotProtocol(body)
	}
	recordUsage(rec, answer.Usage)
	if len(answer.Ranks) == 0 {
		return emptyList(body, "documentRanks")
	}
	rec.Vectors(backend.Vectors{Count: int32(len(answer.Ranks))})
	return nil
}

func recordUsage(rec *backend.Recorder, text json.RawMessage) {
	var usage backend.Usage
	if readUsage(text, &usage) {
		usage.Source = backend.UsageFinal
		rec.Usage(usage)
	}
}

// emptyList is the failure of a 200 without what was asked for.
func emptyList(body []byte, name string) *fault.Error {
	var e event
	if e.parse(body) == nil && e.failed() {
		return newFailure(0, readReport(body))
	}
	return fault.New(fault.Protocol, "the answer has no %q: %s", name, jsonhttp.Excerpt(body))
}
