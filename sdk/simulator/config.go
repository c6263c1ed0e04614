package simulator

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/genai-bench/genai-bench/sdk/secret"
)

// Config says how the simulated engine behaves. DefaultConfig is the place to
// start. The zero value is valid as well: an engine that is infinitely fast, has
// no limits and serves any model.
type Config struct {
	// Seed of every draw: texts, answer lengths, jitter, faults.
	Seed uint64 `json:"seed"`
	// Models are the ids that are served; another is answered with 404. None:
	// any id is served.
	Models []string `json:"models"`
	// MaxModelLen bounds prompt and answer together, in tokens; a request for
	// more is answered with 400. 0: not bounded.
	MaxModelLen int `json:"max_model_len"`
	// APIKey must come as a bearer token, or the answer is 401. Unset: none is
	// asked for.
	APIKey secret.Secret `json:"api_key"`

	// StepTime is the fixed part of each engine step, and so, for few
	// sequences, the time between two tokens of one.
	StepTime time.Duration `json:"step_time_ns"`
	// StepTimePerSequence is what each sequence of the batch adds to a step.
	StepTimePerSequence time.Duration `json:"step_time_per_sequence_ns"`
	// PrefillTime is what each prompt adds to the step in which its prefill
	// begins.
	PrefillTime time.Duration `json:"prefill_time_ns"`
	// PrefillTokensPerSecond is the speed of prefill. 0: infinitely fast.
	PrefillTokensPerSecond float64 `json:"prefill_tokens_per_second"`
	// JitterRatio is the standard deviation of a step's duration, as a part of
	// it; draws are normal, cut at three deviations and at zero.
	JitterRatio float64 `json:"jitter_ratio"`
	// MaxBatch is how many sequences run at once. 0: not limited.
	MaxBatch int `json:"max_batch"`
	// MaxBatchedTokens is how many tokens one step processes, decode and
	// prefill together; at least MaxBatch. 0: not limited.
	MaxBatchedTokens int `json:"max_batched_tokens"`
	// KVTokens is the room of the KV cache. A sequence takes room for its prompt
	// and its whole answer when it is admitted; what does not fit waits. 0: not
	// limited.
	KVTokens int `json:"kv_tokens"`
	// PrefixCacheTokens is the room of the cache of prompts' beginnings, in tokens:
	// chats and completions that begin like one that has ended, answer included,
	// need not be prefilled so far. It goes by blocks of 16 tokens, and takes no room
	// of KVTokens. 0: there is none.
	PrefixCacheTokens int `json:"prefix_cache_tokens"`
	// SpreadTokens lets the tokens of a step leave spread over the next
	// StepTime, each sequence at its own constant phase, instead of all at once.
	SpreadTokens bool `json:"spread_tokens"`

	// DefaultMaxTokens is the length of answers to requests that name none; 0
	// is 128.
	DefaultMaxTokens int `json:"default_max_tokens"`
	// EOSProbability is the chance that the model ends its answer after a token,
	// where the request does not ignore_eos and min_tokens is reached. 0: each
	// answer has exactly max_tokens.
	EOSProbability float64 `json:"eos_probability"`
	// CountTokens counts the tokens of prompt texts; it must be safe for
	// concurrent use. nil: one token for each four bytes, rounded up.
	CountTokens func(text string) int `json:"-"`
	// TokenIDs are the tokens of a text, for the prefix cache: as many as CountTokens
	// counts. It must be safe for concurrent use. nil: each four bytes are one.
	TokenIDs func(text string) []uint32 `json:"-"`
	// Words are what the answers are made of: each is sent as one token, and so
	// should be one for the tokenizer of whoever counts. nil: English words of
	// three letters after a space, four bytes, in keeping with the default of
	// CountTokens.
	Words []string `json:"-"`
	// ChatTokensPerMessage is what a chat template adds to each message.
	ChatTokensPerMessage int `json:"chat_tokens_per_message"`
	// ImageTokens is what each picture in a message counts; 0 is 256.
	ImageTokens int `json:"image_tokens"`
	// ImageSteps is how many engine steps a generated picture takes; 0 is 20.
	ImageSteps int `json:"image_steps"`
	// EmbeddingDimensions is the length of vectors; 0 is 384.
	EmbeddingDimensions int `json:"embedding_dimensions"`

	// Protocols are other providers' interfaces to the engine. They are asked
	// before OpenAI's routes, in this order.
	Protocols []Protocol `json:"-"`

	// Faults are drawn for requests that do not ask for one themselves. The
	// rates add up to at most 1.
	Faults []FaultRate `json:"faults,omitempty"`

	// JournalSize is how many finished requests are remembered; the oldest are
	// forgotten first. 0 is 10,000.
	JournalSize int `json:"journal_size"`
	// KeepBodies keeps header (without credentials) and body of each request in
	// its Record.
	KeepBodies bool `json:"keep_bodies"`
	// MaxBodyBytes bounds request bodies; a larger one is answered with 413. 0 is
	// 64 MiB.
	MaxBodyBytes int64 `json:"max_body_bytes"`
}

