package wire

import (
	"encoding/json"
	"strconv"

	"github.com/genai-bench/genai-bench/sdk/backend"
)

// readUsage reads a report of usage into u and tells whether there was one. The
// fields are those of the data type Usage; snake_case and the nested form
// {"tokens": {"input_tokens", …}} are taken as well, since the reference tool
// met them.
func readUsage(text json.RawMessage, u *backend.Usage) bool {
	var o object
	if len(text) == 0 || json.Unmarshal(text, &o) != nil || o == nil {
		return false
	}
	o = respell(o)
	if nested, ok := o["tokens"]; ok {
		var inner object
		if json.Unmarshal(nested, &inner) == nil {
			for name, value := range inner {
				if _, taken := o[name]; !taken {
					o[name] = value
				}
			}
		}
	}
	found := false
	set := func(field **int64, value *int64) {
		if value != nil {
			*field, found = value, true
		}
	}
	input := count(o, "promptTokens", "inputTokens")
	output := count(o, "completionTokens", "outputTokens")
	if total := count(o, "totalTokens"); output == nil && total != nil && input != nil && *total > *input {
		n := *total - *input
		output = &n
	}
	set(&u.Input, input)
	set(&u.Output, output)
	set(&u.Reasoning, count(o, "reasoningTokens"))
	var details object
	if json.Unmarshal(o["completionTokensDetails"], &details) == nil {
		set(&u.Reasoning, count(details, "reasoningTokens"))
		for _, name := range []string{"acceptedPredictionTokens", "rejectedPredictionTokens"} {
			if n := count(details, name); n != nil {
				if u.Extra == nil {
					u.Extra = map[string]float64{}
				}
				u.Extra[name] = float64(*n)
			}
		}
	}
	details = nil
	if json.Unmarshal(o["promptTokensDetails"], &details) == nil {
		set(&u.CachedInput, count(details, "cachedTokens"))
	}
	return found
}

// count returns the first of the fields that is a whole number, nil where none
// is. A reported 0 is a value.
func count(o object, names ...string) *int64 {
	for _, name := range names {
		text := string(o[name])
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			return &n
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f < 1<<53 && f == float64(int64(f)) {
			n := int64(f)
			return &n
		}
	}
	return nil
}
