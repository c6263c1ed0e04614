package openaiwire

import "github.com/genai-bench/genai-bench/sdk/backend"

// tokenCounts is a usage report as the server sent it. A count that is absent,
// null or no whole number is not reported, which is not zero.
type tokenCounts struct {
	reported countSet
	n        [countKinds]int64
}

type countSet uint16

// The counts that a usage report may have.
const (
	inputCount = iota
	outputCount
	totalCount
	cachedCount
	cacheWriteCount
	reasoningCount
	audioInCount
	audioOutCount
	acceptedCount
	rejectedCount
	countKinds
)

func (u *tokenCounts) set(kind int, n int64) {
	u.reported |= 1 << kind
	u.n[kind] = n
}

func (u *tokenCounts) has(kind int) bool { return u.reported&(1<<kind) != 0 }

// any tells whether the report says anything.
func (u *tokenCounts) any() bool { return u.reported != 0 }

// countOf names the count of a field of "usage", or of its detail objects. The
// second spelling of some is that of DeepSeek, of Anthropic by way of a proxy,
// and of OpenAI's newer endpoints. -1: none.
func countOf(object, name []byte) int {
	switch string(object) {
	case "":
		switch string(name) {
		case "prompt_tokens", "input_tokens":
			return inputCount
		case "completion_tokens", "output_tokens":
			return outputCount
		case "total_tokens":
			return totalCount
		case "cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens":
			return cachedCount
		case "cache_creation_input_tokens":
			return cacheWriteCount
		case "reasoning_tokens":
			return reasoningCount
		}
	case "prompt_tokens_details", "input_tokens_details":
		switch string(name) {
		case "cached_tokens":
			return cachedCount
		case "cache_write_tokens", "cache_creation_tokens":
			return cacheWriteCount
		case "audio_tokens":
			return audioInCount
		}
	case "completion_tokens_details", "output_tokens_details":
		switch string(name) {
		case "reasoning_tokens":
			return reasoningCount
		case "audio_tokens":
			return audioOutCount
		case "accepted_prediction_tokens":
			return acceptedCount
		case "rejected_prediction_tokens":
			return rejectedCount
		}
	}
	return -1
}

func isDetails(name []byte) bool {
	switch string(name) {
	case "prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "output_tokens_details":
		return true
	}
	return false
}

// scan consumes a usage object or null.
func (u *tokenCounts) scan(s *scanner) bool {
	if s.null() {
		return true
	}
	return s.object(func(key text) bool {
		if isDetails(key.raw) {
			return s.null() || s.object(func(inner text) bool { return u.scanCount(s, countOf(key.raw, inner.raw)) })
		}
		return u.scanCount(s, countOf(nil, key.raw))
	})
}

func (u *tokenCounts) scanCount(s *scanner, kind int) bool {
	if kind < 0 {
		return s.skip()
	}
	if s.null() {
		return true
	}
	n, ok := s.count()
	if !ok || u.has(kind) { // twice, or in two spellings
		return false
	}
	u.set(kind, n)
	return true
}

// usage converts the report for the recorder.
func (u *tokenCounts) usage(source backend.UsageSource) backend.Usage {
	if !u.any() {
		return backend.Usage{}
	}
	pointer := func(kind int) *int64 {
		if !u.has(kind) {
			return nil
		}
		n := u.n[kind]
		return &n
	}
	out := backend.Usage{
		Source:      source,
		Input:       pointer(inputCount),
		CachedInput: pointer(cachedCount),
		CacheWrite:  pointer(cacheWriteCount),
		Output:      pointer(outputCount),
		Reasoning:   pointer(reasoningCount),
		AudioInput:  pointer(audioInCount),
		AudioOutput: pointer(audioOutCount),
	}
	for kind, name := range map[int]string{acceptedCount: "accepted_prediction_tokens", rejectedCount: "rejected_prediction_tokens"} {
		if u.has(kind) {
			if out.Extra == nil {
				out.Extra = make(map[string]float64)
			}
			out.Extra[name] = float64(u.n[kind])
		}
	}
	return out
}