// FaultRate gives a fault to a share of the requests.
type FaultRate struct {
	Rate  float64 `json:"rate"` // 0 to 1
	Fault Fault   `json:"fault"`
}

// DefaultConfig is a mid-sized model on one accelerator: about 100 tokens/s for
// one stream, 60 tokens/s each for 256.
func DefaultConfig() Config {
	return Config{
		Models:                 []string{"simulator"},
		MaxModelLen:            32_768,
		StepTime:               10 * time.Millisecond,
		StepTimePerSequence:    25 * time.Microsecond,
		PrefillTime:            2 * time.Millisecond,
		PrefillTokensPerSecond: 40_000,
		JitterRatio:            0.02,
		MaxBatch:               256,
		MaxBatchedTokens:       8_192,
		KVTokens:               400_000,
		DefaultMaxTokens:       128,
		ImageTokens:            256,
		ImageSteps:             20,
		EmbeddingDimensions:    384,
		JournalSize:            10_000,
		MaxBodyBytes:           64 << 20,
	}
}

// Validate returns every mistake in the configuration, joined, or nil.
func (c Config) Validate() error {
	var problems []error
	complain := func(bad bool, format string, args ...any) {
		if bad {
			problems = append(problems, fmt.Errorf("simulator: "+format, args...))
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"step_time", c.StepTime}, {"step_time_per_sequence", c.StepTimePerSequence}, {"prefill_time", c.PrefillTime},
	} {
		complain(d.value < 0, "%s is negative: %v", d.name, d.value)
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"max_model_len", c.MaxModelLen}, {"max_batch", c.MaxBatch}, {"max_batched_tokens", c.MaxBatchedTokens},
		{"kv_tokens", c.KVTokens}, {"prefix_cache_tokens", c.PrefixCacheTokens}, {"default_max_tokens", c.DefaultMaxTokens}, {"journal_size", c.JournalSize},
		{"chat_tokens_per_message", c.ChatTokensPerMessage}, {"image_tokens", c.ImageTokens},
		{"image_steps", c.ImageSteps}, {"embedding_dimensions", c.EmbeddingDimensions},
	} {
		complain(n.value < 0, "%s is negative: %d", n.name, n.value)
	}
	complain(c.MaxBodyBytes < 0, "max_body_bytes is negative: %d", c.MaxBodyBytes)
	complain(!(c.PrefillTokensPerSecond >= 0), "prefill_tokens_per_second is negative: %v", c.PrefillTokensPerSecond)
	complain(!(c.JitterRatio >= 0 && c.JitterRatio < 1), "jitter_ratio is %v (give 0 to less than 1)", c.JitterRatio)
	complain(!(c.EOSProbability >= 0 && c.EOSProbability <= 1), "eos_probability is %v (give 0 to 1)", c.EOSProbability)
	complain(c.MaxBatchedTokens > 0 && (c.MaxBatch == 0 || c.MaxBatch > c.MaxBatchedTokens),
		"max_batched_tokens %d is less than max_batch %d (each sequence of a step takes a token)", c.MaxBatchedTokens, c.MaxBatch)
	complain(c.PrefixCacheTokens > 0 && c.CountTokens != nil && c.TokenIDs == nil, "a prefix cache needs the tokens that CountTokens counts (give TokenIDs too)")
	for i, p := range c.Protocols {
		complain(p == nil, "protocol %d is nil", i+1)
	}
	for i, w := range c.Words {
		complain(w == "" || !utf8.ValidString(w), "word %d is empty or no UTF-8: %q", i, w)
	}
	sum := 0.0
	for i, f := range c.Faults {
		complain(!(f.Rate >= 0 && f.Rate <= 1), "rate of fault %d (%s) is %v (give 0 to 1)", i+1, f.Fault, f.Rate)
		sum += f.Rate
	}
	complain(sum > 1+1e-9, "the rates of faults add up to %v (at most 1)", sum)
	return errors.Join(problems...)
}

// withDefaults fills in what 0 and nil stand for.
func (c Config) withDefaults() Config {
	orDefault(&c.DefaultMaxTokens, 128)
	orDefault(&c.ImageTokens, 256)
	orDefault(&c.ImageSteps, 20)
	orDefault(&c.EmbeddingDimensions, 384)
	orDefault(&c.JournalSize, 10_000)
	orDefault(&c.MaxBodyBytes, 64<<20)
	if c.CountTokens == nil {
		c.CountTokens = func(text string) int { return (len(text) + 3) / 4 }
	}
	if c.TokenIDs == nil {
		c.TokenIDs = fourBytes
	}
	if c.Words == nil {
		c.Words = defaultWords()
	}
	return c
}

func orDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}
