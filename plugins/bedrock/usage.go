package main

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// reported is a number in an answer. What is no number is as if it were not
// there: a count that cannot be read is not 0.
type reported[T int64 | float64] struct{ value *T }

// UnmarshalJSON implements json.Unmarshaler.
func (r *reported[T]) UnmarshalJSON(data []byte) error {
	var v T
	if r.value = nil; !isNull(data) && json.Unmarshal(data, &v) == nil {
		r.value = &v
	}
	return nil
}

// tokenReport is a report of usage in any of the spellings that models behind
// Bedrock have. A nil count is not reported.
type tokenReport struct {
	// Converse, Nova
	InputTokens     reported[int64] `json:"inputTokens"`
	OutputTokens    reported[int64] `json:"outputTokens"`
	TotalTokens     reported[int64] `json:"totalTokens"`
	CacheRead       reported[int64] `json:"cacheReadInputTokens"`
	CacheWrite      reported[int64] `json:"cacheWriteInputTokens"`
	CacheReadCount  reported[int64] `json:"cacheReadInputTokenCount"`
	CacheWriteCount reported[int64] `json:"cacheWriteInputTokenCount"`
	// Anthropic
	Input         reported[int64] `json:"input_tokens"`
	Output        reported[int64] `json:"output_tokens"`
	CacheReadIn   reported[int64] `json:"cache_read_input_tokens"`
	CacheCreation reported[int64] `json:"cache_creation_input_tokens"`
	// OpenAI
	Prompt        reported[int64] `json:"prompt_tokens"`
	Completion    reported[int64] `json:"completion_tokens"`
	Total         reported[int64] `json:"total_tokens"`
	PromptDetails *struct {
		Cached reported[int64] `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionDetails *struct {
		Reasoning reported[int64] `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// invocationMetrics is what Bedrock adds to the last event of a stream of
// InvokeModel, whatever the family.
type invocationMetrics struct {
	Input             reported[int64]   `json:"inputTokenCount"`
	Output            reported[int64]   `json:"outputTokenCount"`
	CacheRead         reported[int64]   `json:"cacheReadInputTokenCount"`
	CacheWrite        reported[int64]   `json:"cacheWriteInputTokenCount"`
	InvocationLatency reported[float64] `json:"invocationLatency"` // milliseconds
	FirstByteLatency  reported[float64] `json:"firstByteLatency"`  // milliseconds
}

// tokens are the counts of an answer so far.
type tokens struct {
	input, output, total, cached, written, reasoning *int64
	// cacheApart: input lacks the tokens that came from or went into the cache.
	cacheApart bool
	source     backend.UsageSource
}

func first(counts ...reported[int64]) *int64 {
	for _, c := range counts {
		if c.value != nil && *c.value >= 0 {
			return c.value
		}
	}
	return nil
}

// lay lays later counts over u and tells whether there were any.
func (u *tokens) lay(later tokens) bool {
	any := false
	for _, c := range []struct{ to, from **int64 }{
		{&u.input, &later.input}, {&u.output, &later.output}, {&u.total, &later.total},
		{&u.cached, &later.cached}, {&u.written, &later.written}, {&u.reasoning, &later.reasoning},
	} {
		if *c.from != nil {
			*c.to, any = *c.from, true
		}
	}
	if any {
		u.cacheApart = u.cacheApart || later.cacheApart
		u.source = later.source
	}
	return any
}

// fill takes those counts that are missing.
func (u *tokens) fill(other tokens) bool {
	before := *u
	if !u.lay(other) {
		return false
	}
	u.lay(before)
	return true
}

func (r *tokenReport) tokens() tokens {
	if r == nil {
		return tokens{}
	}
	u := tokens{
		input:   first(r.InputTokens, r.Input, r.Prompt),
		output:  first(r.OutputTokens, r.Output, r.Completion),
		total:   first(r.TotalTokens, r.Total),
		cached:  first(r.CacheRead, r.CacheReadCount, r.CacheReadIn),
		written: first(r.CacheWrite, r.CacheWriteCount, r.CacheCreation),
		source:  backend.UsageFinal,
	}
	u.cacheApart = r.Prompt.value == nil
	if r.PromptDetails != nil && u.cached == nil {
		u.cached = first(r.PromptDetails.Cached)
	}
	if r.CompletionDetails != nil {
		u.reasoning = first(r.CompletionDetails.Reasoning)
	}
	return u
}

func (m *invocationMetrics) tokens() tokens {
	if m == nil {
		return tokens{}
	}
	return tokens{
		input: first(m.Input), output: first(m.Output), cached: first(m.CacheRead), written: first(m.CacheWrite),
		cacheApart: true, source: backend.UsageFinal,
	}
}

// headerTokens are the counts that answers of InvokeModel have in their head.
func headerTokens(header http.Header) tokens {
	count := func(name string) *int64 {
		n, err := strconv.ParseInt(header.Get(name), 10, 64)
		if err != nil || n < 0 {
			return nil
		}
		return &n
	}
	return tokens{
		input: count("X-Amzn-Bedrock-Input-Token-Count"), output: count("X-Amzn-Bedrock-Output-Token-Count"),
		cached: count("X-Amzn-Bedrock-Cache-Read-Input-Token-Count"), written: count("X-Amzn-Bedrock-Cache-Write-Input-Token-Count"),
		cacheApart: true, source: backend.UsageHeader,
	}
}

// usage converts the counts for the recorder. Anthropic and Converse count the
// input without what came from the cache or went into it; Input is all of it, as
// with every other provider, and what was reported stands in Extra.
func (u *tokens) usage() backend.Usage {
	if u.source == backend.UsageNone {
		return backend.Usage{}
	}
	out := backend.Usage{
		Input: u.input, Output: u.output, CachedInput: u.cached, CacheWrite: u.written, Reasoning: u.reasoning, Source: u.source,
	}
	if apart := valueOf(u.cached) + valueOf(u.written); u.cacheApart && u.input != nil && apart > 0 {
		all := *u.input + apart
		if u.total != nil && u.output != nil && *u.total-*u.output >= *u.input {
			all = *u.total - *u.output // the provider's own sum
		}
		out.Input = &all
		out.Extra = map[string]float64{"uncached_input_tokens": float64(*u.input)}
	}
	return out
}

func valueOf(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
