package metrics

import "math"

// The sources of token counts in results.
const (
	fromUsage     = "usage"     // the provider's
	fromTokenizer = "tokenizer" // core's own
)

// tokensDiffer is the share by which two counts of the same tokens differ
// noticeably.
const tokensDiffer = 0.01

// TokenTruth holds the provider's token counts against core's own and against
// what was asked for, over all successful requests of a run.
type TokenTruth struct {
	Input  TokenCounts `json:"input"`
	Output TokenCounts `json:"output"`
}

// TokenCounts compares counts of tokens. Differences are usage − counted:
// positive where the provider counts more, as it does where its chat template
// or an end-of-sequence token is no part of the text that core counts.
type TokenCounts struct {
	FromUsage     int `json:"from_usage"`     // requests whose count is the provider's
	FromTokenizer int `json:"from_tokenizer"` // whose count is core's, because the provider gave none
	Compared      int `json:"compared"`       // that have both
	Differ        int `json:"differ"`         // of those, by more than 1 %

	MeanUsage         Value `json:"mean_usage"` // tokens, of those compared
	MeanCounted       Value `json:"mean_counted"`
	MeanDifference    Value `json:"mean_difference"`     // tokens a request
	MeanAbsDifference Value `json:"mean_abs_difference"` // the same without signs

	// What was asked for, where the scenario says a number, against the count
	// that the metrics use.
	Asked       int   `json:"asked"`        // requests with a number
	NotAsAsked  int   `json:"not_as_asked"` // whose count is another
	MeanAsked   Value `json:"mean_asked"`
	MeanOfAsked Value `json:"mean_of_asked"` // what those requests had
}

// tokenSums is a TokenTruth being made.
type tokenSums struct{ input, output tokenSum }

type tokenSum struct {
	TokenCounts
	usage, own                float64
	difference, absDifference float64
	asked, had                float64
}

func (t *tokenSums) add(r *Request) {
	t.input.add(r.InputTokens, r.InputTokensOwn, r.InputAsked, r.InputSource)
	t.output.add(r.OutputTokens, r.OutputTokensOwn, r.OutputAsked, r.OutputSource)
}

func (t *tokenSums) truth() TokenTruth {
	return TokenTruth{Input: t.input.counts(), Output: t.output.counts()}
}

func (c *tokenSum) add(tokens, own, asked Value, source string) {
	switch source {
	case fromUsage:
		c.FromUsage++
		if own.Exists() {
			c.Compared++
			d := float64(tokens - own)
			c.usage += float64(tokens)
			c.own += float64(own)
			c.difference += d
			c.absDifference += math.Abs(d)
			if math.Abs(d) > tokensDiffer*float64(own) {
				c.Differ++
			}
		}
	case fromTokenizer:
		c.FromTokenizer++
	}
	if asked.Exists() && tokens.Exists() {
		c.Asked++
		c.asked += float64(asked)
		c.had += float64(tokens)
		if asked != tokens {
			c.NotAsAsked++
		}
	}
}

// counts shares the sums out over the requests.
func (c *tokenSum) counts() TokenCounts {
	n, asked := Value(c.Compared), Value(c.Asked)
	out := c.TokenCounts
	out.MeanUsage, out.MeanCounted = ratio(Value(c.usage), n), ratio(Value(c.own), n)
	out.MeanDifference, out.MeanAbsDifference = ratio(Value(c.difference), n), ratio(Value(c.absDifference), n)
	out.MeanAsked, out.MeanOfAsked = ratio(Value(c.asked), asked), ratio(Value(c.had), asked)
	return out
}
