package main

import (
	"encoding/json"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// readUsage reads a report of usage, a chat's "usage" or the "meta" of
// embeddings and rerank, and tells whether there was one.
//
// "tokens" is what the model read and wrote. "billed_units" is what the bill
// counts: less, where Cohere's own instructions are not billed, and other units,
// such as search units. Both are kept; where there are no tokens, as with
// embeddings, the billed ones are the count.
func readUsage(text json.RawMessage, u *backend.Usage) bool {
	var report struct {
		Tokens struct {
			Input  *float64 `json:"input_tokens"`
			Output *float64 `json:"output_tokens"`
		} `json:"tokens"`
		Billed map[string]any `json:"billed_units"`
		Cached *float64       `json:"cached_tokens"`
	}
	if len(text) == 0 || json.Unmarshal(text, &report) != nil {
		return false
	}
	found := false
	set := func(field **int64, numbers ...*float64) {
		for _, f := range numbers {
			if f != nil && *f >= 0 && *f < 1<<53 {
				n := int64(*f)
				*field, found = &n, true
				return
			}
		}
	}
	billed := func(name string) *float64 {
		if f, ok := report.Billed[name].(float64); ok {
			return &f
		}
		return nil
	}
	set(&u.Input, report.Tokens.Input, billed("input_tokens"), billed("image_tokens"))
	set(&u.Output, report.Tokens.Output, billed("output_tokens"))
	set(&u.CachedInput, report.Cached)
	set(&u.Images, billed("images"))
	for name, value := range report.Billed {
		if f, ok := value.(float64); ok {
			if u.Extra == nil {
				u.Extra = make(map[string]float64, len(report.Billed))
			}
			u.Extra["billed_"+name], found = f, true
		}
	}
	if found {
		u.Source = backend.UsageFinal
	}
	return found
}
